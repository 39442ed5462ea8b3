"""What trials say together covers the truth, whether they differ much or little; calls alone would not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.measure.comparison import Sample
from toolkit.measure.hierarchy import hierarchical, spreads
from toolkit.measure.intervals import of_trials, quantile

NONE = np.empty(0)


def trials(random: np.random.Generator, number: int, between: float, n: int = 200) -> list[Sample]:
    """Deployments that differ by `between`; the true median of all is 1."""
    drawn = [np.exp(random.normal(0, between) + random.normal(0, 0.5, n)) for _ in range(number)]
    return [Sample(each, NONE, NONE, np.zeros(n, dtype=np.bool_)) for each in drawn]


@pytest.mark.parametrize("between", [0.2, 0.02])
@pytest.mark.parametrize("number", [3, 8])
def test_the_interval_over_trials_covers_the_truth(number: int, between: float) -> None:
    random, times, covered = np.random.default_rng(number), 400, 0
    for _ in range(times):
        logs = [math.log(float(np.median(each.latency))) for each in trials(random, number, between)]
        found = of_trials(logs)
        covered += found is not None and found.low <= 0 <= found.high
    assert 0.925 <= covered / times <= 0.975


def test_the_hierarchical_bootstrap_covers_at_least_as_often_as_it_says() -> None:
    random, times, covered, pooled = np.random.default_rng(2), 80, 0, 0
    for _ in range(times):
        values = [each.latency for each in trials(random, 5, 0.1)]
        found, all_at_once = hierarchical(values, 0.5), quantile(np.concatenate(values), 0.5)
        covered += found is not None and found.low <= 1 <= found.high
        pooled += all_at_once is not None and all_at_once.low <= 1 <= all_at_once.high
    assert covered / times >= 0.93
    assert pooled < covered, "calls of all trials in one heap are taken for more than they are worth"


def test_a_group_tells_its_centre_and_how_far_its_trials_are_apart() -> None:
    (p50, *_) = spreads(trials(np.random.default_rng(3), 40, 0.2, 2000))
    assert p50.metric == "latency p50"
    assert p50.trials == 40
    assert p50.centre == pytest.approx(1.0, abs=0.1)
    assert p50.between == pytest.approx(0.2, abs=0.05)
    assert p50.interval is not None
    assert p50.interval.low < p50.centre < p50.interval.high
    assert p50.bootstrap is not None


def test_two_trials_have_a_centre_and_no_interval() -> None:
    (p50, *_) = spreads(trials(np.random.default_rng(3), 2, 0.2))
    assert (p50.interval, p50.bootstrap) == (None, None)
    assert p50.between is not None


def test_a_quantile_that_one_trial_has_too_few_calls_for_is_not_told() -> None:
    random = np.random.default_rng(3)
    found = spreads([*trials(random, 3, 0.1, 2000), *trials(random, 1, 0.1, 300)])
    assert [each.metric for each in found] == ["latency p50", "latency p95"]


def test_no_trials_say_nothing() -> None:
    assert spreads([]) == ()
