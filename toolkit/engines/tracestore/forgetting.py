"""Which traces a store forgets, and when: always the oldest, whole, in the order in which their first spans came.

May live here: counting what is there, and the bounds. A trace is as old as its first span has been here: the clocks of
those who send may be wrong, and traces of last year that are imported today are not forgotten at once.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.engines.tracestore import database as files
from toolkit.engines.tracestore.block import Block
from toolkit.engines.tracestore.database import Database
from toolkit.engines.tracestore.reading import Reader

MAX_SPANS = 500_000  # as Zipkin's MEM_MAX_SPANS
MAX_BYTES = 512 << 20  # of span text


@dataclass(frozen=True, slots=True)
class Bounds:
    """`age` is in seconds; None: for ever."""

    spans: int = MAX_SPANS
    bytes: int = MAX_BYTES
    age: float | None = None


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def age(text: str) -> float:
    """Seconds of `30s`, `90m`, `12h` or `7d`. Raises ValueError."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not re.fullmatch("[1-9][0-9]{0,7}", number):
        raise ValueError(f"{text[:40]!r} is not a duration; write 30s, 90m, 12h or 7d")
    return float(int(number) * _UNITS[unit])


@dataclass(slots=True)
class Gone:
    """What one block forgets: the first `forgotten` of its traces are no more, and these were `ids`; `whole`: nothing
    is left of it."""

    block: int
    forgotten: int
    ids: list[str] = field(default_factory=list)
    spans: int = 0
    bytes: int = 0
    whole: bool = False


_Old = tuple[int, int, int, str]  # when a trace's first span came, its spans and bytes, and its id


class Forgetting:
    """Counts traces, spans and bytes, and plans what goes.

    `on_warning` is told when forgetting for want of room begins, and again whenever ten times as many traces are gone.
    """

    def __init__(
        self,
        bounds: Bounds,
        database: Database,
        reader: Reader,
        held: Mapping[int, Block],
        on_warning: Callable[[str], None],
    ) -> None:
        self.bounds, self._database, self._reader, self._held = bounds, database, reader, held
        self._on_warning, self._warn_at = on_warning, 1
        self._numbers: deque[int] = deque()
        self._ahead_since: int | None = None  # when traces were first seen that came "later than now"
        self._resting: tuple[int, int, list[_Old]] = (-1, -1, [])  # a block not in memory, and its revision
        self.traces = self.spans = self.bytes = self.evicted_traces = self.evicted_spans = self.expired_traces = 0

    def count(self, numbers: list[int]) -> None:
        """Begin with these blocks, the oldest first."""
        self._numbers.extend(numbers)
        for number, (traces, spans, size) in self._reader.totals().items():
            if number not in self._held:
                self.grown(traces, spans, size)
        for block in self._held.values():
            living = list(block.living())
            self.grown(len(living), sum(len(each.spans) for each in living), block.size)

    def grown(self, traces: int, spans: int, size: int) -> None:
        self.traces += traces
        self.spans += spans
        self.bytes += size

    def began(self, number: int) -> None:
        """There is a new block."""
        self._numbers.append(number)

    def forget(self, now: int, open_number: int) -> list[Gone]:
        """Forget in the database what is beyond the bounds; what went, the oldest first.

        Raises EngineError when the disk does not take it; then nothing is forgotten.
        """
        gone, aged = self._plan(now, open_number)
        if not gone:
            return []
        with self._database.writing() as connection:
            for each in gone:
                if each.whole:
                    files.drop(connection, each.block, each.ids)
                else:
                    files.forget(connection, each.block, each.forgotten, each.ids, each.spans, each.bytes)
        self._tell(gone, aged)
        return gone

    def _plan(self, now: int, open_number: int) -> tuple[list[Gone], int]:
        """What goes, and how many traces of it for their age."""
        gone: list[Gone] = []
        spans = size = aged = 0
        since, self._ahead_since = now if self._ahead_since is None else min(self._ahead_since, now), None
        for number in self._numbers:
            forgotten, traces = self._traces(number)
            here = Gone(number, forgotten)
            for received, some, length, trace_id in traces:
                full = self.spans - spans > self.bounds.spans or self.bytes - size > self.bounds.bytes
                if received > now:  # the clock was wrong when it came: it did not come after it was seen to be here
                    received = self._ahead_since = since
                old = self.bounds.age is not None and received + self.bounds.age < now
                if not (full or old):
                    break
                here.forgotten += 1
                here.ids.append(trace_id)
                here.spans, here.bytes = here.spans + some, here.bytes + length
                spans, size, aged = spans + some, size + length, aged + (not full)
            else:
                here.whole = number != open_number
            if here.ids or here.whole:
                gone.append(here)
            if not here.whole:
                break
        return gone, aged

    def _traces(self, number: int) -> tuple[int, Iterable[_Old]]:
        """How many traces of a block are forgotten, and the others."""
        if (block := self._held.get(number)) is not None:
            return block.forgotten, (
                (each.received, len(each.spans), each.size, each.id) if each else (0, 0, 0, "")
                for each in block.traces[block.forgotten :]
            )
        revision, forgotten = self._reader.revision(number) or (0, 0)
        if self._resting[:2] != (number, revision):
            read = self._reader.directory(number)
            rows = read.rows if read else []
            self._resting = (
                number,
                revision,
                [(each.received, each.spans, each.size - max(each.spans - 1, 0), each.id) for each in rows],
            )
        return forgotten, self._resting[2][forgotten:]

    def _tell(self, gone: Sequence[Gone], aged: int) -> None:
        traces, spans = sum(len(each.ids) for each in gone), sum(each.spans for each in gone)
        self.grown(-traces, -spans, -sum(each.bytes for each in gone))
        for each in gone:
            if each.whole:
                self._numbers.popleft()
        self.expired_traces += aged
        if traces == aged:
            return
        self.evicted_traces += traces - aged
        self.evicted_spans += spans
        if self.evicted_traces >= self._warn_at:
            self._warn_at = self.evicted_traces * 10
            self._on_warning(
                f"full: {self.evicted_traces} of the oldest traces ({self.evicted_spans} spans) were forgotten "
                f"to stay within {self.bounds.spans} spans and {self.bounds.bytes >> 20} MiB"
            )
