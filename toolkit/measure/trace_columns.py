"""What is kept of each of many traces: numbers in columns, a hundred bytes or two a trace, and no objects.

May live here: columns that grow and are put behind each other. What is made of them is `bands`' and `traces`'.
Times are microseconds.
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from toolkit.measure.rows import Numbers
from toolkit.traces.model import Edge
from toolkit.traces.overlap import Overlap
from toolkit.traces.segments import What

Label = tuple[str, What]
Fanned = tuple[str, Edge | None]  # who sent several messages, and over which edge; None: over several
_Name = TypeVar("_Name", bound=Hashable)
_HEX = re.compile("[0-9a-f]{16}|[0-9a-f]{32}").fullmatch
_LOW = (1 << 64) - 1


def _ints() -> array[int]:
    return array("q")


def numbers(column: array[int] | array[float]) -> Numbers:
    """The column as it stands, without a copy: it cannot grow while somebody holds this."""
    return np.frombuffer(column, dtype=column.typecode)


class Names(Generic[_Name]):
    """Names by the numbers that stand for them in a column."""

    def __init__(self) -> None:
        self._numbers: dict[_Name, int] = {}

    def number(self, name: _Name) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def list(self) -> list[_Name]:
        return list(self._numbers)


class Ids:
    """Trace ids, 16 bytes each; what is no id as on the wire (`wire.trace_id`) is kept as it is."""

    def __init__(self) -> None:
        self._upper, self._lower = array("Q"), array("Q")
        self._odd: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._lower)

    def __getitem__(self, at: int) -> str:
        if (odd := self._odd.get(at)) is not None:
            return odd
        upper, lower = self._upper[at], self._lower[at]
        return f"{upper:016x}{lower:016x}" if upper else f"{lower:016x}"

    def append(self, trace: str) -> None:
        if not _HEX(trace) or (len(trace) == 32 and trace.startswith("0" * 16)):
            self._odd[len(self)] = trace
            trace = "0"
        whole = int(trace, 16)
        self._upper.append(whole >> 64)
        self._lower.append(whole & _LOW)

    def extend(self, other: Ids) -> None:
        self._odd |= {len(self) + at: odd for at, odd in other._odd.items()}
        self._upper.extend(other._upper)
        self._lower.extend(other._lower)

    def order(self, durations_us: Numbers) -> Numbers:
        """Positions by duration; equally long traces by id, so that the order in which they came is no matter."""
        odd = np.zeros(len(self), np.int64)
        for rank, at in enumerate(sorted(self._odd, key=self._odd.__getitem__), 1):
            odd[at] = rank
        return np.lexsort((odd, numbers(self._lower), numbers(self._upper), durations_us))


@dataclass(slots=True)
class TraceColumns:
    """One row a trace: how long it took, and whether one of its spans has an error."""

    ids: Ids = field(default_factory=Ids)
    durations_us: array[int] = field(default_factory=_ints)
    failed: array[int] = field(default_factory=lambda: array("b"))

    def append(self, trace: str, duration_us: int, failed: bool) -> None:
        self.ids.append(trace)
        self.durations_us.append(duration_us)
        self.failed.append(failed)

    def extend(self, other: TraceColumns) -> None:
        self.ids.extend(other.ids)
        self.durations_us.extend(other.durations_us)
        self.failed.extend(other.failed)


@dataclass(slots=True)
class PathColumns:
    """One row for each trace (by its position) and label that its critical path has, with all the time it has there."""

    labels: Names[Label] = field(default_factory=Names)
    traces: array[int] = field(default_factory=lambda: array("i"))
    label: array[int] = field(default_factory=lambda: array("i"))
    us: array[int] = field(default_factory=_ints)

    def append(self, trace: int, path: Mapping[Label, int]) -> None:
        for label, us in path.items():
            self.traces.append(trace)
            self.label.append(self.labels.number(label))
            self.us.append(us)

    def extend(self, other: PathColumns, before: int) -> None:
        """`before` traces stand in front of those of `other`."""
        ours = np.array([self.labels.number(each) for each in other.labels.list()], np.int32)
        if len(other.us):
            self.traces.frombytes((numbers(other.traces) + np.int32(before)).tobytes())
            self.label.frombytes(ours[numbers(other.label)].tobytes())
        self.us.extend(other.us)


@dataclass(slots=True)
class HopColumns:
    """One edge: the time of each message, and of each part the times of those messages that have some of it."""

    us: array[int] = field(default_factory=_ints)
    parts: dict[What, array[int]] = field(default_factory=dict)
    failed: int = 0
    skewed: int = 0
    repeated: int = 0

    def append(self, us: int, parts: Iterable[tuple[What, int]]) -> None:
        self.us.append(us)
        for what, part_us in parts:
            if part_us:
                self.parts.setdefault(what, _ints()).append(part_us)

    def extend(self, other: HopColumns) -> None:
        self.us.extend(other.us)
        for what, column in other.parts.items():
            self.parts.setdefault(what, _ints()).extend(column)
        self.failed += other.failed
        self.skewed += other.skewed
        self.repeated += other.repeated


@dataclass(slots=True)
class FanColumns:
    """One row for each handling that sent several messages over an edge, or over several: of which trace it is (by its
    position), and what the messages had in common."""

    traces: array[int] = field(default_factory=lambda: array("i"))
    branches: array[int] = field(default_factory=_ints)
    at_once: array[int] = field(default_factory=_ints)
    share: array[float] = field(default_factory=lambda: array("d"))
    wall_us: array[int] = field(default_factory=_ints)
    slowest_us: array[int] = field(default_factory=_ints)

    def append(self, trace: int, told: Overlap) -> None:
        self.traces.append(trace)
        self.branches.append(told.n)
        self.at_once.append(told.at_once)
        self.share.append(told.share)
        self.wall_us.append(told.wall_us)
        self.slowest_us.append(told.slowest_us)

    def extend(self, other: FanColumns, before: int) -> None:
        """`before` traces stand in front of those of `other`."""
        self.traces.extend(before + trace for trace in other.traces)
        self.branches.extend(other.branches)
        self.at_once.extend(other.at_once)
        self.share.extend(other.share)
        self.wall_us.extend(other.wall_us)
        self.slowest_us.extend(other.slowest_us)


@dataclass(slots=True)
class Pool:
    """All that is kept of traces of one population."""

    traces: TraceColumns = field(default_factory=TraceColumns)
    path: PathColumns = field(default_factory=PathColumns)
    hops: defaultdict[Edge, HopColumns] = field(default_factory=lambda: defaultdict(HopColumns))
    fans: defaultdict[Fanned, FanColumns] = field(default_factory=lambda: defaultdict(FanColumns))
    spans: int = 0

    def __len__(self) -> int:
        return len(self.traces.ids)

    def extend(self, other: Pool) -> None:
        for fanned, columns in other.fans.items():
            self.fans[fanned].extend(columns, len(self))
        self.path.extend(other.path, len(self))
        self.traces.extend(other.traces)
        for edge, hop in other.hops.items():
            self.hops[edge].extend(hop)
        self.spans += other.spans
