"""Many traces by how long they took: bands of percentiles with their critical paths, exemplars, and the distribution.

May live here: pure functions of columns. Sums are of whole microseconds, so that the shares of a band add up to it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toolkit.analysis import Band, Bin, Exemplar, Share
from toolkit.measure.quantiles import BEYOND, quantiles, rank
from toolkit.measure.rows import Numbers
from toolkit.measure.trace_columns import Label, PathColumns, TraceColumns, numbers
from toolkit.results import Quantiles

LIMITS = ((0, 1000), (0, 500), (500, 900), (900, 990), (990, 1000))  # of each band, per mille
EXEMPLARS = (10, 50, 100, 250, 500, 750, 900, 950, 990, 999, 1000)  # per mille
BINS = 60
MOST = np.iinfo(np.int64).max  # microseconds that a column holds


class Ranked:
    """Traces in the order of their durations."""

    def __init__(self, columns: TraceColumns) -> None:
        durations_us = numbers(columns.durations_us)
        self.order = columns.ids.order(durations_us)
        self.durations_us = durations_us[self.order]
        self.failed = numbers(columns.failed)[self.order]
        self._ids = columns.ids

    def __len__(self) -> int:
        return len(self.order)

    def trace(self, rank: int) -> str:
        return self._ids[int(self.order[rank])]


def spread(ordered_us: Numbers) -> Quantiles | None:
    """Quantiles of sorted microseconds; None when there are none."""
    return quantiles(ordered_us.tolist())


def exemplars(ranked: Ranked) -> tuple[Exemplar, ...]:
    """The traces at these percentiles that have `BEYOND` others beyond them, on the nearer side; and the longest."""
    n, found = len(ranked), []
    for per_mille in EXEMPLARS:
        place = rank(n, per_mille)
        beyond = place - 1 if per_mille < 500 else n - place
        if n and (beyond >= BEYOND or per_mille == 1000):
            found.append(Exemplar(per_mille / 1000, ranked.trace(place - 1), int(ranked.durations_us[place - 1])))
    return tuple(found)


def bins(ranked: Ranked, most: int = BINS) -> tuple[Bin, ...]:
    """Up to `most` classes of equal ratio; those without a trace are left out. The trace of each is its middle one."""
    if not len(ranked):
        return ()
    low, high = int(ranked.durations_us[0]), min(int(ranked.durations_us[-1]) + 1, MOST)
    limits = np.geomspace(max(low, 1), high, most + 1)[1:-1]
    inner = np.ceil(np.minimum(limits, np.nextafter(2.0**63, 0))).astype(np.int64)  # rounded, it may lie beyond MOST
    edges = np.unique(np.concatenate(([low], inner[(inner > low) & (inner < high)], [high])))
    upto = np.searchsorted(ranked.durations_us, edges, side="left")
    upto[-1] = len(ranked)  # the last class holds its end where that is MOST
    places = zip(edges[:-1].tolist(), edges[1:].tolist(), upto[:-1].tolist(), upto[1:].tolist(), strict=True)
    return tuple(
        Bin(start, end, after - before, int(ranked.failed[before:after].sum()), ranked.trace((before + after - 1) // 2))
        for start, end, before, after in places
        if before < after
    )


def bands(ranked: Ranked, path: PathColumns) -> tuple[Band, ...]:
    """Those of `LIMITS` that have traces."""
    n = len(ranked)
    rank_of = np.empty(n, np.int64)
    rank_of[ranked.order] = np.arange(n)
    ranks, labels = rank_of[numbers(path.traces)], path.labels.list()
    found = []
    for low, high in LIMITS:
        first, last = -(-n * low // 1000), -(-n * high // 1000)
        if first < last:
            chosen = (ranks >= first) & (ranks < last)
            inside = ranked.durations_us[first:last]
            total, held = int(inside.sum()), numbers(path.label)[chosen]
            shares = _shares(labels, held, numbers(path.us)[chosen], last - first, total)
            limits = int(inside[0]), int(inside[-1])
            found.append(Band(low / 1000, high / 1000, last - first, *limits, total / (last - first), shares))
    return tuple(found)


def _shares(labels: list[Label], held: Numbers, us: Numbers, n: int, total_us: int) -> tuple[Share, ...]:
    found = [
        Share(
            label=labels[number][0],
            what=labels[number][1],
            n=len(ordered),
            mean_us=int(ordered.sum()) / n,
            p50_us=microseconds(ordered, 500),
            p99_us=microseconds(ordered, 990),
            share=int(ordered.sum()) / total_us,
        )
        for number, ordered in _by_label(held, us)
    ]
    return tuple(sorted(found, key=lambda share: (-share.mean_us, share.label, share.what)))


def _by_label(held: Numbers, us: Numbers) -> Iterator[tuple[int, Numbers]]:
    """(label, its times in order)."""
    order = np.lexsort((us, held))
    held, us = held[order], us[order]
    starts = np.flatnonzero(np.concatenate(([True], held[1:] != held[:-1]))) if len(held) else held
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(held)], strict=False):
        yield int(held[start]), us[start:end]


def microseconds(ordered: Numbers, per_mille: int) -> float | None:
    """A quantile of sorted microseconds, if it is known."""
    place = rank(len(ordered), per_mille)
    return float(ordered[place - 1]) if len(ordered) - place >= BEYOND else None
