"""How sure a number is: intervals for quantiles, means and shares of one run. Pure; samples in, `Interval` out.

May live here: intervals of one sample. May not: comparing two (`comparison`), or files.

Calls of one run are not independent of each other: a queue, a stall or a garbage collection hits neighbours together.
So samples come *in the order of their due times*, the variance of what is counted is measured over batches of
neighbours, and as many independent calls are assumed as would vary so much (the design effect of survey statistics;
Woodruff 1952). What an interval of one run cannot cover is what differs between runs. See docs/statistics.md.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.measure.quantiles import BEYOND, quantiles
from toolkit.results import Quantiles
from toolkit.verdicts import Interval

Floats = NDArray[np.float64]
Ranks = tuple[int, int]

CONFIDENCE = 0.95
TOLD = {"p50": 0.50, "p95": 0.95, "p99": 0.99}  # whose intervals stand in a report
BATCHES = 20
REPLICATES = 4000
LOPSIDED = 1.5  # times its half is the most that one tail of an interval takes
SIGMAS = 12.0  # of a binomial distribution that are looked at; beyond is nothing


def known(values: Sequence[float] | Floats) -> Quantiles | None:
    """The distribution of `values`, which are in the order of their due times, with intervals; None without values."""
    samples = np.asarray(values, dtype=np.float64)
    found = quantiles(samples.tolist())
    return None if found is None else with_intervals(found, samples, np.sort(samples))


def with_intervals(found: Quantiles, values: Floats, ordered: Floats) -> Quantiles:
    """The same with `ci95`, from the values in the order of their due times, and sorted; all of one unit."""
    spans = {}
    for name, share in TOLD.items():
        if getattr(found, name) is not None and (interval := quantile(values, share, ordered=ordered)) is not None:
            spans[name] = (interval.low, interval.high)
    return dataclasses.replace(found, ci95=spans or None)


def quantile(
    values: Floats, share: float, confidence: float = CONFIDENCE, *, ordered: Floats | None = None
) -> Interval | None:
    """Between two order statistics, for `values` in the order of their due times; None when they are too few."""
    rising = np.sort(values) if ordered is None else ordered
    if len(rising) == 0:
        return None
    n, at = len(rising), rank(len(rising), share)
    between = ranks(n, share, confidence)
    factor = n / effective(values > rising[at - 1])
    if between is None or (spread := _spread(between, at, factor, n)) is None:
        return None
    low, high = spread
    method = "order statistics" if spread == between else "order statistics, widened for serial correlation"
    return Interval(float(rising[low - 1]), float(rising[high - 1]), confidence, method)


def bounds(values: Floats, share: float, confidence: float = CONFIDENCE) -> Interval | None:
    """As `quantile`, but an end that serial correlation puts beyond all samples is infinite, or nothing, not unknown.

    For those who ask whether a quantile is below a limit: one of the ends may be enough. Samples may be infinite.
    """
    rising = np.sort(values)
    n = len(rising)
    if n == 0 or (between := ranks(n, share, confidence)) is None:
        return None
    at = rank(n, share)
    wide = math.sqrt(n / effective(values >= rising[at - 1]))
    low, high = at - round((at - between[0]) * wide), at + round((between[1] - at) * wide)
    least = float(rising[low - 1]) if low >= 1 else 0.0
    most = float(rising[high - 1]) if high <= n else math.inf
    return Interval(least, most, confidence, "order statistics")


def rank(n: int, share: float) -> int:
    """From 1: the nearest rank of a quantile, in whole numbers because 0.95 * n is not always what it looks like."""
    return max(1, -(-n * round(share * 1_000_000) // 1_000_000))


def ranks(n: int, share: float, confidence: float = CONFIDENCE) -> Ranks | None:
    """The ranks (from 1) of two order statistics with the quantile between them; None when n is too small.

    How many of n samples are below the quantile is binomial: the interval from the j-th to the k-th holds it with
    P(j <= B < k), whatever the distribution (Le Boudec, Performance Evaluation, 2.2). Of the nearest such pairs it is
    the one that is least above the confidence, since ranks are whole; neither tail has much more than its half.
    """
    if n < 1 or not 0 < share < 1:
        return None
    first, pmf = _binomial(n, share)
    below = np.concatenate(([0.0], np.cumsum(pmf)))  # P(B < first + i)
    most = LOPSIDED * (1 - confidence) / 2
    lows = np.flatnonzero(below <= most)
    highs = np.searchsorted(below, below[lows] + confidence, side="left")
    good = (highs < len(below)) & (1 - below[np.minimum(highs, len(pmf))] <= most)
    good &= (lows + first >= 1) & (highs + first <= n)
    lows, highs = lows[good], highs[good]
    if len(lows) == 0:
        return None
    covered, uneven = below[highs] - below[lows], np.abs(below[lows] - (1 - below[highs]))
    best = np.lexsort((uneven, covered.round(3), highs - lows))[0]
    return first + int(lows[best]), first + int(highs[best])


def _binomial(n: int, share: float) -> tuple[int, Floats]:
    """Where the distribution's visible part begins, and the probabilities from there on."""
    wide = SIGMAS * math.sqrt(n * share * (1 - share)) + SIGMAS
    first, last = max(0, math.floor(n * share - wide)), min(n, math.ceil(n * share + wide))
    k = np.arange(first, last + 1, dtype=np.float64)
    steps = np.log((n - k[:-1]) / (k[:-1] + 1)) + math.log(share / (1 - share))
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    found = np.exp(logs - logs.max())
    return first, found / found.sum()


def _spread(between: Ranks, at: int, factor: float, n: int) -> Ranks | None:
    """Ranks as far from the quantile's own as `factor` times the variance puts them; None when there are none."""
    wide = math.sqrt(factor)
    low, high = at - round((at - between[0]) * wide), at + round((between[1] - at) * wide)
    return (low, high) if low >= 1 and high <= n else None


def effective(hits: NDArray[np.bool_]) -> float:
    """How many independent samples are worth as much as these, which are in order; at most their number.

    The number of hits in batches of neighbours varies as binomial numbers do, or by a factor more: the design effect.
    """
    n = len(hits)
    size = n // BATCHES
    share = float(hits.mean()) if n else 0.0
    if size < 2 or not 0 < share < 1:
        return float(n)
    counts = hits[: size * BATCHES].reshape(BATCHES, size).sum(axis=1)
    factor = float(counts.var(ddof=1)) / (size * share * (1 - share))
    return max(1.0, n / max(1.0, factor))


def mean(values: Floats, confidence: float = CONFIDENCE) -> Interval | None:
    """Student's, of the means of batches of neighbours; None with fewer than 2 values a batch.

    Tails so heavy that their variance is infinite have no mean that a sample could tell; quantiles are for those.
    """
    size = len(values) // BATCHES
    if size < 2:
        return None
    means = values[: size * BATCHES].reshape(BATCHES, size).mean(axis=1)
    return of_trials(means, confidence, method="batch means")


def of_trials(
    values: Sequence[float] | Floats, confidence: float = CONFIDENCE, *, method: str = "Student's t over trials"
) -> Interval | None:
    """Of the mean of independent values, one a trial; None with fewer than two."""
    each = np.asarray(values, dtype=np.float64)
    if len(each) < 2:
        return None
    half = student(confidence, len(each) - 1) * float(each.std(ddof=1)) / math.sqrt(len(each))
    return Interval(float(each.mean()) - half, float(each.mean()) + half, confidence, method)


def share_of(hits: int, n: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Clopper's and Pearson's, of a share: `hits` of `n` independent calls; None without calls. Exact."""
    if n < 1:
        return None
    tail = (1 - confidence) / 2
    low = _where(lambda share: 1 - _upto(hits - 1, n, share) >= tail) if hits > 0 else 0.0
    high = _where(lambda share: _upto(hits, n, share) < tail) if hits < n else 1.0
    return Interval(low, high, confidence, "Clopper and Pearson")


def _upto(k: int, n: int, share: float) -> float:
    """P(B <= k)."""
    first, pmf = _binomial(n, share)
    return float(pmf[: max(0, k - first + 1)].sum())


def _where(holds: Callable[[float], bool]) -> float:
    """The least share from which on it holds."""
    low, high = 0.0, 1.0
    while high - low > 1e-12 and high - low > 1e-7 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return (low + high) / 2


def replicas(
    ordered: Floats, share: float, random: np.random.Generator, number: int, *, alike: float | None = None
) -> Floats:
    """`number` bootstrap replicas of a quantile of sorted samples, without resampling them.

    The r-th smallest of n samples drawn again is the sample at the place ceil(n U), where U is the r-th smallest of n
    uniform numbers: Beta(r, n - r + 1). `alike` takes the place of n where calls hang together.
    """
    n = len(ordered)
    worth = float(n) if alike is None else alike
    r = max(1.0, math.ceil(worth * share - 1e-9))
    places = random.beta(r, max(worth - r, 0.0) + 1.0, size=number)
    found: Floats = ordered[np.minimum(np.ceil(places * n).astype(np.int64), n) - 1]
    return found


def bootstrapped_quantile(
    values: Floats, share: float, confidence: float = CONFIDENCE, seed: int = 1
) -> Interval | None:
    """The percentile interval; None with fewer than `BEYOND` samples beyond the quantile."""
    if len(values) - rank(max(1, len(values)), share) < BEYOND:
        return None
    ordered = np.sort(values)
    alike = effective(values > ordered[rank(len(ordered), share) - 1])
    found = replicas(ordered, share, np.random.default_rng(seed), REPLICATES, alike=alike)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), confidence, "bootstrap (percentile)")


def bca(
    values: Floats, statistic: Callable[..., ArrayLike] = np.mean, confidence: float = CONFIDENCE, seed: int = 1
) -> Interval | None:
    """Efron's bias-corrected and accelerated interval of any `statistic(values, axis=…)`; for up to some 10,000
    independent values. None with fewer than 3, or when nothing varies enough to tell."""
    n = len(values)
    if n < 3:
        return None
    random, normal = np.random.default_rng(seed), NormalDist()
    drawn = [np.asarray(statistic(values[random.integers(0, n, (50, n))], axis=1)) for _ in range(REPLICATES // 50)]
    found, centre = np.sort(np.concatenate(drawn)), float(np.asarray(statistic(values, axis=0)))
    under = (float((found < centre).sum()) + float((found == centre).sum()) / 2) / len(found)
    if not 0 < under < 1:
        return None
    bias, grows = normal.inv_cdf(under), _acceleration(values, statistic)
    ends = []
    for z in (normal.inv_cdf((1 - confidence) / 2), normal.inv_cdf((1 + confidence) / 2)):
        at = normal.cdf(bias + (bias + z) / (1 - grows * (bias + z)))
        ends.append(float(np.quantile(found, at)))
    return Interval(ends[0], ends[1], confidence, "bootstrap (BCa)")


def _acceleration(values: Floats, statistic: Callable[..., ArrayLike]) -> float:
    """By the jackknife: how the statistic's spread grows with its value."""
    left_out = np.array([float(np.asarray(statistic(np.delete(values, at), axis=0))) for at in range(len(values))])
    off = left_out.mean() - left_out
    spread = float((off**2).sum()) ** 1.5
    return float((off**3).sum()) / (6 * spread) if spread > 0 else 0.0


def student(confidence: float, freedom: float) -> float:
    """The two-sided bound of Student's t, by bisection of its distribution; `freedom` from 1 on, also fractions."""
    low, high = 0.0, 1e4
    while high - low > 1e-9 * max(1.0, low):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return high


def _within(t: float, freedom: float) -> float:
    """P(|T| <= t): with x = sqrt(freedom) tan(angle) the density is a power of the cosine (Simpson's rule)."""
    angle = math.atan(t / math.sqrt(freedom))
    at = np.linspace(0.0, angle, 2001)
    heights = np.cos(at) ** (freedom - 1)
    weights = np.ones(2001)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    area = float((heights * weights).sum()) * angle / 2000 / 3
    logs = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(math.pi) / 2
    return 2 * area * math.exp(logs)
