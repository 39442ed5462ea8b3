"""Quantiles over trials: the spread between runs counts, and the calls within them. Pure.

May live here: statistics of repeated runs of one thing. May not: comparing two things (`comparison`).

A trial's quantile is one value; the whole has their geometric mean. Its interval is Student's, of the logarithms;
what varies within a trial is in its value already. Beside it stands a bootstrap in two levels, as the data came about:
trials are drawn again, and within each of them calls. It supposes no shape, counts what varies within trials twice, and
so is wider. Few trials make a bootstrap too sure, so its ends are as far out as Student's t is (Hesterberg 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from toolkit.measure.comparison import QUANTILES, Sample, known
from toolkit.measure.intervals import CONFIDENCE, Floats, effective, of_trials, rank, replicas, student
from toolkit.verdicts import Interval, Spread

DRAWN = 20_000
FEWEST = 3  # trials, below which nothing is known of how they differ


def spreads(trials: Sequence[Sample], confidence: float = CONFIDENCE) -> tuple[Spread, ...]:
    """A row for each metric that every trial has enough calls for."""
    names = [name for name in QUANTILES if trials and known(name, trials)]
    found = (_spread(name, trials, confidence) for name in names)
    return tuple(each for each in found if each is not None)


def _spread(name: str, trials: Sequence[Sample], confidence: float) -> Spread | None:
    population, share = QUANTILES[name]
    values = [population(each) for each in trials]
    ordered = [np.sort(each) for each in values]
    own = np.array([float(each[rank(len(each), share) - 1]) for each in ordered])
    if own.min() <= 0:
        return None
    logs = np.log(own)
    between = float(logs.std(ddof=1)) if len(logs) > 1 else None
    centre, drawn = math.exp(float(logs.mean())), hierarchical(values, share, confidence)
    return Spread(name, len(own), centre, between, _student(logs, confidence), drawn)


def _student(logs: Floats, confidence: float) -> Interval | None:
    found = of_trials(logs, confidence) if len(logs) >= FEWEST else None
    if found is None or found.high > 700:  # e^700 is near the largest number there is
        return None
    return Interval(math.exp(found.low), math.exp(found.high), confidence, found.method)


def hierarchical(
    trials: Sequence[Floats], share: float, confidence: float = CONFIDENCE, seed: int = 1
) -> Interval | None:
    """Of the geometric mean of the trials' quantiles; None with fewer than `FEWEST` trials.

    `trials` hold their values in the order of due times. Calls are not drawn one by one: `replicas` has their quantile.
    """
    n = len(trials)
    if n < FEWEST:
        return None
    random = np.random.default_rng(seed)
    drawn = np.empty((n, DRAWN))
    for at, values in enumerate(trials):
        ordered = np.sort(values)
        alike = effective(values > ordered[rank(len(ordered), share) - 1])
        drawn[at] = replicas(ordered, share, random, DRAWN, alike=alike)
    with np.errstate(divide="ignore"):
        logs = np.log(drawn)
    chosen, place = random.integers(0, n, (DRAWN, n)), random.integers(0, DRAWN, (DRAWN, n))
    means = np.sort(logs[chosen, place].mean(axis=1))
    tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * student(confidence, n - 1))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(math.exp(float(low)), math.exp(float(high)), confidence, "hierarchical bootstrap over trials")
