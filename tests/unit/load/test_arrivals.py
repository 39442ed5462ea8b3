"""Arrivals are what their names promise: distributions by Kolmogorov and Smirnov, counts by integrals of the rate."""

from __future__ import annotations

import hashlib
import math
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.statistics import exponential, kolmogorov, ks, uniform
from toolkit.errors import UsageError
from toolkit.load import pacing
from toolkit.load.arrivals import Arrivals, parse
from toolkit.load.share import shares
from toolkit.results import Load

SECOND = 1_000_000_000
SEEDS = 400
TEXTS = (
    "constant",
    "poisson",
    "uniform",
    "burst:on=1s,off=4s",
    "burst:on=100ms,off=300ms,gaps=poisson",
    "ramp:to=200",
    "ramp:to=5,over=3s",
    "ramp:to=80,gaps=uniform",
    "step:by=10,every=2s",
    "step:by=-5,every=500ms,to=10,gaps=poisson",
)


def due(load: Load) -> list[float]:
    """Seconds."""
    pacing.validate(load)
    return [each / SECOND for each in pacing.times(load)]


def gaps(load: Load) -> list[float]:
    return [after - before for before, after in pairwise(due(load))]


def rejected(p_values: list[float]) -> float:
    return sum(p < 0.05 for p in p_values) / len(p_values)


def on_time(at: float) -> float:
    """Of bursts of one second every five: how long they had lasted by then."""
    return at // 5 + min(at % 5, 1.0)


# -- the test itself


@pytest.mark.parametrize(("x", "p"), [(1.224, 0.10), (1.358, 0.05), (1.628, 0.01)])
def test_the_limit_distribution_has_the_critical_values_of_the_tables(x: float, p: float) -> None:
    assert kolmogorov(x) == pytest.approx(p, rel=0.01)


def test_the_test_finds_a_distribution_that_is_another_one() -> None:
    assert ks(gaps(Load(requests=2001, rate=100.0, arrivals="uniform")), exponential(0.01)) < 1e-6
    assert ks(gaps(Load(requests=2001, rate=100.0, arrivals="poisson")), exponential(0.011)) < 0.01


# -- distributions


def test_between_poisson_arrivals_times_are_exponential() -> None:
    assert ks(gaps(Load(requests=20_001, rate=100.0, arrivals="poisson")), exponential(0.01)) > 0.05


def test_between_uniform_arrivals_times_are_uniform_up_to_twice_the_mean() -> None:
    found = gaps(Load(requests=20_001, rate=100.0, arrivals="uniform"))
    assert ks(found, uniform(0.0, 0.02)) > 0.05
    assert sum(found) / len(found) == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize(("kind", "distribution"), [("poisson", exponential(0.01)), ("uniform", uniform(0.0, 0.02))])
def test_over_many_seeds_one_test_in_twenty_fails(kind: str, distribution: Any) -> None:
    """5 % of 400 with a standard deviation of 1.1 %; and the p-values themselves are uniform."""
    found = [ks(gaps(Load(requests=201, rate=100.0, arrivals=kind, seed=seed)), distribution) for seed in range(SEEDS)]
    assert 0.02 <= rejected(found) <= 0.085
    assert ks(found, uniform(0.0, 1.0)) > 0.01


def test_once_their_number_is_known_poisson_arrivals_are_uniform_in_time() -> None:
    found = [
        ks(due(Load(duration_s=2.0, rate=100.0, arrivals="poisson", seed=seed))[1:], uniform(0.0, 2.0))
        for seed in range(SEEDS)
    ]
    assert 0.02 <= rejected(found) <= 0.085


def test_the_number_of_poisson_arrivals_has_the_mean_and_the_variance_of_poisson() -> None:
    found = [
        sum(1 for _ in pacing.times(Load(duration_s=1.0, rate=100.0, arrivals="poisson", seed=seed))) - 1
        for seed in range(SEEDS)
    ]
    mean = sum(found) / SEEDS
    variance = sum((each - mean) ** 2 for each in found) / (SEEDS - 1)
    assert mean == pytest.approx(100, abs=4 * 10 / math.sqrt(SEEDS))
    assert variance == pytest.approx(100, rel=4 * math.sqrt(2 / SEEDS))


@pytest.mark.parametrize(
    ("text", "integral"),
    [
        ("burst:on=1s,off=4s,gaps=poisson", lambda at: 50 * on_time(at)),
        ("ramp:to=150,gaps=poisson", lambda at: 50 * at + 100 * at * at / 40),
        ("step:by=50,every=10s,gaps=poisson", lambda at: 50 * at + 50 * max(0.0, at - 10)),
    ],
)
def test_under_every_shape_poisson_arrivals_are_a_poisson_process_in_the_integral_of_the_rate(
    text: str, integral: Any
) -> None:
    found = []
    for seed in range(SEEDS // 2):
        calls = due(Load(duration_s=20.0, rate=50.0, arrivals=text, seed=seed))
        found.append(ks([integral(after) - integral(before) for before, after in pairwise(calls)], exponential(1.0)))
    assert 0.01 <= rejected(found) <= 0.1


def test_within_bursts_random_arrivals_are_uniform_and_between_them_there_are_none() -> None:
    calls = due(Load(requests=5_000, rate=100.0, arrivals="burst:on=1s,off=4s,gaps=poisson"))
    within = [at % 5 for at in calls]
    assert max(within) < 1.0
    assert ks(within, uniform(0.0, 1.0)) > 0.05


# -- shapes, in closed form


def test_a_ramp_has_as_many_calls_as_its_mean_rate_says() -> None:
    calls = due(Load(duration_s=20.0, rate=100.0, arrivals="ramp:to=200"))
    assert len(calls) == 3000
    assert sum(at < 10 for at in calls) == pytest.approx(1250, abs=1)  # 100 t + 100 t²/40


def test_a_ramp_down_mirrors_the_ramp_up() -> None:
    calls = due(Load(duration_s=20.0, rate=200.0, arrivals="ramp:to=100"))
    assert len(calls) == 3000
    assert sum(at < 10 for at in calls) == pytest.approx(1750, abs=1)


def test_a_counted_ramp_takes_as_long_as_its_calls_need() -> None:
    load = Load(requests=3000, rate=100.0, arrivals="ramp:to=200")
    assert pacing.length_s(load) == pytest.approx(20.0)
    assert pacing.mean_rate(load) == pytest.approx(150.0)
    assert due(load) == pytest.approx(due(Load(duration_s=20.0, rate=100.0, arrivals="ramp:to=200")))


def test_after_a_ramp_that_is_shorter_than_the_load_its_last_rate_stays() -> None:
    calls = due(Load(duration_s=10.0, rate=10.0, arrivals="ramp:to=50,over=2s"))
    assert len(calls) == 60 + 8 * 50
    assert sum(at >= 9 for at in calls) == pytest.approx(50, abs=1)


def test_steps_are_counted_stair_by_stair() -> None:
    calls = due(Load(duration_s=12.0, rate=100.0, arrivals="step:by=10,every=5s"))
    assert len(calls) == 500 + 550 + 240
    assert [sum(low <= at < low + 5 for at in calls) for low in (0, 5, 10)] == [500, 550, 240]


def test_steps_end_at_the_rate_that_was_named() -> None:
    up = due(Load(duration_s=5.0, rate=10.0, arrivals="step:by=15,every=1s,to=30"))
    assert [sum(low <= at < low + 1 for at in up) for low in range(5)] == [10, 25, 30, 30, 30]
    down = due(Load(duration_s=4.0, rate=30.0, arrivals="step:by=-15,every=1s,to=5"))
    assert [sum(low <= at < low + 1 for at in down) for low in range(4)] == [30, 15, 5, 5]


def test_bursts_come_at_their_rate_and_nothing_comes_between() -> None:
    calls = due(Load(duration_s=10.0, rate=10.0, arrivals="burst:on=1s,off=4s"))
    assert calls == pytest.approx([0.1 * k for k in range(10)] + [5 + 0.1 * k for k in range(10)])


def test_a_call_on_the_edge_of_a_burst_belongs_to_the_next_one() -> None:
    """0.3 s at 10/s are three calls: the fourth is the first of the next burst, whatever floats make of 10 × 0.3."""
    calls = due(Load(requests=7, rate=10.0, arrivals="burst:on=300ms,off=700ms"))
    assert calls == pytest.approx([0, 0.1, 0.2, 1.0, 1.1, 1.2, 2.0])


def test_bursts_that_hold_no_whole_number_of_calls_keep_the_mean_rate() -> None:
    load = Load(duration_s=100.0, rate=3.0, arrivals="burst:on=500ms,off=500ms")
    assert len(due(load)) == 150
    assert pacing.mean_rate(load) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("text", "mean", "peak"),
    [
        ("constant", 100.0, 100.0),
        ("poisson", 100.0, 100.0),
        ("burst:on=1s,off=4s", 20.0, 100.0),
        ("ramp:to=200", 150.0, 200.0),
        ("ramp:to=20", 60.0, 100.0),
        ("step:by=10,every=5s", 115.0, 130.0),
    ],
)
def test_the_mean_and_the_highest_rate_of_a_plan_are_known_beforehand(text: str, mean: float, peak: float) -> None:
    load = Load(duration_s=20.0, rate=100.0, arrivals=text)
    assert pacing.mean_rate(load) == pytest.approx(mean)
    assert pacing.peak_rate(load) == pytest.approx(peak)


def test_of_a_closed_loop_no_rate_is_known() -> None:
    load = Load(requests=5, concurrency=1)
    assert (pacing.mean_rate(load), pacing.peak_rate(load), pacing.length_s(load)) == (None, None, None)


# -- every kind


@given(
    text=st.sampled_from(TEXTS),
    rate=st.floats(11.0, 1e5),
    requests=st.integers(1, 300),
    seed=st.integers(0, 99),
    of=st.integers(1, 5),
)
def test_every_schedule_starts_at_once_never_goes_back_and_can_be_divided(
    text: str, rate: float, requests: int, seed: int, of: int
) -> None:
    load = Load(requests=requests, rate=rate, seed=seed, arrivals=text)
    whole = list(pacing.times(load))
    assert (len(whole), whole[0], pacing.count(load)) == (requests, 0, requests)
    assert all(before <= after for before, after in pairwise(whole))
    assert whole == list(pacing.schedule(load) or ())
    assert whole == sorted(at for part in shares(of) for at in part.times(pacing.times(load)))


@given(text=st.sampled_from(TEXTS), rate=st.floats(11.0, 500.0), duration_s=st.floats(0.01, 5.0))
def test_every_load_for_a_time_ends_with_it_and_is_as_large_as_expected(
    text: str, rate: float, duration_s: float
) -> None:
    load = Load(duration_s=duration_s, rate=rate, arrivals=text)
    whole, expected = due(load), pacing.expected(load)
    assert expected is not None
    assert whole[-1] < duration_s
    assert abs(len(whole) - expected) <= 0.5 + (6 * math.sqrt(expected) + 6 if pacing.count(load) is None else 0)
    assert pacing.count(load) in (None, len(whole))


@pytest.mark.parametrize("text", TEXTS)
def test_a_schedule_is_made_as_it_is_asked_for(text: str) -> None:
    load = Load(requests=pacing.MOST_CALLS, rate=1000.0, arrivals=text)
    pacing.validate(load)
    assert len(list(islice(pacing.times(load), 5))) == 5


def test_the_same_seed_means_the_same_arrivals_on_every_version_of_python() -> None:
    """To the microsecond: the last digits of a logarithm are the C library's."""
    assert {text: digest(text) for text in ("poisson", "uniform", "burst:on=1s,off=4s,gaps=poisson")} == SAME


def digest(text: str) -> str:
    calls = [round(at * 1e6) for at in due(Load(requests=1000, rate=100.0, seed=7, arrivals=text))]
    return hashlib.sha256(repr(calls).encode()).hexdigest()[:16]


SAME = {
    "poisson": "82de53c76656566e",
    "uniform": "fc2aa4142e9fee87",
    "burst:on=1s,off=4s,gaps=poisson": "8903ef3ed8ea935c",
}


# -- the text


def test_a_text_means_what_it_says() -> None:
    assert parse("constant") == Arrivals("constant")
    assert parse("poisson") == Arrivals("poisson", gaps="poisson")
    assert parse("burst:on=1s,off=250ms") == Arrivals("burst", on=1.0, off=0.25)
    assert parse("ramp:to=200,over=1m,gaps=uniform") == Arrivals("ramp", gaps="uniform", to=200.0, over=60.0)
    assert parse("step:by=-1.5,every=5s,to=2") == Arrivals("step", by=-1.5, every=5.0, to=2.0)
    assert parse("recorded:a,b.csv,row=3,minutes=4-5,time=0.5,rate=2") == Arrivals(
        "recorded", gaps="poisson", file="a,b.csv", row="3", minutes=(4, 5), time=0.5, rate=2.0
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["''", "unknown"]),
        ("posson", ["did you mean 'poisson'?"]),
        ("Poisson", ["did you mean 'poisson'?"]),
        ("bursts:on=1s", ["did you mean 'burst:on=1s,off=4s'?"]),
        ("constant:", ["'' means nothing here; it has no options"]),
        ("poisson:rate=3", ["'rate' means nothing here; it has no options"]),
        ("burst", ["on= is missing", "off= is missing"]),
        ("burst:on=1s", ["off= is missing"]),
        ("burst:on=1s,of=4s", ["'of' means nothing here — did you mean 'off='?", "off= is missing"]),
        ("burst:on=-1s,off=4,gaps=normal", ["on='-1s'", "off='4'", "gaps='normal': not constant, poisson or uniform"]),
        ("burst:on=0,off=1s", ["on='0': not a time from 1us"]),
        ("burst:on=0.000000001us,off=1s", ["not a time from 1us"]),
        ("burst:on=1s,on=2s,off=4s", ["on= is there twice"]),
        ("burst:on,off=", ["on= has no value", "off= has no value"]),
        ("ramp:to=0", ["to='0': not above 0"]),
        ("ramp:to=nan", ["to='nan': not a number"]),
        ("ramp:to=inf", ["to='inf': not a number"]),
        ("ramp:to=1e300", ["to='1e300': not a number up to 10 000 000"]),
        ("ramp:to=１0", ["not a number"]),
        ("ramp:to=1_000", ["not a number"]),
        ("step:by=0,every=5s", ["by='0': not a change"]),
        ("step:by=ten,every=5s", ["by='ten': not a number"]),
        ("recorded", ["which file?"]),
        ("recorded:,row=1", ["which file?"]),
        ("recorded:x.csv,minutes=0-3", ["they count from 1"]),
        ("recorded:x.csv,minutes=9-3,unit=h,row=", ["the first comes first", "unit='h'", "row= has no value"]),
        ("recorded:x.csv,minutes=٣", ["write minutes=481-540"]),
        ("burst:" + "x," * 50_000, ["means nothing here"]),
    ],
)
def test_all_that_is_wrong_with_a_text_is_told_at_once(text: str, told: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert [part for part in told if part not in str(refused.value)] == []
    assert str(refused.value).startswith("--arrivals ")
    assert refused.value.next_step
    assert len(str(refused.value)) < 2000


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (Load(requests=1, concurrency=2, arrivals="poisson"), "a closed loop has none"),
        (Load(requests=1, rate=2, think="1s"), "nobody waits for answers"),
        (Load(requests=1, rate=2, arrivals=None), "--arrivals None: unknown"),  # type: ignore[arg-type]
        (Load(duration_s=10, rate=5, arrivals="step:by=-1,every=1s"), "steps down have to end somewhere"),
        (Load(duration_s=10, rate=5, arrivals="step:by=1,every=1s,to=3"), "by= does not lead from --rate 5 to to="),
        (Load(duration_s=10, rate=5, arrivals="step:by=1,every=1s,to=5"), "by= does not lead from --rate 5 to to="),
        (Load(duration_s=1e4, rate=5, arrivals="step:by=1000000,every=1s"), "calls a second"),
        (Load(duration_s=60, rate=1, arrivals="ramp:to=1000000"), "with --arrivals ramp:to=1000000 is more than"),
        (Load(requests=1, rate=1, arrivals="recorded:x.csv", recorded="counts/1 1"), "not that of --rate"),
        (Load(requests=1, arrivals="recorded:x.csv"), "nothing was read"),
        (Load(requests=1, arrivals="recorded:x.csv", recorded="counts/0 1"), "are damaged"),
        (Load(requests=1, arrivals="recorded:x.csv", recorded="gaps/1 1 -1"), "are damaged"),
        (Load(requests=1, arrivals="recorded:x.csv", recorded="gaps/1 1 ١"), "are damaged"),
        (Load(requests=1, arrivals="recorded:x.csv", recorded="counts/1000 0 0"), "not one call was recorded"),
        (Load(requests=3, arrivals="recorded:x.csv", recorded="counts/1000 2"), "only 2 calls were recorded"),
        (
            Load(requests=99_999_999, arrivals="recorded:x", recorded="counts/1000 99999999"),
            "99,999,999 calls were rec",
        ),
        (Load(duration_s=3, arrivals="recorded:x.csv", recorded="counts/1000 99999999"), "more than 20,000,000"),
    ],
)
def test_a_load_whose_parts_do_not_fit_is_refused_with_a_next_step(load: Load, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        pacing.validate(load)
    assert told in str(refused.value)
    assert refused.value.next_step


def test_what_is_there_and_wrong_is_not_called_missing() -> None:
    with pytest.raises(UsageError) as refused:
        parse("burst:on=1,off=2s")
    assert "missing" not in str(refused.value)


def test_everything_that_is_wrong_with_a_load_is_told_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        pacing.validate(Load(rate=0.0, sample=2.0, timeout_s=0.0, arrivals="ramp:too=5"))
    assert str(refused.value).splitlines() == [
        "neither --requests nor --duration is set",
        "--rate 0.0: not in range",
        "--timeout 0.0: not in range",
        "--sample 2.0: not a share",
        "--arrivals 'ramp:too=5': 'too' means nothing here — did you mean 'to='?",
        "--arrivals 'ramp:too=5': to= is missing",
    ]
