"""Order statistics, exact. Microseconds in, `Quantiles` out."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from typing import Any

from toolkit.results import Quantiles

BEYOND = 10  # a quantile needs this many samples beyond it: p99 from 1,000 on, p99.9 from 10,000 on
PER_MILLE = {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p999": 999}
BARS = 12


def quantiles(values: Iterable[float]) -> Quantiles | None:
    """The distribution of `values`; None when there are none.

    A quantile is a sample: the smallest one that at least that share of the samples does not exceed (nearest rank,
    nothing is interpolated). With fewer than `BEYOND` samples beyond it, it is None.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    known: dict[str, Any] = {name: _known(ordered, per_mille) for name, per_mille in PER_MILLE.items()}
    return Quantiles(len(ordered), ordered[0], **known, max=ordered[-1], mean=math.fsum(ordered) / len(ordered))


def at_rank(ordered: Sequence[float], per_mille: int) -> float:
    """The nearest-rank quantile of sorted samples, at least one, however few there are."""
    return ordered[rank(len(ordered), per_mille) - 1]


def _known(ordered: Sequence[float], per_mille: int) -> float | None:
    beyond = len(ordered) - rank(len(ordered), per_mille)
    return at_rank(ordered, per_mille) if beyond >= BEYOND else None


def rank(n: int, per_mille: int) -> int:
    """From 1; in whole numbers, because 0.95 * n is not always what it looks like."""
    return max(1, -(-n * per_mille // 1000))


def histogram(values: Iterable[float], bars: int = BARS) -> tuple[tuple[float, int], ...]:
    """(upper bound, count) of up to `bars` classes of equal ratio; the last bound is the largest sample."""
    ordered = sorted(value for value in values if value >= 0)
    if not ordered:
        return ()
    low, high = max(ordered[0], 1.0), max(ordered[-1], 1.0)
    if high / low < 1.0 + 1e-9:
        return ((high, len(ordered)),)
    ratio = (high / low) ** (1 / bars)
    bounds = [low * ratio ** (k + 1) for k in range(bars - 1)] + [high]
    upto = [bisect.bisect_right(ordered, bound) for bound in bounds[:-1]] + [len(ordered)]
    return tuple((bound, count) for bound, count in zip(bounds, _differences(upto), strict=True))


def _differences(sums: Sequence[int]) -> list[int]:
    return [after - before for before, after in zip([0, *sums], sums, strict=False)]
