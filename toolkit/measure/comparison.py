"""B against A: how much slower or faster, how sure that is, and whether it matters. Pure.

May live here: statistics of two sets of runs. May not: reading runs, or whether they may be compared (`likeness`).

A difference is called *worse* or *better* only when the whole interval of the ratio is beyond the minimum effect; all
intervals of one comparison hold together with the stated confidence (Bonferroni). Where a side has several runs, the
spread between them counts, and calls are not pooled: one run, however long, is one sample of a deployment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from toolkit.measure.intervals import CONFIDENCE, Floats, effective, rank, replicas, share_of, student
from toolkit.measure.quantiles import BEYOND
from toolkit.verdicts import Compared, Interval, SecondOpinion, Verdict

MIN_EFFECT = 0.05  # of a ratio
MIN_ERRORS = 0.001  # of the share of calls that were not answered OK, and of the share of answered ones that were cold
REPLICAS = 20_000
CURVE = 1000  # evenly spaced order statistics that stand for all, where every pair is looked at
MAGNITUDES = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))  # Romano et al. 2006
SEED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Of one run: microseconds in the order of due times. `latency` and `completion` are of warm calls answered OK,
    `unanswered` says of each call that was sent whether it failed or was lost, `was_cold` of each answered OK."""

    latency: Floats
    completion: Floats
    cold: Floats
    unanswered: NDArray[np.bool_]
    was_cold: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))


Population = Callable[[Sample], Floats]
QUANTILES: Mapping[str, tuple[Population, float]] = {
    "latency p50": (lambda sample: sample.latency, 0.50),
    "latency p95": (lambda sample: sample.latency, 0.95),
    "latency p99": (lambda sample: sample.latency, 0.99),
    "completion p50": (lambda sample: sample.completion, 0.50),
    "completion p99": (lambda sample: sample.completion, 0.99),
    "cold p50": (lambda sample: sample.cold, 0.50),
}
SHARES: Mapping[str, Callable[[Sample], NDArray[np.bool_]]] = {
    "errors": lambda sample: sample.unanswered,
    "cold calls": lambda sample: sample.was_cold,
}
ALWAYS = (
    "latency p50",
    "latency p95",
    "latency p99",
)  # the others where both sides have them; cold calls where one has


def compare(
    a: Sequence[Sample],
    b: Sequence[Sample],
    *,
    min_effect: float = MIN_EFFECT,
    min_errors: float = MIN_ERRORS,
    confidence: float = CONFIDENCE,
) -> tuple[Compared, ...]:
    """One row a metric; at least one run a side."""
    asked = [name for name in QUANTILES if name in ALWAYS or (known(name, a) and known(name, b))]
    shares = [name for name, hits in SHARES.items() if name == "errors" or any(hits(run).any() for run in (*a, *b))]
    judged = sum(known(name, a) and known(name, b) for name in asked) + len(shares)
    each = 1 - (1 - confidence) / judged
    rows = [_quantile(name, a, b, min_effect, each) for name in asked]
    return (*rows, *(_share(name, a, b, min_errors, each) for name in shares))


def overall(metrics: Sequence[Compared]) -> Verdict:
    """Of all metrics together: one that is worse makes all of it worse."""
    found = [each.verdict for each in metrics]
    if "worse" in found:
        return "worse"
    if "better" in found:
        return "better"
    told = [each for each in metrics if each.metric not in SHARES and each.verdict != "too few samples"]
    return "indistinguishable" if told else "too few samples"


def second_opinion(a: Sequence[Sample], b: Sequence[Sample]) -> SecondOpinion | None:
    """Of the pooled warm latencies; None when a side has none."""
    one, other = (np.sort(np.concatenate([each.latency for each in side])) for side in (a, b))
    if len(one) == 0 or len(other) == 0:
        return None
    under = np.searchsorted(one, other, side="left").sum(dtype=np.float64)
    upto = np.searchsorted(one, other, side="right").sum(dtype=np.float64)
    delta = float(under + upto) / (len(one) * len(other)) - 1.0
    magnitude = next((name for most, name in MAGNITUDES if abs(delta) < most), "large")
    shift = float(np.median(_curve(other)[:, None] - _curve(one)[None, :]))
    return SecondOpinion(delta, magnitude, shift)  # type: ignore[arg-type]  # the table's words are the type's


def _curve(ordered: Floats) -> Floats:
    if len(ordered) <= CURVE:
        return ordered
    places = (np.arange(CURVE) + 0.5) / CURVE * len(ordered)
    found: Floats = ordered[places.astype(np.int64)]
    return found


def known(name: str, side: Sequence[Sample]) -> bool:
    """Whether every run has enough samples beyond the quantile."""
    population, share = QUANTILES[name]
    sizes = [len(population(each)) for each in side]
    return all(size > 0 and size - rank(size, share) >= BEYOND for size in sizes)


def _quantile(name: str, a: Sequence[Sample], b: Sequence[Sample], min_effect: float, confidence: float) -> Compared:
    population, share = QUANTILES[name]
    one, other = ([np.sort(population(each)) for each in side] for side in (a, b))
    if not (known(name, a) and known(name, b)):
        needed = math.ceil(BEYOND / (1 - share) - 1e-9)
        why = f"a run needs {needed:,} calls for it"
        return Compared(name, None, None, None, None, None, "too few samples", False, why, needed)
    left, right = (_centre([each[rank(len(each), share) - 1] for each in side]) for side in (one, other))
    if min(left, right) <= 0:
        return Compared(name, left, right, None, None, None, "too few samples", False, "a time of nothing has no ratio")
    interval = _ratio(one, other, [[population(each) for each in side] for side in (a, b)], share, confidence)
    return _judged(name, left, right, interval, min_effect, max(min(map(len, one)), min(map(len, other))))


def _centre(values: Sequence[float]) -> float:
    """The geometric mean: that of ratios is the ratio of those."""
    return math.exp(math.fsum(math.log(each) for each in values) / len(values)) if min(values) > 0 else 0.0


def _ratio(
    one: Sequence[Floats], other: Sequence[Floats], due: Sequence[Sequence[Floats]], share: float, confidence: float
) -> Interval:
    if len(one) == 1 and len(other) == 1:
        return _within_runs(one[0], other[0], (due[0][0], due[1][0]), share, confidence)
    logs = [np.log([each[rank(len(each), share) - 1] for each in side]) for side in (one, other)]
    return _between_runs(logs[0], logs[1], confidence)


def _within_runs(one: Floats, other: Floats, due: tuple[Floats, Floats], share: float, confidence: float) -> Interval:
    random = np.random.default_rng(SEED)
    found = []
    for ordered, values in zip((one, other), due, strict=True):
        alike = effective(values > ordered[rank(len(ordered), share) - 1])
        found.append(replicas(ordered, share, random, REPLICAS, alike=alike))
    with np.errstate(divide="ignore"):
        ratios = found[1] / found[0]
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), confidence, "bootstrap within one run a side")


def _between_runs(one: Floats, other: Floats, confidence: float) -> Interval:
    """Of a ratio, from logarithms."""
    middle, half = _welch(one, other, confidence)
    return Interval(math.exp(middle - half), math.exp(min(middle + half, 700.0)), confidence, "Welch's t between runs")


def _welch(one: Floats, other: Floats, confidence: float) -> tuple[float, float]:
    """The middle of a difference of means, and half its interval. A side of one run is taken to vary as the other side
    does; one side at least has more."""
    spreads = [float(each.var(ddof=1)) if len(each) > 1 else None for each in (one, other)]
    known = [each for each in spreads if each is not None]
    parts = [(known[0] if each is None else each) / n for each, n in zip(spreads, map(len, (one, other)), strict=True)]
    total = math.fsum(parts)
    if len(known) == 1:
        freedom = float(max(len(one), len(other)) - 1)
    else:
        rest = math.fsum(part**2 / (len(side) - 1) for part, side in zip(parts, (one, other), strict=True))
        freedom = total**2 / rest if rest > 0 else float(len(one) + len(other) - 2)
    return float(other.mean() - one.mean()), student(confidence, max(1.0, freedom)) * math.sqrt(total)


def _judged(name: str, a: float, b: float, interval: Interval, min_effect: float, calls: int) -> Compared:
    most = 1 + min_effect
    equivalent = 1 / most <= interval.low and interval.high <= most
    verdict: Verdict = "worse" if interval.low > most else "better" if interval.high < 1 / most else "indistinguishable"
    needed = None
    why = f"by more than {min_effect:.2g}"
    if verdict == "indistinguishable":
        why = f"within {min_effect:.2g}" if equivalent else "too noisy"
        half = math.log(interval.high / interval.low) / 2 if interval.low > 0 and interval.high > 0 else math.inf
        if not equivalent and interval.method.startswith("bootstrap") and math.isfinite(half):
            needed = max(calls + 1, math.ceil(calls * (half / math.log(most)) ** 2))
    return Compared(name, a, b, b / a, None, interval, verdict, equivalent, why, needed)


def _share(name: str, a: Sequence[Sample], b: Sequence[Sample], least: float, confidence: float) -> Compared:
    """A difference of shares. With several runs a side it is that of the means of the runs' own shares."""
    one, other = ([hits for each in side if len(hits := SHARES[name](each))] for side in (a, b))
    if not one or not other:
        why = f"a side has no calls{'' if name == 'errors' else ' that were answered'}"
        return Compared(name, None, None, None, None, None, "too few samples", False, why)
    shares = [np.array([float(each.mean()) for each in side]) for side in (one, other)]
    left, right = (float(each.mean()) for each in shares)
    interval = _newcombe(np.concatenate(one), np.concatenate(other), confidence)
    if max(len(one), len(other)) > 1:
        interval = _runs_too(interval, shares[0], shares[1])
    low, high = interval.low, interval.high
    verdict: Verdict = "worse" if low > least else "better" if high < -least else "indistinguishable"
    equivalent = -least <= low and high <= least
    why = f"by more than {least:.2g}" if verdict != "indistinguishable" else (
        f"within {least:.2g}" if equivalent else "too few calls" if interval.method == "Newcombe" else "too noisy"
    )  # fmt: skip
    return Compared(name, left, right, None, right - left, interval, verdict, equivalent, why)


def _newcombe(one: NDArray[np.bool_], other: NDArray[np.bool_], confidence: float) -> Interval:
    """Of a difference of shares; hits that came together count as fewer."""
    left, right = float(one.mean()), float(other.mean())
    of_left, of_right = share_of_calls(one, confidence), share_of_calls(other, confidence)
    low = right - left - math.hypot(right - of_right.low, of_left.high - left)
    high = right - left + math.hypot(of_right.high - right, left - of_left.low)
    return Interval(low, high, confidence, "Newcombe")


def _runs_too(of_calls: Interval, one: Floats, other: Floats) -> Interval:
    """No narrower than Welch's of the runs' shares, nor than that of all calls.

    One deployment that fails is one sample that fails. Runs without a hit have no spread, and yet a share that is not
    known exactly: where no run differs from its side's others, what the calls tell is left.
    """
    middle, half = _welch(one, other, of_calls.confidence)
    if half == 0:
        return of_calls
    low, high = min(of_calls.low, middle - half), max(of_calls.high, middle + half)
    return Interval(low, high, of_calls.confidence, "Welch's t between runs, at least Newcombe")


def share_of_calls(unanswered: NDArray[np.bool_], confidence: float) -> Interval:
    """Of the share of calls that were not answered OK (or whatever is asked of each), in the order of due times."""
    n, hits = len(unanswered), int(unanswered.sum())
    alike = effective(unanswered)
    if alike >= n:
        return share_of(hits, n, confidence) or Interval(0.0, 1.0, confidence, "nothing is known")
    fewer, worth = max(1, int(alike)), hits / n * alike
    low, high = (share_of(min(each, fewer), fewer, confidence) for each in (math.floor(worth), math.ceil(worth)))
    if low is None or high is None:
        return Interval(0.0, 1.0, confidence, "nothing is known")
    return Interval(low.low, high.high, confidence, high.method)
