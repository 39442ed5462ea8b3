"""When a generator does not trust its own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.unit.checks.simulation import PAIR
from toolkit.measure.audit import notes, reasons
from toolkit.measure.measurement import measure
from toolkit.results import CallRecord, Elapsed, Evidence, Load

MS = 1_000_000
OPEN = Load(requests=100, rate=100.0)


LATE_OR_FULL = "too many were in flight, or they were too late; lower --rate"


def sent(late_ns: Sequence[int], interval_ns: int = 10 * MS, status: str = "OK") -> list[CallRecord]:
    """Calls that were due at an interval and were sent late by so much."""
    return [
        CallRecord(
            at, f"{at:032x}", "", False, at * interval_ns, at * interval_ns + late, at * interval_ns + late + MS, status
        )
        for at, late in enumerate(late_ns)
    ]


def told(calls: list[CallRecord], load: Load = OPEN, elapsed: Elapsed | None = None) -> list[str]:
    return list(reasons(calls, load, elapsed))


def test_a_generator_in_time_is_trusted() -> None:
    assert told(sent([100_000] * 100)) == []


def test_nothing_sent_is_no_measurement() -> None:
    assert told([]) == ["nothing was sent"]


def test_a_late_generator_is_not_trusted_and_says_what_to_do() -> None:
    assert told(sent([0] * 985 + [6 * MS] * 15)) == [
        "the generator was late: the p99 of its lateness is 6.0 ms, more than 5.0 ms; "
        "lower --rate or give it a core of its own"
    ]


def test_one_late_call_in_a_hundred_is_tolerated() -> None:
    assert told(sent(([0] * 50 + [50 * MS] + [0] * 49) * 10)) == []


def test_a_small_run_is_judged_by_a_quantile_that_it_has() -> None:
    assert told(sent([0] * 190 + [6 * MS] * 10)) == []
    (reason,) = told(sent([0] * 185 + [6 * MS] * 15))
    assert "the p95 of its lateness is 6.0 ms" in reason
    (reason,) = told(sent([6 * MS] * 5))
    assert "the p50 of its lateness is 6.0 ms" in reason


def test_slow_rates_tolerate_a_tenth_of_their_interval() -> None:
    slow = Load(requests=20, rate=5.0)
    assert told(sent([19 * MS] * 20, 200 * MS), slow) == []
    assert len(told(sent([21 * MS] * 20, 200 * MS), slow)) == 1


def test_of_recorded_calls_the_interval_is_that_of_the_recording() -> None:
    recorded = Load(requests=20, arrivals="recorded:calls.csv", recorded="counts/1000000000 20")
    assert told(sent([19 * MS] * 20, 200 * MS), recorded) == []
    assert len(told(sent([21 * MS] * 20, 200 * MS), recorded)) == 1


def test_on_a_ramp_the_slow_beginning_does_not_excuse_all_that_follows() -> None:
    ramp = Load(requests=100, rate=1.0, arrivals="ramp:to=200")
    assert len(told(sent([6 * MS] * 100), ramp)) == 1


def test_between_bursts_nobody_has_time() -> None:
    burst = Load(requests=20, rate=50.0, arrivals="burst:on=1s,off=9s")
    assert len(told(sent([6 * MS] * 20, 200 * MS), burst)) == 1


def test_but_never_more_than_fifty_milliseconds() -> None:
    assert len(told(sent([51 * MS] * 20, 10_000 * MS), Load(requests=20, rate=0.1))) == 1


def test_a_rate_that_was_not_kept_is_told() -> None:
    calls = sent([at * MS for at in range(100)])
    assert "the calls were sent at 91% of the asked rate" in told(calls)


def test_a_few_milliseconds_do_not_spoil_the_rate_of_a_short_run() -> None:
    assert told(sent([0, 4 * MS], interval_ns=MS)) == []


def test_a_closed_loop_has_no_due_times_to_miss() -> None:
    assert told(sent([90 * MS] * 20), Load(requests=20, concurrency=2)) == []


def test_calls_that_the_generator_refused_to_send_spoil_the_run() -> None:
    calls = sent([0] * 20)
    calls[7] = replace(calls[7], status="RESOURCE_EXHAUSTED", refused=True)
    assert told(calls) == [f"the generator did not send 1 of 20 calls: {LATE_OR_FULL}"]


def test_calls_that_the_chain_refused_do_not() -> None:
    assert told(sent([0] * 20, status="RESOURCE_EXHAUSTED")) == []


def test_a_wall_clock_that_moved_is_told_with_its_direction() -> None:
    second = 1000 * MS
    assert told(sent([0]), elapsed=Elapsed(9 * second, 10 * second)) == ["the clock moved by -1000 ms during the run"]
    assert told(sent([0]), elapsed=Elapsed(10 * second + 19 * MS, 10 * second)) == []


def test_slewing_over_a_long_run_is_no_jump() -> None:
    hour = 3600 * 1000 * MS
    assert told(sent([0]), elapsed=Elapsed(hour + 500 * MS, hour)) == []


def test_failed_calls_are_a_result_not_a_reason_for_distrust() -> None:
    assert told(sent([0] * 20, status="INTERNAL")) == []


def test_few_samples_are_noted_and_do_not_make_a_run_invalid() -> None:
    measurement = measure(sent([0] * 20), Evidence(), chain=PAIR, asked=OPEN)
    assert measurement.invalid == ()
    assert notes(measurement) == ("20 warm calls are too few for a p99: 1,000 are needed",)
