"""A comparison calls a difference when there is one that matters, and else does not; how often is known for both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from toolkit.measure.comparison import Sample, compare, overall, second_opinion
from toolkit.verdicts import Compared

Floats = NDArray[np.float64]
NOTHING: Floats = np.empty(0)


def sample(latency: Floats, *, failed: int = 0, completion: Floats = NOTHING, cold: Floats = NOTHING) -> Sample:
    unanswered = np.zeros(len(latency) + failed, dtype=np.bool_)
    unanswered[np.random.default_rng(failed).choice(len(unanswered), failed, replace=False)] = True
    return Sample(latency, completion, cold, unanswered)


def one(rows: tuple[Compared, ...], metric: str) -> Compared:
    return next(each for each in rows if each.metric == metric)


SHAPES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "lognormal, sigma 0.5": lambda random, n: random.lognormal(8.0, 0.5, n),
    "lognormal, sigma 2": lambda random, n: random.lognormal(8.0, 2.0, n),
    "Pareto, alpha 1.5": lambda random, n: 1000.0 * (1.0 + random.pareto(1.5, n)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_thing_compared_with_itself_is_indistinguishable_in_95_of_100_comparisons(shape: str) -> None:
    draw, random, times = SHAPES[shape], np.random.default_rng(1), 100
    same = 0
    for _ in range(times):
        same += overall(compare([sample(draw(random, 2000))], [sample(draw(random, 2000))])) == "indistinguishable"
    assert same / times >= 0.95


def test_trials_of_a_thing_compared_with_itself_are_indistinguishable_though_deployments_differ() -> None:
    """Each deployment is 5 % faster or slower by itself: one run a side would find differences that are none."""
    random, times, same, naive = np.random.default_rng(2), 100, 0, 0

    def trials(number: int) -> list[Sample]:
        return [sample(np.exp(random.normal(0, 0.05)) * random.lognormal(8, 0.2, 3000)) for _ in range(number)]

    for _ in range(times):
        same += overall(compare(trials(5), trials(5))) == "indistinguishable"
        naive += overall(compare(trials(1), trials(1))) == "indistinguishable"
    assert same / times >= 0.95
    assert naive / times < 0.90, "which is why one run a side comes with a note"


def power(n: int, metric: str, times: int, shift: float = 1.1) -> float:
    """How often a shift of 10 % is found, with a smallest effect of 5 %, in lognormal latencies of sigma 0.5."""
    random, found = np.random.default_rng(3), 0
    for _ in range(times):
        a, b = random.lognormal(8, 0.5, n), shift * random.lognormal(8, 0.5, n)
        found += one(compare([sample(a)], [sample(b)]), metric).verdict == "worse"
    return found / times


def test_a_shift_of_a_tenth_is_found_at_the_stated_power() -> None:
    """docs/statistics.md: 95 % at 10,000 calls a side for p50, 90 % at 60,000 for p99."""
    assert power(10_000, "latency p50", 100) >= 0.95
    assert power(60_000, "latency p99", 60) >= 0.90


def test_what_is_slower_by_less_than_the_smallest_effect_is_not_called_worse() -> None:
    assert power(20_000, "latency p50", 60, shift=1.04) <= 0.03


def test_a_shift_of_a_tenth_is_found_between_trials_that_differ_by_three_hundredths() -> None:
    """docs/statistics.md: 95 % with 20 trials a side of 2,000 calls, where deployments differ by 3 %."""
    random, found, times = np.random.default_rng(4), 0, 100

    def trials(shift: float) -> list[Sample]:
        return [sample(shift * np.exp(random.normal(0, 0.03)) * random.lognormal(8, 0.5, 2000)) for _ in range(20)]

    for _ in range(times):
        found += overall(compare(trials(1.0), trials(1.1))) == "worse"
    assert found / times >= 0.95


def test_what_is_faster_is_better_and_what_is_slower_worse() -> None:
    random = np.random.default_rng(5)
    slow, fast = sample(random.lognormal(8, 0.3, 5000)), sample(random.lognormal(7.5, 0.3, 5000))
    assert overall(compare([slow], [fast])) == "better"
    assert overall(compare([fast], [slow])) == "worse"
    ratio = one(compare([fast], [slow]), "latency p50")
    assert ratio.interval is not None
    assert ratio.ratio is not None
    assert ratio.interval.low < ratio.ratio < ratio.interval.high
    assert ratio.interval.confidence == pytest.approx(1 - 0.05 / 4), "four intervals hold together with 95 %"


def test_a_slower_tail_behind_an_equal_median_is_found() -> None:
    random = np.random.default_rng(6)
    even = random.lognormal(8, 0.2, 20_000)
    tail = np.where(random.random(20_000) < 0.02, 5.0, 1.0) * random.lognormal(8, 0.2, 20_000)
    rows = compare([sample(even)], [sample(tail)])
    assert (one(rows, "latency p50").verdict, one(rows, "latency p99").verdict) == ("indistinguishable", "worse")
    assert overall(rows) == "worse"


def test_equal_runs_that_are_large_enough_are_shown_to_be_alike() -> None:
    random = np.random.default_rng(7)
    a, b = (sample(random.lognormal(8, 0.2, 20_000)) for _ in range(2))
    row = one(compare([a], [b]), "latency p50")
    assert (row.equivalent, row.calls_needed) == (True, None)


def test_equal_runs_that_are_too_small_tell_how_large_they_would_have_to_be() -> None:
    random = np.random.default_rng(8)
    a, b = (sample(random.lognormal(8, 1.0, 300)) for _ in range(2))
    row = one(compare([a], [b]), "latency p50")
    assert (row.verdict, row.equivalent) == ("indistinguishable", False)
    assert row.calls_needed is not None
    assert 2_000 < row.calls_needed < 30_000


def test_a_quantile_of_too_few_calls_is_not_compared() -> None:
    few, many = sample(np.arange(1.0, 500.0)), sample(np.arange(1.0, 5000.0))
    row = one(compare([few], [many]), "latency p99")
    assert (row.verdict, row.ratio, row.interval, row.calls_needed) == ("too few samples", None, None, 1000)
    assert overall(compare([sample(np.arange(1.0, 10.0))], [many])) == "too few samples"


def test_no_calls_at_all_are_too_few() -> None:
    empty = Sample(NOTHING, NOTHING, NOTHING, np.empty(0, dtype=np.bool_))
    rows = compare([empty], [sample(np.arange(1.0, 5000.0))])
    assert {each.verdict for each in rows} == {"too few samples"}
    assert second_opinion([empty], [empty]) is None


def test_more_failures_are_worse_though_what_is_answered_is_as_fast() -> None:
    random = np.random.default_rng(9)
    good, bad = (sample(random.lognormal(8, 0.2, 4000), failed=failed) for failed in (0, 200))
    rows = compare([good], [bad])
    assert (one(rows, "errors").verdict, overall(rows)) == ("worse", "worse")
    assert one(compare([bad], [good]), "errors").verdict == "better"


def test_failures_that_came_together_count_as_one_event() -> None:
    random = np.random.default_rng(10)
    scattered = sample(random.lognormal(8, 0.2, 4000), failed=40)
    together = Sample(scattered.latency, NOTHING, NOTHING, np.sort(scattered.unanswered))
    none = sample(random.lognormal(8, 0.2, 4000))
    assert one(compare([none], [scattered]), "errors").verdict == "worse"
    assert one(compare([none], [together]), "errors").verdict == "indistinguishable"


def test_cold_calls_and_completions_are_compared_apart_and_only_where_both_sides_have_them() -> None:
    random = np.random.default_rng(11)
    warm, cold = random.lognormal(8, 0.2, 2000), random.lognormal(12, 0.2, 60)
    both = compare([sample(warm, cold=cold, completion=2 * warm)], [sample(warm, cold=1.5 * cold, completion=2 * warm)])
    assert one(both, "cold p50").verdict == "worse"
    assert one(both, "latency p50").verdict == "indistinguishable"
    assert {"completion p50", "completion p99"} <= {each.metric for each in both}
    assert "cold p50" not in {each.metric for each in compare([sample(warm, cold=cold)], [sample(warm)])}


def test_one_run_may_be_held_against_several() -> None:
    random = np.random.default_rng(12)
    many = [sample(np.exp(random.normal(0, 0.02)) * random.lognormal(8, 0.2, 2000)) for _ in range(8)]
    row = one(compare(many, [sample(1.5 * random.lognormal(8, 0.2, 2000))]), "latency p50")
    assert row.verdict == "worse"
    assert row.interval is not None
    assert row.interval.method == "Welch's t between runs"


def test_cliffs_delta_is_counted_over_all_pairs() -> None:
    a, b = np.array([1.0, 2.0, 3.0, 3.0]), np.array([2.0, 4.0])
    pairs = [np.sign(y - x) for x in a for y in b]
    found = second_opinion([sample(a)], [sample(b)])
    assert found is not None
    assert found.delta == pytest.approx(sum(pairs) / len(pairs))
    assert found.shift_us == float(np.median([y - x for x in a for y in b]))
    assert found.magnitude == "medium"


def of_errors(shares: list[float], random: np.random.Generator, n: int = 2000) -> list[Sample]:
    return [Sample(NOTHING, NOTHING, NOTHING, random.random(n) < share) for share in shares]


def test_deployments_of_which_some_fail_are_told_alike_when_they_are_the_same_thing() -> None:
    """A deployment in five fails 2 % of its calls: how many a side has of them is chance."""
    random, times, same = np.random.default_rng(20), 300, 0

    def trials() -> list[Sample]:
        return of_errors(np.where(random.random(5) < 0.2, 0.02, 0.0).tolist(), random)

    for _ in range(times):
        same += one(compare(trials(), trials()), "errors").verdict == "indistinguishable"
    assert same / times >= 0.95


@pytest.mark.parametrize(("runs", "share", "n"), [(10, 0.3, 2000), (5, 0.02, 20_000), (3, 0.02, 2000)])
def test_one_bad_deployment_of_many_is_no_regression(runs: int, share: float, n: int) -> None:
    random = np.random.default_rng(21)
    good, bad = of_errors([0.0] * runs, random, n), of_errors([0.0] * (runs - 1) + [share], random, n)
    row = one(compare(good, bad), "errors")
    assert (row.verdict, row.why) == ("indistinguishable", "too noisy")
    assert row.b == pytest.approx(share / runs, rel=0.2), "the mean of the runs' shares"


def test_failures_in_every_run_are_found_also_where_no_run_differs_from_the_others() -> None:
    random = np.random.default_rng(22)
    good, bad = of_errors([0.001] * 5, random), of_errors([0.02] * 5, random)
    assert one(compare(good, bad), "errors").verdict == "worse"
    assert one(compare(bad, good), "errors").verdict == "better"
    assert one(compare(good, bad[:1]), "errors").verdict == "worse", "a lone run varies as the others do"
    none, all_alike = of_errors([0.0] * 5, random), [bad[0]] * 5
    row = one(compare(none, all_alike), "errors")
    assert (row.verdict, row.interval and row.interval.method) == ("worse", "Newcombe")


def test_runs_of_few_calls_are_no_surer_than_their_calls_are() -> None:
    """Five runs of ten calls without a failure are fifty calls, and one in twenty could fail."""
    random = np.random.default_rng(23)
    assert one(compare(of_errors([0.0] * 5, random, 10), of_errors([0.03] * 5, random)), "errors").verdict == (
        "indistinguishable"
    )


def test_a_run_without_calls_has_no_share() -> None:
    random = np.random.default_rng(24)
    row = one(compare(of_errors([0.0, 0.0], random, 0), of_errors([0.1], random)), "errors")
    assert (row.verdict, row.why) == ("too few samples", "a side has no calls")
    assert one(compare([*of_errors([0.0], random, 0), *of_errors([0.1], random)], of_errors([0.1], random)), "errors").a


def test_more_cold_calls_are_worse_though_every_call_is_as_fast() -> None:
    random = np.random.default_rng(25)

    def run(share: float) -> Sample:
        warm = random.lognormal(8, 0.2, 4000)
        return Sample(warm, NOTHING, NOTHING, np.zeros(4000, dtype=np.bool_), random.random(4000) < share)

    rows = compare([run(0.0)], [run(0.05)])
    assert (one(rows, "cold calls").verdict, overall(rows)) == ("worse", "worse")
    assert one(rows, "cold calls").difference == pytest.approx(0.05, rel=0.2)
    assert one(compare([run(0.05)], [run(0.0)]), "cold calls").verdict == "better"
    assert one(compare([run(0.05)], [run(0.05)]), "cold calls").verdict == "indistinguishable"
    assert "cold calls" not in {each.metric for each in compare([run(0.0)], [run(0.0)])}
    one_bad = compare([run(0.0) for _ in range(5)], [run(0.0) for _ in range(4)] + [run(0.3)])
    assert one(one_bad, "cold calls").verdict == "indistinguishable"
