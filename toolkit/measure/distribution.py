"""How samples are spread, as few enough points to draw: the curve of percentiles, and a histogram. Exact at each point.

May live here: pure functions of sorted arrays. May not: choosing the samples (`rows`), drawing (`report`).
"""

from __future__ import annotations

import numpy as np

from toolkit.measure.quantiles import BEYOND
from toolkit.measure.rows import Numbers
from toolkit.series import Distribution

TICKS = 24  # points of the curve for each ten times fewer samples beyond: p90, p99, p99.9 …
BARS = 60
NS = 1e3  # in a microsecond


def distribution(ordered_ns: Numbers, bars: int = BARS) -> Distribution | None:
    """That of sorted nanoseconds; None when there are none."""
    n = len(ordered_ns)
    if n == 0:
        return None
    places = ranks(n)
    values = ordered_ns[places - 1] / NS
    curve = tuple((rank / n, value) for rank, value in zip(places.tolist(), values.tolist(), strict=True))
    return Distribution(n, curve, max(0.0, (n - BEYOND) / n), _bars(ordered_ns, bars))


def ranks(n: int) -> Numbers:
    """From 1 to n, evenly spaced on an axis that gives every further nine the same room."""
    decades = np.log10(n) if n > 1 else 0.0
    beyond = np.logspace(0.0, -decades, max(2, round(TICKS * decades) + 1))
    found = np.ceil((1.0 - beyond) * n).astype(np.int64)
    return np.unique(np.concatenate(([1], np.clip(found, 1, n), [n])))


def _bars(ordered_ns: Numbers, bars: int) -> tuple[tuple[float, float, int], ...]:
    """What is shorter than a microsecond stands in the first one."""
    low, high = (max(float(each) / NS, 1.0) for each in (ordered_ns[0], ordered_ns[-1]))
    if high / low < 1.0 + 1e-9:
        return ((low, high, len(ordered_ns)),)
    edges = np.geomspace(low, high, bars + 1)
    upto = np.searchsorted(ordered_ns, edges[1:-1] * NS, side="right")
    counts = np.diff(np.concatenate(([0], upto, [len(ordered_ns)])))
    places = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    return tuple((start, end, count) for start, end, count in places)
