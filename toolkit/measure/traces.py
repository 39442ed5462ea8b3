"""Where the time of many traces went. One trace after the other goes in, and leaves a few numbers behind.

May live here: adding up, and what is told of the sums. What one trace tells is found in `toolkit.traces`, bands are
`bands`'. Pure: whoever reads a million spans from a file hands them over trace by trace, and two who did can put
theirs together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from toolkit.analysis import (
    APART,
    Analysis,
    AnalysisChange,
    Apart,
    Completeness,
    HopAnatomy,
    HopPart,
    MissingEdge,
    SegmentChange,
    Skew,
)
from toolkit.measure import bands, fans
from toolkit.measure.bands import Ranked, microseconds
from toolkit.measure.trace_columns import HopColumns, Label, Pool, numbers
from toolkit.traces import overlap, view
from toolkit.traces.anatomy import HopTime, anatomy
from toolkit.traces.complete import Shown, shown
from toolkit.traces.critical import critical_path
from toolkit.traces.model import Edge, Span
from toolkit.traces.skew import Offsets
from toolkit.traces.view import View


class Analysing:
    """Takes traces one by one. With `edges`, those of the chain and the caller's own, each is held against them; told
    how often, as of `shown`.

    Failed and cold traces are kept apart, but for those to `pool` with the others.
    """

    def __init__(self, edges: Collection[Edge] | None = None, pool: Collection[Apart] = ()) -> None:
        self._edges = None if edges is None else edges if isinstance(edges, Mapping) else dict.fromkeys(edges, 1)
        self._pool = frozenset(pool)
        self._pools: dict[Apart | None, Pool] = {kind: Pool() for kind in (None, *APART)}
        self._missing: Counter[Edge] = Counter()
        self._unknown: Counter[Edge] = Counter()
        self._failed: Counter[Edge] = Counter()
        self._clocks = Offsets()
        self._unusable = self._orphans = self._complete = 0

    def __len__(self) -> int:
        """The traces that were taken, with those that are of no use."""
        return sum(map(len, self._pools.values())) + self._unusable

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
        failed = seen.failed
        pool = self._pools["failed" if failed else "cold" if seen.cold else None]
        pool.spans += len(seen.spans)
        pool.path.append(len(pool), path)
        pool.traces.append(seen.trace, sum(path.values()), failed)
        self._clocks.add(seen)
        for hop in anatomy(seen):
            _cross(pool.hops[hop.source, hop.to, hop.via], hop)
        for fan in overlap.fans(seen):
            pool.fans[fan.source, fan.edge].append(len(pool) - 1, fan.overlap)

    def _hold_against(self, found: Shown) -> None:
        self._complete += found.complete
        self._missing.update(dict.fromkeys(found.missing, 1))  # traces, not messages
        self._unknown.update(dict.fromkeys(found.unknown, 1))
        self._failed.update(dict.fromkeys(found.failed, 1))
        self._orphans += found.orphans

    def merge(self, other: Analysing) -> None:
        """Take all that another one took, who was told of the same edges. In which order this is done is no matter."""
        for kind, pool in other._pools.items():
            self._pools[kind].extend(pool)
        self._clocks.merge(other._clocks)
        self._missing.update(other._missing)
        self._unknown.update(other._unknown)
        self._failed.update(other._failed)
        self._unusable += other._unusable
        self._orphans += other._orphans
        self._complete += other._complete

    def result(self) -> Analysis:
        """What the traces so far tell; more may be added afterwards."""
        pool, pooled = self._chosen()
        ranked = Ranked(pool.traces)
        aside = {kind: Ranked(self._pools[kind].traces) for kind in APART}
        return Analysis(
            traces=len(ranked),
            spans=pool.spans,
            unusable=self._unusable,
            durations_us=bands.spread(ranked.durations_us),
            exemplars=bands.exemplars(ranked),
            bins=bands.bins(ranked),
            bands=bands.bands(ranked, pool.path),
            hops=tuple(self._hops(pool)),
            skews=tuple(Skew(**asdict(each)) for each in self._clocks.disagreeing()),
            completeness=None if self._edges is None else self._completeness(),
            failed=len(aside["failed"]),
            cold=len(aside["cold"]),
            failed_us=bands.spread(aside["failed"].durations_us),
            cold_us=bands.spread(aside["cold"].durations_us),
            pooled=pooled,
            fans=fans.spreads(pool),
        )

    def _chosen(self) -> tuple[Pool, tuple[Apart, ...]]:
        """The traces that most numbers are of; when all are apart, these."""
        pool: frozenset[Apart] = self._pool
        if not len(self._pools[None]) and not any(len(self._pools[kind]) for kind in pool):
            pool = frozenset(APART)
        pooled = tuple(kind for kind in APART if kind in pool and len(self._pools[kind]))
        if not pooled:
            return self._pools[None], ()
        whole = Pool()
        for kind in (None, *pooled):
            whole.extend(self._pools[kind])
        return whole, pooled

    def _hops(self, pool: Pool) -> Iterator[HopAnatomy]:
        edges = {edge for each in self._pools.values() for edge, hop in each.hops.items() if hop.failed} | {*pool.hops}
        for edge in sorted(edges):
            failed = sum(each.hops[edge].failed for each in self._pools.values() if edge in each.hops)
            yield _hop(edge, pool.hops.get(edge) or HopColumns(), failed)

    def _completeness(self) -> Completeness:
        return Completeness(
            traces=len(self),
            complete=self._complete,
            missing=_edges(self._missing),
            unknown=_edges(self._unknown),
            orphans=self._orphans,
            failed=_edges(self._failed),
        )


def _cross(columns: HopColumns, hop: HopTime) -> None:
    if hop.failed:
        columns.failed += 1
    elif hop.attempt > 1:
        columns.repeated += 1
    elif hop.duration_us < 0:
        columns.skewed += 1
    else:
        columns.append(hop.duration_us, hop.parts)


def analyse(
    traces: Iterable[Sequence[Span]], edges: Collection[Edge] | None = None, pool: Collection[Apart] = ()
) -> Analysis:
    """What all these traces tell together."""
    analysing = Analysing(edges, pool)
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


def _hop(edge: Edge, columns: HopColumns, failed: int) -> HopAnatomy:
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
        failed=failed,
        skewed=columns.skewed,
        mean_us=total_us / n if n else None,
        p50_us=microseconds(ordered, 500),
        p99_us=microseconds(ordered, 990),
        parts=tuple(sorted(parts, key=lambda part: (-part.mean_us, part.what))),
        repeated=columns.repeated,
    )
