"""What a person sees at a terminal while a load runs: a few lines, drawn anew with each progress. Pure.

May live here: what the lines say. May not: terminals, clocks (`toolkit.cli.running`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from toolkit.report.characters import in_ascii, printable
from toolkit.report.tables import count, milliseconds, rate
from toolkit.results import Load, Progress

LAST_S = 30  # seconds that the sparkline shows
NOW_S = 2.0  # over which the rate of now is told
SPARKS = "▁▂▃▄▅▆▇█"
ASCII_SPARKS = ".:-=+*%#"
BAR = 20
NARROW = 60


@dataclass(slots=True)
class Seen:
    """The progress of a load so far, as much of it as is shown: what was told in the last seconds."""

    told: list[Progress] = field(default_factory=list)

    def add(self, progress: Progress) -> None:
        if self.told and progress.elapsed_s < self.told[-1].elapsed_s:  # another load: the next repetition
            self.told.clear()
        self.told.append(progress)
        oldest = progress.elapsed_s - LAST_S - 1
        while len(self.told) > 2 and self.told[1].elapsed_s < oldest:
            del self.told[0]


def lines(title: str, seen: Seen, load: Load | None, width: int, *, unicode: bool = True) -> list[str]:
    """At most two lines, none wider than `width`; the second only where there is room and something to say."""
    now = seen.told[-1]
    drawn = [_first(title, now, seen, load, width, unicode=unicode)]
    second = " · ".join(_second(now, seen, unicode=unicode))
    if second and width >= NARROW:
        drawn.append(f"  {second}")
    return [_cut(line if unicode else in_ascii(line), width) for line in drawn]


def share(now: Progress, load: Load | None) -> float | None:
    """How much of the load is done, 0 to 1; None where nobody knows."""
    if load is not None and load.duration_s:
        return min(1.0, now.elapsed_s / load.duration_s)
    return min(1.0, (now.ok + now.failed) / now.planned) if now.planned else None


def sparkline(values: Sequence[float | None], *, unicode: bool = True) -> str:
    """A character a value, the largest the highest; what is not known is a gap."""
    marks = SPARKS if unicode else ASCII_SPARKS
    most = max((each for each in values if each is not None), default=0.0)
    if most <= 0:
        return "".join(" " if each is None else marks[0] for each in values)
    top = len(marks) - 1
    return "".join(" " if each is None else marks[round(max(0.0, each) / most * top)] for each in values)


def _first(title: str, now: Progress, seen: Seen, load: Load | None, width: int, *, unicode: bool) -> str:
    done = share(now, load)
    total = f"/{now.planned}" if now.planned else ""
    failed = f" · {count(now.failed)} failed" if now.failed else ""
    bar = "" if done is None or width < NARROW + BAR else f" {_bar(done, unicode=unicode)} {done:4.0%}"
    left = _left(now, done)
    told = f"{printable(title)}:{bar} {now.ok}{total} answered · {now.in_flight} open{failed} · {now.elapsed_s:.1f} s"
    return f"{told}{left}"


def _bar(done: float, *, unicode: bool) -> str:
    halves = round(2 * BAR * done)
    full, half, empty = ("█", "▌", "░") if unicode else ("#", "-", ".")
    drawn = full * (halves // 2) + half * (halves % 2)
    return drawn + empty * (BAR - len(drawn))


def _left(now: Progress, done: float | None) -> str:
    """How long it will still take, once that can be told."""
    if done is None or done < 0.02 or done >= 1 or now.elapsed_s < 1:
        return ""
    return f", {now.elapsed_s * (1 - done) / done:.0f} s left"


def _second(now: Progress, seen: Seen, *, unicode: bool) -> Iterator[str]:
    answered = _per_second(seen)
    current = _rate_now(seen)
    if current is not None:
        yield f"{rate(current)} sent"
    if now.p50_us is not None:
        tail = "" if now.p99_us is None else f", p99 {milliseconds(now.p99_us)}"
        yield f"p50 {milliseconds(now.p50_us)}{tail} ms so far"
    if len(answered) > 2:
        yield f"answers a second {sparkline(answered, unicode=unicode)}"


def _rate_now(seen: Seen) -> float | None:
    """Calls sent a second, lately."""
    now = seen.told[-1]
    before = next((each for each in reversed(seen.told) if now.elapsed_s - each.elapsed_s >= NOW_S), seen.told[0])
    took = now.elapsed_s - before.elapsed_s
    return (now.sent - before.sent) / took if took >= NOW_S / 4 else None


def _per_second(seen: Seen) -> list[float]:
    """Answers in each whole second that has been seen, the last ones."""
    last = int(seen.told[-1].elapsed_s)
    ended: dict[int, int] = {}
    for each in seen.told:
        ended[int(each.elapsed_s)] = each.ok + each.failed  # the last that was told in that second
    first = max(min(ended), last - LAST_S)
    found, before = [], ended.get(first, 0)
    for second in range(first + 1, last):
        upto = ended.get(second, before)
        found.append(float(upto - before))
        before = upto
    return found


def _cut(line: str, width: int) -> str:
    """One line that no terminal folds."""
    return line if len(line) < width else line[: max(1, width - 1)]
