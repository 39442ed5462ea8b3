"""Numbers for the eye: tables, bars, and how a number is written. No data is a dash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from toolkit.analysis import HopPart
from toolkit.report.characters import printable
from toolkit.report.drawing import arrow
from toolkit.results import Hop, Measurement, PathPart, Quantiles

NONE = "—"
COLUMNS = (
    ("min", "min"),
    ("p50", "p50"),
    ("p90", "p90"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("p999", "p99.9"),
    ("max", "max"),
)
EXPENDABLE = ("min", "p95", "p90", "p999")  # columns that a narrow terminal does without, in this order
LABEL, CELL = 16, 9


def latency_table(found: Measurement, width: int) -> Iterator[str]:
    """Latency beside service time: the gap between them is the generator's and the queue's."""
    rows = {
        "latency": found.latency_us,
        "service time": found.service_time_us,
        "completion": found.completion_us,
        "cold": found.cold,
    }
    yield from quantile_table(rows, width)


def quantile_table(rows: Mapping[str, Quantiles | None], width: int) -> Iterator[str]:
    """A row for each that is known."""
    known = {name: row for name, row in rows.items() if row is not None}
    if not known:
        return
    columns = _fitting(width)
    yield f"{'':{LABEL}}{'n':>{CELL}}" + "".join(f"{title:>{CELL}}" for _, title in columns) + "   ms"
    for name, row in known.items():
        cells = "".join(f"{milliseconds(getattr(row, column)):>{CELL}}" for column, _ in columns)
        yield f"{name:<{LABEL}}{count(row.n):>{CELL}}{cells}"
    yield from intervals(known)


def intervals(rows: Mapping[str, Quantiles]) -> Iterator[str]:
    """A line for each whose quantiles have intervals: where they are with 95 % confidence."""
    for name, row in rows.items():
        if row.ci95:
            told = (f"{each} {milliseconds(low)} to {milliseconds(high)}" for each, (low, high) in row.ci95.items())
            yield f"{name}, 95 % sure: {' · '.join(told)} ms"


def _fitting(width: int) -> list[tuple[str, str]]:
    columns = list(COLUMNS)
    for name in EXPENDABLE:
        if LABEL + CELL * (len(columns) + 1) + 5 <= width:
            break
        columns = [each for each in columns if each[0] != name]
    return columns


def bars(histogram: Sequence[tuple[float, int]], width: int) -> Iterator[str]:
    """How the latencies are spread; each bar ends at the time at its left."""
    most = max((number for _, number in histogram), default=0)
    room = max(10, min(width - 30, 50))
    for upto, number in histogram:
        halves = round(2 * room * number / most)
        drawn = "█" * (halves // 2) + "▌" * (halves % 2) or ("▌" if number else "")
        yield f"{'≤ ' + milliseconds(upto) + ' ms':>{LABEL}}  {drawn} {count(number) if number else ''}".rstrip()


def hop_table(hops: Sequence[Hop], width: int) -> Iterator[str]:
    rows = [(f"{hop.source} {arrow(hop.via)} {hop.to}", hop.n, hop.p50_us, hop.p99_us, hop.share) for hop in hops]
    head, *lines = [*_shares("hop", rows, width)] or [""]
    if not any(hop.parts for hop in hops):
        yield from (head, *lines) if lines else ()
        return
    yield f"{head}  spent on"
    for hop, line in zip(hops, lines, strict=True):
        yield f"{line}  {spent(hop.parts)}"


def spent(parts: Sequence[HopPart]) -> str:
    """What a hop's time was spent on, the most first."""
    return " · ".join(f"{part.what} {percent(part.share)}" for part in parts) or NONE


def path_table(path: Sequence[PathPart], width: int) -> Iterator[str]:
    rows = [(part.name, part.n, part.p50_us, part.p99_us, part.share) for part in path]
    yield from _shares("critical path", rows, width)


def _shares(
    title: str, rows: Sequence[tuple[str, int, float | None, float | None, float | None]], width: int
) -> Iterator[str]:
    if not rows:
        return
    room = max(LABEL, min(max(len(row[0]) for row in rows) + 2, width - 4 * CELL))
    yield f"{title:<{room}}{'n':>{CELL}}{'p50 ms':>{CELL}}{'p99 ms':>{CELL}}{'share':>{CELL}}"
    for name, n, p50, p99, share in rows:
        cells = (count(n), milliseconds(p50), milliseconds(p99), percent(share))
        yield f"{printable(name):<{room}}" + "".join(f"{cell:>{CELL}}" for cell in cells)


def milliseconds(microseconds: float | None) -> str:
    """Three digits that mean something: 0.042, 1.25, 17.3, 1,204."""
    if microseconds is None:
        return NONE
    value = microseconds / 1000
    digits = 3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def percent(share: float | None) -> str:
    if share is None:
        return NONE
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def count(number: int) -> str:
    return f"{number:,}"


def plural(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def rate(per_second: float | None) -> str:
    return NONE if per_second is None else f"{per_second:,.4g}/s" if per_second < 1000 else f"{per_second:,.0f}/s"


def seconds(duration: float | None) -> str:
    return NONE if duration is None else f"{duration:.3g} s" if duration < 100 else f"{duration:,.0f} s"
