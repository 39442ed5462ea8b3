"""Schedules are arithmetic, and loads that cannot be sent are refused by the name of their flag."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.load.pacing import MOST_KEPT, count, schedule, times, validate
from toolkit.results import Load


def test_a_constant_rate_is_due_at_equal_distances_from_the_start() -> None:
    assert list(schedule(Load(requests=5, rate=4.0)) or ()) == [0, 250_000_000, 500_000_000, 750_000_000, 1_000_000_000]


def test_rounding_never_adds_up() -> None:
    due = schedule(Load(requests=3001, rate=3.0))
    assert due is not None
    assert due[3000] == 1000 * 1_000_000_000


def test_a_duration_holds_as_many_calls_as_the_rate_says_and_at_least_one() -> None:
    assert len(schedule(Load(duration_s=10.0, rate=50.0)) or ()) == 500
    assert len(schedule(Load(duration_s=0.1, rate=1.0)) or ()) == 1


def test_a_closed_loop_has_no_schedule() -> None:
    assert schedule(Load(requests=5, concurrency=2)) is None


def test_poisson_arrivals_follow_from_the_seed() -> None:
    load = Load(requests=100, rate=10.0, arrivals="poisson")
    assert list(schedule(load) or ()) == list(schedule(load) or ())
    assert list(schedule(load) or ()) != list(schedule(replace(load, seed=2)) or ())


def test_poisson_arrivals_have_the_mean_and_the_spread_of_an_exponential() -> None:
    due = schedule(Load(requests=20_000, rate=100.0, arrivals="poisson"))
    assert due is not None
    gaps = [(after - before) / 1e9 for before, after in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert mean == pytest.approx(0.01, rel=0.03)
    assert deviation == pytest.approx(0.01, rel=0.05)


def test_poisson_arrivals_end_with_the_duration() -> None:
    due = schedule(Load(duration_s=2.0, rate=100.0, arrivals="poisson"))
    assert due is not None
    assert due[-1] < 2_000_000_000
    assert 120 < len(due) < 280


@given(
    rate=st.floats(0.01, 1e5),
    requests=st.integers(1, 300),
    seed=st.integers(0, 99),
    arrivals=st.sampled_from(["constant", "poisson"]),
)
def test_every_schedule_starts_at_once_and_never_goes_back(
    rate: float, requests: int, seed: int, arrivals: Any
) -> None:
    due = schedule(Load(requests=requests, rate=rate, seed=seed, arrivals=arrivals))
    assert due is not None
    assert (len(due), due[0]) == (requests, 0)
    assert all(before <= after for before, after in pairwise(due))


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_one_after_the_other_calls_are_due_as_all_at_once(arrivals: Any) -> None:
    load = Load(requests=50, rate=3.0, arrivals=arrivals)
    assert list(times(load)) == list(schedule(load) or ())
    assert count(load) == 50


def test_how_many_calls_come_is_known_beforehand_unless_chance_or_the_answers_decide() -> None:
    assert count(Load(duration_s=10.0, rate=2.5)) == len(list(times(Load(duration_s=10.0, rate=2.5)))) == 25
    assert count(Load(duration_s=10.0, rate=2.5, arrivals="poisson")) is None
    assert count(Load(duration_s=10.0, concurrency=2)) is None
    assert count(Load(requests=7, concurrency=2)) == 7


def test_in_a_closed_loop_nothing_is_due() -> None:
    assert list(times(Load(requests=5, concurrency=2))) == []


@pytest.mark.parametrize(
    "load",
    [
        Load(requests=1, rate=0.001),
        Load(requests=1, concurrency=1),
        Load(duration_s=0.5, rate=1, sample=0),
        Load(duration_s=1, concurrency=10_000, sample=1),
        Load(requests=1, rate=1, arrivals="poisson"),
    ],
)
def test_a_load_that_can_be_sent_is_accepted(load: Load) -> None:
    assert validate(load) is None  # type: ignore[func-returns-value]  # that it says nothing is the point


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (Load(rate=1), "neither --requests nor --duration is set"),
        (Load(requests=1), "neither --rate nor --concurrency is set"),
        (Load(requests=1, duration_s=1, rate=1), "--requests and --duration exclude each other"),
        (Load(requests=1, rate=1, concurrency=1), "--rate and --concurrency exclude each other"),
        (Load(requests=0, rate=1), "--requests 0: not in range"),
        (Load(requests=-3, rate=1), "--requests -3: not in range"),
        (Load(requests=10**9, rate=1), "--requests 1000000000: not in range"),
        (Load(requests=True, rate=1), "--requests True: not in range"),
        (Load(requests=1.5, rate=1), "--requests 1.5: not in range"),  # type: ignore[arg-type]
        (Load(requests=1, concurrency=0), "--concurrency 0: not in range"),
        (Load(requests=1, concurrency=10_001), "--concurrency 10001: not in range"),
        (Load(requests=1, rate=0.0), "--rate 0.0: not in range"),
        (Load(requests=1, rate=-1.0), "--rate -1.0: not in range"),
        (Load(requests=1, rate=math.nan), "--rate nan: not in range"),
        (Load(requests=1, rate=math.inf), "--rate inf: not in range"),
        (Load(requests=1, rate="fast"), "--rate fast: not in range"),  # type: ignore[arg-type]
        (Load(duration_s=0, rate=1), "--duration 0: not in range"),
        (Load(duration_s=math.inf, rate=1), "--duration inf: not in range"),
        (Load(requests=1, rate=1, timeout_s=0), "--timeout 0: not in range"),
        (Load(requests=1, rate=1, sample=1.1), "--sample 1.1: not a share"),
        (Load(requests=1, rate=1, sample=-0.1), "--sample -0.1: not a share"),
        (Load(requests=1, rate=1, sample=math.nan), "--sample nan: not a share"),
        (
            Load(requests=1, rate=1, arrivals="bursty"),
            "--arrivals 'bursty': unknown — did you mean 'burst:on=1s,off=4s'?",
        ),
        (Load(duration_s=1e6, rate=1e6), "--rate 1e+06 for --duration 1e+06s is more than 20,000,000 calls"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused_by_its_flag_with_a_next_step(load: Load, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        validate(load)
    assert str(refused.value) == told
    assert refused.value.next_step


def test_who_keeps_every_call_in_memory_takes_fewer_of_them() -> None:
    long = Load(duration_s=600.0, rate=20_000.0)
    validate(long)
    with pytest.raises(UsageError, match="is more than 5,000,000 calls"):
        validate(long, MOST_KEPT)
