"""Tasks as text while they run: counts by function, rate, depth, and the tree of parents and children. Pure.

May live here: what has been seen and how it is shown. May not: asking a ledger (`toolkit watch` does).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence

from toolkit.report.characters import printable
from toolkit.results import TaskRecord

STATES = ("waiting", "running", "done", "failed", "cancelled")
RATE_OVER_S = 5.0
MARKS = {"waiting": "·", "running": "▶", "done": "✓", "failed": "✗", "cancelled": "—"}
MOST_LINES = 200  # of a tree on a screen


class Board:
    """What is known of the tasks by now; `see` is told each change, in the ledger's order."""

    def __init__(self) -> None:
        self.tasks: dict[tuple[str, str], TaskRecord] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._ended: deque[tuple[float, int]] = deque()  # when, and how many

    def see(self, changed: Sequence[TaskRecord], now_s: float) -> None:
        ended = 0
        for task in changed:
            before = self.tasks.get((task.call, task.task))
            if before is not None:
                self._counts[before.to, before.state] -= 1
            self.tasks[task.call, task.task] = task
            self._counts[task.to, task.state] += 1
            ended += task.ended_ns is not None and (before is None or before.ended_ns is None)
        self._ended.append((now_s, ended))
        while self._ended[0][0] < now_s - RATE_OVER_S:
            self._ended.popleft()

    def count(self, *states: str) -> int:
        return sum(count for (_, state), count in self._counts.items() if state in states)

    @property
    def left(self) -> int:
        return self.count("waiting", "running")

    @property
    def depth(self) -> int | None:
        return max((task.depth for task in self.tasks.values()), default=None)

    @property
    def rate(self) -> float | None:
        """Tasks that ended, a second, of the last few; None before there is a time to speak of."""
        if len(self._ended) < 2 or (span_s := self._ended[-1][0] - self._ended[0][0]) <= 0:
            return None
        return sum(count for _, count in list(self._ended)[1:]) / span_s

    def calls(self, beginning: str) -> list[str]:
        """Those whose id begins so."""
        return sorted({call for call, _ in self.tasks if call.startswith(beginning)})

    def lines(self) -> list[str]:
        """One a function, and one for all."""
        functions = sorted({to for to, _ in self._counts})
        told = [f"{printable(each)}: {self._told(each)}" for each in functions]
        rate = "" if self.rate is None else f" · {self.rate:,.0f} tasks/s"
        depth = "" if self.depth is None else f" · depth {self.depth}"
        calls = len({call for call, _ in self.tasks})
        return [*told, f"{len(self.tasks):,} tasks of {calls:,} call{'' if calls == 1 else 's'}{depth}{rate}"]

    def _told(self, function: str) -> str:
        counts = [(state, self._counts[function, state]) for state in STATES]
        return " · ".join(f"{state} {count:,}" for state, count in counts if count) or "nothing"


def tree(tasks: Sequence[TaskRecord], most: int = MOST_LINES) -> Iterator[str]:
    """Each call's tasks under those that spawned them; at most so many lines, and one that says what is left out."""
    children: dict[tuple[str, str], list[TaskRecord]] = defaultdict(list)
    known = {(task.call, task.task) for task in tasks}
    roots: dict[str, list[TaskRecord]] = defaultdict(list)
    for task in sorted(tasks, key=lambda each: (each.spawned_ns, each.task)):
        above = (task.call, task.parent)
        (children[above] if above in known else roots[task.call]).append(task)
    left = most
    for call, first in roots.items():
        yield f"call {printable(call)}"
        stack = [(1, task) for task in reversed(first)]
        while stack and left:  # no recursion: a count is as deep as it is long
            depth, task = stack.pop()
            told = f"{MARKS[task.state]} {printable(task.task[:12])} {printable(task.to)} {_length(task)}"
            yield f"{'  ' * min(depth, 40)}{told}"
            stack += [(depth + 1, child) for child in reversed(children[task.call, task.task])]
            left -= 1
    if len(tasks) > most:
        yield f"… and {len(tasks) - most:,} tasks more (-o json tells all)"


def _length(task: TaskRecord) -> str:
    if task.ended_ns is None:
        return task.state
    again = f", {task.attempts} attempts" if task.attempts > 1 else ""
    return f"{(task.ended_ns - task.spawned_ns) / 1e6:,.1f} ms{again}"
