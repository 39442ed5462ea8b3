"""Numbers of a plan: when calls would be due, before anything is sent. Pure; times are nanoseconds after the start."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.planned import Planned, PlannedGaps

SECOND = 1_000_000_000
USUAL = 8  # times the median gap: hardly one in 250 of a Poisson process is longer
FEWEST, PER_STRETCH = 10, 10  # stretches, and calls that one should have for its rate to say something


def planned(due_ns: Sequence[int], length_s: float, *, stretches: int = 60, first: int = 10, bars: int = 12) -> Planned:
    """`due_ns` never decrease, and there is at least one. `length_s` is how long the load is meant to be sent."""
    due = np.asarray(due_ns, dtype=np.int64)
    last_s = float(due[-1]) / SECOND
    whole = max(length_s, last_s)
    return Planned(
        calls=len(due),
        duration_s=whole,
        last_s=last_s,
        mean_rate=len(due) / whole if whole > 0 else None,
        busiest=_busiest(due // SECOND),
        first=tuple(int(each) for each in due[:first]),
        gaps=_gaps(np.diff(due)),
        rate_over_time=_rates(due, whole, max(FEWEST, min(stretches, len(due) // PER_STRETCH))),
        gap_counts=_counts(np.diff(due), bars),
    )


def _busiest(seconds: NDArray[np.int64]) -> int:
    """The length of the longest run of one value; they never decrease."""
    ends = np.append(np.flatnonzero(np.diff(seconds)), len(seconds) - 1)
    return int(np.diff(ends, prepend=-1).max())


def _gaps(gaps: NDArray[np.int64]) -> PlannedGaps | None:
    if len(gaps) == 0:
        return None
    p50, p90, p99 = (float(each) / 1e3 for each in np.quantile(gaps, (0.5, 0.9, 0.99), method="inverted_cdf"))
    mean = float(gaps.mean())
    spread = float(gaps.std()) / mean if mean > 0 else 0.0
    return PlannedGaps(float(gaps.min()) / 1e3, p50, p90, p99, float(gaps.max()) / 1e3, mean / 1e3, spread)


def _rates(due: NDArray[np.int64], whole_s: float, stretches: int) -> tuple[tuple[float, float], ...]:
    """Cut at whole nanoseconds, so that equal distances look equal."""
    step = max(1, math.ceil(whole_s * SECOND / stretches))
    cuts = max(1, math.ceil(whole_s * SECOND / step))
    counts = np.bincount(np.minimum(due // step, cuts - 1), minlength=cuts)
    return tuple(((place + 1) * step / SECOND, int(calls) * SECOND / step) for place, calls in enumerate(counts))


def _counts(gaps: NDArray[np.int64], bars: int) -> tuple[tuple[float, int], ...]:
    """Equally wide over what is usual; the rest, pauses between bursts for example, in one bar more."""
    if len(gaps) == 0:
        return ()
    longest, middle = int(gaps.max()), int(np.quantile(gaps, 0.5, method="inverted_cdf"))
    upto = max(1, min(longest, USUAL * middle if middle > 0 else longest))
    counts, edges = np.histogram(gaps[gaps <= upto], bins=bars, range=(0.0, upto))
    found = [(float(edge) / 1e3, int(count)) for edge, count in zip(edges[1:], counts, strict=True)]
    beyond = int((gaps > upto).sum())
    return (*found, *(((longest / 1e3, beyond),) if beyond else ()))
