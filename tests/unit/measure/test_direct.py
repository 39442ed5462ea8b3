from __future__ import annotations

from toolkit.measure.direct import Calls, numbers
from toolkit.results import Elapsed, Load

MS = 1_000_000
STILL = Elapsed(0, 0)


def even(count: int, *, took: int = 2 * MS, late: int = 0, every: int = 10 * MS) -> Calls:
    due = [at * every for at in range(1, count + 1)]
    sent = [at + late for at in due]
    return Calls(due, sent, [at + took for at in sent], [1] * count, (("OK", count),))


def test_latency_counts_from_due_and_service_time_from_sent() -> None:
    found = numbers(even(100, late=1 * MS), Load(requests=100, rate=100.0), STILL)
    assert found.latency_us is not None
    assert found.service_time_us is not None
    assert found.lateness_us is not None
    assert (found.latency_us.p50, found.service_time_us.p50, found.lateness_us.max) == (3000, 2000, 1000)
    assert (found.sent, found.ok, found.failed, found.lost, found.invalid) == (100, 100, 0, 0, ())
    assert found.achieved_rate == 100


def test_failed_and_lost_calls_are_counted_and_never_timed() -> None:
    calls = even(4)
    spoilt = Calls(calls.due, calls.sent, [calls.done[0], 0, calls.done[2], 0], [1, 0, 0, 0])
    found = numbers(spoilt, Load(requests=4, rate=100.0), STILL)
    assert (found.ok, found.failed, found.lost) == (1, 1, 2)
    assert found.latency_us is not None
    assert found.latency_us.n == 1


def test_nothing_is_no_number() -> None:
    found = numbers(Calls([], [], [], []), Load(requests=4, rate=100.0), STILL)
    assert (found.sent, found.latency_us, found.achieved_rate, found.duration_s) == (0, None, None, 0.0)
    assert found.invalid == ("nothing was sent",)


def test_a_generator_that_was_late_or_left_calls_out_is_no_measurement() -> None:
    late = numbers(even(1000, late=80 * MS), Load(requests=1000, rate=100.0), STILL)
    assert any("the generator was late" in each for each in late.invalid)
    calls = even(10)
    left_out = Calls(calls.due, calls.sent, calls.done, calls.ok, refused=3)
    found = numbers(left_out, Load(requests=13, rate=100.0), STILL)
    assert found.invalid == (
        "the generator did not send 3 of 13 calls: too many were in flight, or they were too late; lower --rate",
    )


def test_a_closed_loop_has_no_lateness_and_its_rate_is_that_of_the_answers() -> None:
    found = numbers(even(100), Load(requests=100, concurrency=1), STILL)
    assert found.lateness_us is None
    assert found.achieved_rate is not None
    assert 99 < found.achieved_rate < 101.1


def test_a_clock_that_moved_is_told() -> None:
    found = numbers(even(10), Load(requests=10, rate=100.0), Elapsed(5_000 * MS, 4_000 * MS))
    assert found.invalid == ("the clock moved by +1000 ms during the run",)
