"""Where the time of many traces went. One trace after the other goes in, and leaves a few numbers behind.

May live here: adding up, and what is told of the sums. What one trace tells is found in `toolkit.traces`, bands are
`bands`'. Pure: whoever reads a million spans from a file hands them over trace by trace, and two who did can put
theirs together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict

import numpy as np

from toolkit.analysis import (
    Analysis,
    AnalysisChange,
    Completeness,
    HopAnatomy,
    HopPart,
    MissingEdge,
    SegmentChange,
    Skew,
)
from toolkit.measure import bands
from toolkit.measure.bands import Ranked, microseconds
from toolkit.measure.trace_columns import HopColumns, Label, PathColumns, TraceColumns, numbers
from toolkit.traces import view
from toolkit.traces.anatomy import HopTime, anatomy
from toolkit.traces.complete import Shown, shown
from toolkit.traces.critical import critical_path
from toolkit.traces.hops import Edge
from toolkit.traces.model import Span
from toolkit.traces.skew import Offsets
from toolkit.traces.view import View


class Analysing:
    """Takes traces one by one. With `edges`, those of the chain and the caller's own, each is held against them."""

    def __init__(self, edges: Collection[Edge] | None = None) -> None:
        self._edges = None if edges is None else frozenset(edges)
        self._traces, self._path = TraceColumns(), PathColumns()
        self._hops: defaultdict[Edge, HopColumns] = defaultdict(HopColumns)
        self._missing: Counter[Edge] = Counter()
        self._unknown: Counter[Edge] = Counter()
        self._clocks = Offsets()
        self._spans = self._unusable = self._orphans = self._complete = 0

    def __len__(self) -> int:
        """The traces that were taken, with those that are of no use."""
        return len(self._traces.ids) + self._unusable

    def add(self, trace: Sequence[Span] | View) -> None:
        """Take all spans of one trace, or the view of them that somebody made already; none are no trace."""
        seen = view.of(trace)
        if not seen.spans:
            return
        if self._edges is not None:
            self._hold_against(shown(seen, self._edges))
        path: dict[Label, int] = {}
        for segment in critical_path(seen):
            label = segment.label, segment.what
            path[label] = path.get(label, 0) + segment.duration_us
        if not path:
            self._unusable += 1
            return
        self._spans += len(seen.spans)
        self._path.append(len(self._traces.ids), path)
        self._traces.append(seen.trace, sum(path.values()), seen.failed)
        self._clocks.add(seen)
        for hop in anatomy(seen):
            self._cross(hop)

    def _hold_against(self, found: Shown) -> None:
        self._complete += found.complete
        self._missing.update(dict.fromkeys(found.missing, 1))  # traces, not messages
        self._unknown.update(dict.fromkeys(found.unknown, 1))
        self._orphans += found.orphans

    def _cross(self, hop: HopTime) -> None:
        columns = self._hops[hop.source, hop.to, hop.via]
        if hop.failed:
            columns.failed += 1
        elif hop.duration_us < 0:
            columns.skewed += 1
        elif hop.attempt == 1:
            columns.append(hop.duration_us, hop.parts)

    def merge(self, other: Analysing) -> None:
        """Take all that another one took, who was told of the same edges. In which order this is done is no matter."""
        self._path.extend(other._path, len(self._traces.ids))
        self._traces.extend(other._traces)
        for edge, hop in other._hops.items():
            self._hops[edge].extend(hop)
        self._clocks.merge(other._clocks)
        self._missing.update(other._missing)
        self._unknown.update(other._unknown)
        self._spans += other._spans
        self._unusable += other._unusable
        self._orphans += other._orphans
        self._complete += other._complete

    def result(self) -> Analysis:
        """What the traces so far tell; more may be added afterwards."""
        ranked = Ranked(self._traces)
        return Analysis(
            traces=len(ranked),
            spans=self._spans,
            unusable=self._unusable,
            durations_us=bands.spread(ranked.durations_us),
            exemplars=bands.exemplars(ranked),
            bins=bands.bins(ranked),
            bands=bands.bands(ranked, self._path),
            hops=tuple(_hop(edge, columns) for edge, columns in sorted(self._hops.items())),
            skews=tuple(Skew(**asdict(each)) for each in self._clocks.disagreeing()),
            completeness=None if self._edges is None else self._completeness(),
            failed=int(ranked.failed.sum()),
        )

    def _completeness(self) -> Completeness:
        return Completeness(
            traces=len(self),
            complete=self._complete,
            missing=_edges(self._missing),
            unknown=_edges(self._unknown),
            orphans=self._orphans,
        )


def analyse(traces: Iterable[Sequence[Span]], edges: Collection[Edge] | None = None) -> Analysis:
    """What all these traces tell together."""
    analysing = Analysing(edges)
    for spans in traces:
        analysing.add(spans)
    return analysing.result()


def change(one: Analysis, other: Analysis) -> AnalysisChange:
    """Two analyses beside each other, by the segments of all their traces; largest change first."""
    means = [
        {(share.label, share.what): share.mean_us for band in each.bands[:1] for share in band.shares}
        for each in (one, other)
    ]
    changes = [
        SegmentChange(label, what, means[0].get((label, what)), means[1].get((label, what)))
        for label, what in {**means[0], **means[1]}
    ]
    return AnalysisChange(one, other, tuple(sorted(changes, key=_by_size)))


def _by_size(change: SegmentChange) -> tuple[float, str, str]:
    return -abs((change.other_us or 0.0) - (change.one_us or 0.0)), change.label, change.what


def _edges(counted: Counter[Edge]) -> tuple[MissingEdge, ...]:
    return tuple(MissingEdge(*edge, n) for edge, n in sorted(counted.items(), key=lambda each: (-each[1], each[0])))


def _hop(edge: Edge, columns: HopColumns) -> HopAnatomy:
    ordered = np.sort(numbers(columns.us))
    n, total_us = len(ordered), int(ordered.sum())
    parts = []
    for what, column in columns.parts.items():
        times = np.sort(numbers(column))
        sum_us = int(times.sum())
        known = microseconds(times, 500), microseconds(times, 990)
        parts.append(HopPart(what, len(times), sum_us / n, *known, sum_us / total_us))
    return HopAnatomy(
        *edge,
        n=n,
        failed=columns.failed,
        skewed=columns.skewed,
        mean_us=total_us / n if n else None,
        p50_us=microseconds(ordered, 500),
        p99_us=microseconds(ordered, 990),
        parts=tuple(sorted(parts, key=lambda part: (-part.mean_us, part.what))),
    )
