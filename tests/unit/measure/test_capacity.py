"""The search finds the closed-form limit of simulated systems, and takes no other limit for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from toolkit.columns import COLD, DTYPE, LOST
from toolkit.errors import UsageError
from toolkit.measure.capacity import Ask, Found, Search, length_s, steps, undecided
from toolkit.measure.promise import Calls, calls, judge, objectives, of_chain, together
from toolkit.measure.rows import Rows
from toolkit.results import Check
from toolkit.verdicts import Step

Floats = NDArray[np.float64]
SERVED = 1000.0  # a second, by the simulated server


def queue(rate: float, duration_s: float, random: np.random.Generator) -> Calls:
    """M/M/1 that has been running for long: exponential times of service, Poisson arrivals (Lindley's recursion)."""
    warm = max(2000, round(3 * rate))
    n = warm + max(1, round(rate * duration_s))
    service, between = random.exponential(1 / SERVED, n), random.exponential(1 / rate, n)
    steps_s = np.concatenate(([0.0], service[:-1] - between[1:]))
    walk = np.cumsum(steps_s)
    waiting = walk - np.minimum.accumulate(walk)
    latency = (waiting + service)[warm:] * 1e6
    return Calls(latency, np.zeros(len(latency), dtype=np.bool_))


def closed_form(share: float, limit_s: float) -> float:
    """The time in an M/M/1 system is exponential with the rate mu - lambda: its quantile is -ln(1 - share) / that."""
    return SERVED - -math.log(1 - share) / limit_s


def find(
    search: Search, slo: Sequence[str], measure: Callable[[Ask], Calls], invalid_above: float = math.inf
) -> tuple[Found, list[Step]]:
    promises, made, asking = objectives(slo), list[Step](), steps(search)
    ask = next(asking)
    while True:
        found = measure(ask)
        verdict, judged = judge(promises, found)
        late = ("the generator was late",) if ask.rate > invalid_above else ()
        step = Step(ask.rate, ask.duration_s, len(found.latency), "invalid" if late else verdict, judged, None, late)
        made.append(step)
        try:
            ask = asking.send(step)
        except StopIteration as end:
            return end.value, made


@pytest.mark.parametrize(("slo", "true"), [("p99<50ms", closed_form(0.99, 0.05)), ("p50<2ms", closed_form(0.5, 0.002))])
def test_the_search_finds_the_closed_form_limit_of_a_queue(slo: str, true: float) -> None:
    """What it calls kept was never broken by more than a hair, and what it calls broken never kept."""
    times, right, widths = 30, 0, []
    for seed in range(times):
        random = np.random.default_rng(seed)
        found, _ = find(Search(50, 4000, 20.0, 1000), [slo], lambda ask: queue(ask.rate, ask.duration_s, random))  # noqa: B023
        assert found.complete
        assert found.kept is not None
        assert found.broken is not None
        right += found.kept <= true * 1.01 and found.broken >= true * 0.99
        widths.append(found.broken / found.kept)
    assert right / times >= 0.9
    assert float(np.median(widths)) < 1.15


def test_a_step_whose_generator_was_late_ends_the_search_and_is_no_limit_of_the_system() -> None:
    random = np.random.default_rng(1)
    found, made = find(
        Search(50, 4000, 5.0, 1000),
        ["p99<50ms"],
        lambda ask: queue(ask.rate, ask.duration_s, random),
        invalid_above=500,
    )
    assert (found.kept, found.broken, found.complete) == (400, None, False)
    assert "800/s" in found.ended
    assert "the generator was late" in found.ended
    assert [step.rate for step in made if step.verdict != "undecided"] == [50, 100, 200, 400, 800, 800]
    assert [step.verdict for step in made[-2:]] == ["invalid", "invalid"], "once may be chance"


def constant(latency_us: float, n: int = 2000) -> Calls:
    return Calls(np.full(n, latency_us), np.zeros(n, dtype=np.bool_))


def test_a_system_that_never_breaks_has_a_capacity_above_the_highest_rate() -> None:
    found, made = find(Search(50, 300, 1.0), ["p99<50ms"], lambda _: constant(1000.0))
    assert (found.kept, found.broken, found.complete) == (300, None, True)
    assert "above" in found.ended
    assert [step.rate for step in made] == [50, 100, 200, 300]


def test_a_system_that_is_broken_from_the_start_has_none() -> None:
    found, made = find(Search(50, 300, 1.0), ["p99<50ms"], lambda _: constant(60_000.0))
    assert (found.kept, found.broken, found.complete) == (None, 50, True)
    assert len(made) == 1


def test_a_sharp_limit_is_found_within_the_resolution() -> None:
    found, _ = find(Search(10, 5000, 1.0), ["p99<50ms"], lambda ask: constant(1000.0 if ask.rate <= 1234 else 90_000.0))
    assert found.kept is not None
    assert found.broken is not None
    assert found.kept <= 1234 < found.broken <= found.kept * 1.05


def test_what_is_undecided_is_repeated_twice_as_long_three_times_and_then_stands_above_what_is_kept() -> None:
    random = np.random.default_rng(2)

    def measure(ask: Ask) -> Calls:
        if ask.rate < 100:
            return constant(1000.0)
        coin = np.where(random.random(2000) < 0.01, 60_000.0, 40_000.0)
        return Calls(coin, np.zeros(2000, dtype=np.bool_))

    found, made = find(Search(50, 100, 1.0), ["p99<50ms"], measure)
    at_100 = [step.duration_s for step in made if step.rate == 100]
    assert at_100 == [1.0, 2.0, 4.0, 8.0][: len(at_100)]
    if len(at_100) == 4:
        assert 100.0 in undecided(made) or found.broken == 100.0


def too_few(_: Ask) -> Calls:
    return constant(1000.0, 10)


def test_a_lowest_rate_that_is_undecided_broke_nothing() -> None:
    found, made = find(Search(50, 300, 1.0), ["p99<50ms"], too_few)
    assert (found.kept, found.broken, found.complete) == (None, None, False)
    assert found.ended == "it could not be decided at the lowest rate, 50/s"
    assert undecided(made) == (50,)


def test_rates_above_the_kept_one_that_are_undecided_are_named() -> None:
    found, made = find(Search(50, 200, 1.0, resolution=0.5), ["p99<50ms"], lambda ask: (
        constant(1000.0) if ask.rate <= 50 else too_few(ask)
    ))  # fmt: skip
    assert (found.kept, found.broken, found.complete) == (50, None, True)
    assert [round(each) for each in undecided(made)] == [71, 100]
    assert found.ended == "above 50/s it could not be decided at 70.7107/s, 100/s"


def test_a_rate_that_is_undecided_above_a_broken_one_is_forgotten() -> None:
    def measure(ask: Ask) -> Calls:
        return too_few(ask) if ask.rate == 100 else constant(1000.0 if ask.rate <= 50 else 90_000.0)

    found, _ = find(Search(50, 200, 1.0, resolution=0.5), ["p99<50ms"], measure)
    assert (found.kept, found.ended) == (50, "the gap is within 50%")
    assert found.broken == pytest.approx(70.7107)


def test_a_step_is_as_long_as_its_promise_needs_calls() -> None:
    (p99,), (errors,) = objectives(["p99<1s"]), objectives(["errors<0.1%"])
    assert (p99.calls, errors.calls) == (1000, 3700)
    assert length_s(Search(50, 100, 10.0, p99.calls), 50) == 20.0
    assert length_s(Search(50, 100, 10.0, p99.calls), 500) == 10.0


def test_calls_that_failed_took_for_ever() -> None:
    """Failing fast keeps no promise about latency: with 2 % of calls failed there is no p99 below anything."""
    failed = np.zeros(5000, dtype=np.bool_)
    failed[::50] = True
    found = Calls(np.where(failed, np.inf, 1000.0), failed)
    verdict, (p99, p50, errors) = judge(objectives(["p99<50ms", "p50<50ms", "errors<1%"]), found)
    assert (verdict, p99.verdict, p50.verdict, errors.verdict) == ("broken", "broken", "kept", "broken")


def test_a_few_failures_leave_a_rare_promise_undecided_and_none_keep_it() -> None:
    one = np.zeros(4000, dtype=np.bool_)
    one[1000] = True
    assert judge(objectives(["errors<0.1%"]), Calls(np.ones(4000), one))[0] == "undecided"
    assert judge(objectives(["errors<0.1%"]), constant(1.0, 3800))[0] == "kept"
    assert judge(objectives(["errors<0.1%"]), constant(1.0, 3000))[0] == "undecided"


def test_no_calls_decide_nothing() -> None:
    assert judge(objectives(["p99<1s", "max<1s", "mean<1s"]), constant(1.0, 0))[0] == "undecided"
    assert judge(objectives(["p99<1s"]), constant(1.0, 100))[0] == "undecided", "too few for a p99"


def test_the_largest_and_the_mean_can_be_promised() -> None:
    random = np.random.default_rng(3)
    found = Calls(random.exponential(1000.0, 5000), np.zeros(5000, dtype=np.bool_))
    largest = float(found.latency.max())
    assert judge(objectives([f"max<{largest + 1:.0f}us"]), found)[0] == "kept"
    assert judge(objectives([f"max<{largest - 1:.0f}us"]), found)[0] == "broken"
    assert [judge(objectives([f"mean<{limit}us"]), found)[0] for limit in (1200, 1000, 800)] == [
        "kept", "undecided", "broken",
    ]  # fmt: skip


def test_rows_give_warm_calls_after_the_warm_up_in_the_order_of_their_due() -> None:
    rows = np.zeros(5, dtype=DTYPE)
    rows["due_ns"] = [3_000_000_000, 1_000_000_000, 2_000_000_000, 4_000_000_000, 5_000_000_000]
    rows["done_ns"] = rows["due_ns"] + 7_000
    rows["flags"][3] = COLD
    rows["status"][4] = LOST
    found = calls(rows, skip_s=1.5)
    assert found.latency.tolist() == [7.0, math.inf]
    assert found.unanswered.tolist() == [False, True]
    assert len(calls(rows[:0], 1.0).latency) == 0


@pytest.mark.parametrize(
    ("text", "metric", "limit"),
    [
        ("p99<50ms", "p99", 50_000),
        (" P99 <= 1.5 s ", "p99", 1_500_000),
        ("p99.9<800us", "p99.9", 800),
        ("p999<1ms", "p99.9", 1000),
        ("max<2s", "max", 2_000_000),
        ("errors<0.1%", "errors", 0.001),
        ("errors<0.01", "errors", 0.01),
    ],
)
def test_promises_are_read(text: str, metric: str, limit: float) -> None:
    (found,) = objectives([text])
    assert (found.metric, found.limit) == (metric, pytest.approx(limit))


def events(n: int, served: float, delay_ms: int = 0) -> Rows:
    """100 calls a second, answered at once, and completed one after the other at `served` a second."""
    rows = np.zeros(n, dtype=DTYPE)
    rows["due_ns"] = 1_000_000_000 + np.arange(n) * 10_000_000
    rows["sent_ns"], rows["done_ns"] = rows["due_ns"], rows["due_ns"] + 1_000_000
    pace = np.arange(1, n + 1) * round(1e9 / min(served, 100.0))
    rows["completed_ns"] = 1_000_000_000 + delay_ms * 1_000_000 + pace
    return rows


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (events(1000, 100.0), "kept"),
        (events(1000, 100.0, delay_ms=900), "kept"),  # always as late, so nothing piles up
        (events(1000, 97.0), "kept"),
        (events(1000, 90.0), "broken"),
        (events(1000, 10.0), "broken"),
        (events(20, 100.0), "undecided"),
        (events(0, 100.0), "undecided"),
    ],
)
def test_a_chain_with_events_keeps_its_promise_only_if_completions_keep_up(rows: Rows, verdict: str) -> None:
    (found,) = of_chain(rows, 1.0, (), events=True)
    assert (found.objective, found.verdict) == ("completions keep up", verdict)
    assert of_chain(rows, 1.0, (), events=False) == ()


def test_a_check_that_failed_breaks_a_step_and_is_named() -> None:
    """But for the one of answers: how many may fail is what the promises say."""
    checks = [Check(name, name == "once", "", "") for name in ("answered", "delivered", "once")]
    found = of_chain(events(1000, 100.0), 1.0, checks, events=True)
    assert [(each.objective, each.verdict) for each in found[1:]] == [("check delivered", "broken")]
    assert together(found) == "broken"
    assert together(found[:1]) == "kept"


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = ["p99", "p98<1ms", "p99<50", "p99<50min", "errors<1ms", "errors<0%", "errors<100%", "p50>1ms", "",
             "p95<0ms", "p99<9999999999s", "ъ<1ms"]  # fmt: skip
    with pytest.raises(UsageError) as error:
        objectives([*wrong, "p50<1ms", "p50<2ms"])
    assert len(str(error.value).splitlines()) == len(wrong) + 1
    assert error.value.next_step
    with pytest.raises(UsageError, match="there is none"):
        objectives([])
