"""Of many traces, what functions sent several times at once: how much of the branches' work went on side by side.

May live here: pure functions of columns. What one handling's branches had in common is found in `traces.overlap`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.analysis import Extent, FanSpread
from toolkit.measure.rows import Numbers
from toolkit.measure.trace_columns import FanColumns, Fanned, Pool, numbers


def spreads(pool: Pool) -> tuple[FanSpread, ...]:
    """By the sender's name; what it sent over one edge before all that it sent together."""
    return tuple(_spread(*each, pool) for each in sorted(pool.fans.items(), key=_by_name))


def _by_name(item: tuple[Fanned, FanColumns]) -> tuple[str, bool, tuple[str, ...]]:
    (source, edge), _ = item
    return source, edge is None, edge or ()


def _spread(fanned: Fanned, columns: FanColumns, pool: Pool) -> FanSpread:
    source, edge = fanned
    share, wall_us, slowest_us = numbers(columns.share), numbers(columns.wall_us), numbers(columns.slowest_us)
    worst = np.unique(numbers(columns.traces)[share == share.min()])
    return FanSpread(
        source=source,
        to=edge and edge[1],
        via=edge and edge[2],
        n=len(share),
        branches=_extent(numbers(columns.branches)),
        at_once=_extent(numbers(columns.at_once)),
        share=_extent(share),
        wall_us=_extent(wall_us),
        slowest_us=_extent(slowest_us),
        stretch=_extent(wall_us / slowest_us),
        trace=min(pool.traces.ids[at] for at in worst.tolist()),
    )


def _extent(values: Numbers | NDArray[np.float64]) -> Extent:
    return Extent(values.min().item(), float(np.median(values)), values.max().item())
