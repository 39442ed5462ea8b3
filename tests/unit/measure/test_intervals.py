"""An interval holds the truth as often as it says: by exact arithmetic, and in simulation, heavy tails included."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from toolkit.measure import intervals
from toolkit.measure.intervals import (
    bca,
    bootstrapped_quantile,
    effective,
    known,
    mean,
    of_trials,
    quantile,
    rank,
    ranks,
    replicas,
    share_of,
    student,
)
from toolkit.verdicts import Interval

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
NORMAL = NormalDist()

# From scipy.stats (1.17): the probability that a Binomial(n, p) is in [low, high), for the ranks that `ranks` gives.
REFERENCE = [
    (50, 0.50, (18, 32), 0.951126),
    (200, 0.50, (86, 114), 0.951999),
    (200, 0.95, (183, 196), 0.961464),
    (1000, 0.50, (470, 532), 0.950015),
    (1000, 0.95, (937, 964), 0.950417),
    (1000, 0.99, (983, 996), 0.957481),
    (5000, 0.99, (4937, 4965), 0.953034),
    (20_000, 0.50, (9858, 10_136), 0.950398),
    (20_000, 0.99, (19_770, 19_826), 0.950474),
    (100_000, 0.95, (94_868, 95_139), 0.950478),
]
STUDENT = [  # scipy.stats.t.ppf(0.975, freedom)
    (1, 12.706205), (2, 4.302653), (2.5, 3.574655), (3, 3.182446), (4, 2.776445), (7.3, 2.345067), (9, 2.262157),
    (30, 2.042272),
]  # fmt: skip


def exactly(n: int, share: float, low: int, high: int) -> float:
    """P(low <= B < high) for a binomial B, in whole-number arithmetic."""
    per_hundred = round(share * 100)
    hits = sum(math.comb(n, k) * per_hundred**k * (100 - per_hundred) ** (n - k) for k in range(low, high))
    return hits / 100**n


@pytest.mark.parametrize(("n", "share", "wanted", "covered"), REFERENCE)
def test_ranks_hold_the_quantile_as_often_as_a_reference_says(
    n: int, share: float, wanted: tuple[int, int], covered: float
) -> None:
    assert ranks(n, share) == wanted
    if n <= 1000:
        assert exactly(n, share, *wanted) == pytest.approx(covered, abs=1e-6)


@given(st.integers(20, 400), st.sampled_from([0.5, 0.75, 0.9, 0.95]))
def test_ranks_never_promise_more_than_they_hold(n: int, share: float) -> None:
    if (found := ranks(n, share)) is not None:
        assert 1 <= found[0] < found[1] <= n
        assert exactly(n, share, *found) >= 0.95


@pytest.mark.parametrize(("n", "share"), [(0, 0.5), (1, 0.5), (5, 0.5), (60, 0.95), (300, 0.99), (10, 0.0), (10, 1.0)])
def test_too_few_samples_have_no_interval(n: int, share: float) -> None:
    assert ranks(n, share) is None
    assert quantile(np.arange(n, dtype=float), share) is None


def test_a_rank_counts_from_one_and_is_not_taken_for_a_place_that_counts_from_zero() -> None:
    """The mistake is a real one: SeBS indexes an array with the ranks as they are, and so sits one sample too high."""
    found = quantile(np.random.default_rng(3).permutation(np.arange(1.0, 1001.0)), 0.99)
    assert found is not None
    assert (found.low, found.high) == (983.0, 996.0), "the value of each sample is its rank"


@pytest.mark.parametrize("n", [20, 30])
def test_ranks_that_sit_one_too_high_would_be_noticed(n: int) -> None:
    """The mutation keeps the promise no more, and puts what it misses on one side."""
    low, high = ranks(n, 0.5) or (0, 0)
    assert exactly(n, 0.5, low, high) >= 0.95
    assert exactly(n, 0.5, low + 1, high + 1) < 0.95
    assert exactly(n, 0.5, 0, low + 1) > 0.0375


def test_the_nearest_rank_is_computed_in_whole_numbers() -> None:
    assert [rank(20, 0.95), rank(1000, 0.99), rank(3, 0.5), rank(1, 0.5), rank(100, 0.29)] == [19, 990, 2, 1, 29]


@pytest.mark.parametrize(("freedom", "bound"), STUDENT)
def test_students_bound_is_that_of_a_reference(freedom: float, bound: float) -> None:
    assert student(0.95, freedom) == pytest.approx(bound, abs=1e-5)


def lognormal(random: np.random.Generator, n: int) -> Floats:
    return random.lognormal(0.0, 2.0, n)


def pareto(random: np.random.Generator, n: int) -> Floats:
    return 1.0 + random.pareto(1.5, n)


def bimodal(random: np.random.Generator, n: int) -> Floats:
    """Nine calls in ten are quick, the tenth meets something; each mode is narrow."""
    slow = random.random(n) < 0.1
    return np.where(slow, random.normal(100.0, 3.0, n), random.normal(10.0, 1.0, n))


def true_bimodal(share: float) -> float:
    low, high = 0.0, 200.0
    while high - low > 1e-9:
        at = (low + high) / 2
        below = 0.9 * NORMAL.cdf(at - 10.0) + 0.1 * NORMAL.cdf((at - 100.0) / 3.0)
        low, high = (at, high) if below < share else (low, at)
    return high


TRUE: dict[str, tuple[Draw, Callable[[float], float]]] = {
    "lognormal, sigma 2": (lognormal, lambda share: math.exp(2.0 * NORMAL.inv_cdf(share))),
    "Pareto, alpha 1.5": (pareto, lambda share: (1 - share) ** (-1 / 1.5)),
    "bimodal": (bimodal, true_bimodal),
}
REPETITIONS = {1_000: 4000, 5_000: 2500, 20_000: 1500}  # a Monte-Carlo error of 0.35 to 0.6 percentage points


@pytest.mark.parametrize("n", REPETITIONS)
@pytest.mark.parametrize("name", TRUE)
def test_intervals_cover_the_true_quantile_in_93_to_97_of_100_runs(name: str, n: int) -> None:
    draw, true = TRUE[name]
    random, times = np.random.default_rng(n), REPETITIONS[n]
    covered = dict.fromkeys((0.5, 0.95, 0.99), 0)
    for _ in range(times):
        values = draw(random, n)
        ordered = np.sort(values)
        for share in covered:
            found = quantile(values, share, ordered=ordered)
            covered[share] += found is not None and found.low <= true(share) <= found.high
    assert all(0.93 <= hits / times <= 0.97 for hits in covered.values()), {k: v / times for k, v in covered.items()}


def correlated(random: np.random.Generator, n: int, runs: int, memory: float) -> Floats:
    """An autoregressive series a column; each value is standard normal, and remembers its neighbour."""
    noise = random.standard_normal((n, runs))
    found = np.empty_like(noise)
    found[0] = noise[0]
    for at in range(1, n):
        found[at] = memory * found[at - 1] + math.sqrt(1 - memory**2) * noise[at]
    return found


@pytest.mark.parametrize(("share", "at_least"), [(0.5, 0.88), (0.99, 0.88)])
def test_serial_correlation_widens_an_interval_that_would_else_be_far_too_narrow(share: float, at_least: float) -> None:
    runs, n = 400, 10_000
    series, true = correlated(np.random.default_rng(8), n, runs, 0.9), NORMAL.inv_cdf(share)
    covered = naive = 0
    low, high = ranks(n, share) or (0, 0)
    for each in series.T:
        found, ordered = quantile(each, share), np.sort(each)
        covered += found is not None and found.low <= true <= found.high
        naive += bool(ordered[low - 1] <= true <= ordered[high - 1])
    assert naive / runs < 0.70, "what the textbook's interval for independent samples covers"
    assert covered / runs >= at_least


def test_a_stall_counts_as_one_event_and_not_as_a_hundred() -> None:
    """100 calls in a row that waited for the same stall say nothing about how often there are stalls."""
    values = np.random.default_rng(1).lognormal(0.0, 0.2, 10_000)
    assert quantile(values, 0.99) is not None
    values[5000:5150] += np.linspace(1000.0, 0.0, 150)
    assert quantile(values, 0.99) is None
    assert quantile(values, 0.50) is not None


def test_independent_hits_are_worth_about_their_number() -> None:
    hits = np.random.default_rng(4).random((300, 2000)) < 0.05
    worth = [effective(each) for each in hits]
    assert max(worth) == 2000
    assert float(np.median(worth)) > 1700


def test_hits_in_a_row_are_worth_less() -> None:
    hits = np.zeros(2000, dtype=np.bool_)
    hits[700:800] = True
    assert effective(hits) < 50


@pytest.mark.parametrize("values", [[], [1.0], [5.0] * 3])
def test_few_values_have_a_distribution_and_no_intervals(values: list[float]) -> None:
    found = known(values)
    assert (found is None) == (not values)
    assert found is None or found.ci95 is None


def test_a_distribution_tells_the_intervals_of_the_quantiles_it_tells() -> None:
    found = known(np.random.default_rng(2).permutation(np.arange(1.0, 1001.0)))
    assert found is not None
    assert found.ci95 is not None
    assert list(found.ci95) == ["p50", "p95", "p99"]
    assert all(low <= getattr(found, name) <= high for name, (low, high) in found.ci95.items())
    few = known(np.random.default_rng(2).random(300))
    assert few is not None
    assert list(few.ci95 or {}) == ["p50", "p95"], "300 calls are too few for a p99"


def test_equal_values_have_an_interval_of_no_width() -> None:
    found = quantile(np.full(100, 7.0), 0.5)
    assert found is not None
    assert (found.low, found.high) == (7.0, 7.0)


def test_replicas_are_distributed_as_resampling_would_have_them() -> None:
    random, ordered = np.random.default_rng(6), np.sort(np.random.default_rng(5).lognormal(0, 1, 200))
    quick = np.sort(replicas(ordered, 0.9, random, 4000))
    resampled = np.sort(np.sort(random.choice(ordered, (4000, 200)), axis=1)[:, 179])
    apart = np.abs(
        np.searchsorted(quick, ordered, side="right") - np.searchsorted(resampled, ordered, side="right")
    ).max()
    assert apart / 4000 < 1.63 * math.sqrt(2 / 4000), "Kolmogorov and Smirnov at 1 %"


def test_a_bootstrapped_quantile_covers_as_well() -> None:
    random, covered = np.random.default_rng(9), 0
    for _ in range(500):
        found = bootstrapped_quantile(random.lognormal(0.0, 2.0, 1000), 0.95)
        covered += found is not None and found.low <= math.exp(2 * NORMAL.inv_cdf(0.95)) <= found.high
    assert 0.93 <= covered / 500 <= 0.98
    assert bootstrapped_quantile(random.random(150), 0.95) is None


def test_the_accelerated_bootstrap_agrees_with_a_reference() -> None:
    """scipy.stats.bootstrap(x, np.mean, method="BCa", n_resamples=20000) says 0.8229 to 1.4401."""
    found = bca(np.random.default_rng(5).lognormal(0, 1, 50))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.8229, abs=0.02), pytest.approx(1.4401, abs=0.03))
    assert bca(np.array([1.0, 2.0])) is None
    assert bca(np.full(10, 3.0)) == Interval(3.0, 3.0, 0.95, "bootstrap (BCa)"), "nothing varies"


def test_a_mean_is_told_from_batches_of_neighbours() -> None:
    series = correlated(np.random.default_rng(11), 5000, 300, 0.8)
    covered = sum(found.low <= 0 <= found.high for each in series.T if (found := mean(each)) is not None)
    assert 0.91 <= covered / 300 <= 0.98
    assert mean(np.arange(30.0)) is None


def test_trials_have_students_interval() -> None:
    found = of_trials([1.0, 2.0, 3.0])
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(2 - 2.48414, abs=1e-4), pytest.approx(2 + 2.48414, abs=1e-4))
    assert of_trials([1.0]) is None


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),  # scipy.stats.binomtest(hits, n).proportion_ci()
    [(0, 100, 0.0, 0.036217), (100, 100, 0.963783, 1.0), (1, 100, 0.000253, 0.054459), (50, 1000, 0.037335, 0.065390)],
)
def test_a_share_has_the_exact_interval(hits: int, n: int, low: float, high: float) -> None:
    found = share_of(hits, n)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_no_calls_have_no_share() -> None:
    assert share_of(0, 0) is None


def test_five_million_samples_take_a_second_or_so() -> None:
    """Not timed here; but no step may be quadratic, or this would not come back."""
    assert intervals.ranks(5_000_000, 0.99) is not None
    assert quantile(np.random.default_rng(1).random(1_000_000), 0.99) is not None
