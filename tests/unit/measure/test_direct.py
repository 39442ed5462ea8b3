from __future__ import annotations

import numpy as np
import pytest

from toolkit.columns import DTYPE, LOST, REFUSED, WARMUP
from toolkit.measure.direct import Told, endings, numbers, quantiles_of
from toolkit.measure.quantiles import quantiles
from toolkit.measure.rows import Rows
from toolkit.results import Elapsed, Load

MS = 1_000_000
STILL = Elapsed(0, 0)


def even(count: int, *, took: int = 2 * MS, late: int = 0, every: int = 10 * MS) -> Rows:
    rows = np.zeros(count, DTYPE)
    rows["seq"] = np.arange(count)
    rows["due_ns"] = (rows["seq"] + 1) * every
    rows["sent_ns"] = rows["due_ns"] + late
    rows["first_ns"] = rows["done_ns"] = rows["sent_ns"] + took
    return rows


def test_latency_counts_from_due_and_service_time_from_sent() -> None:
    found = numbers([even(100, late=1 * MS)], Load(requests=100, rate=100.0), STILL)
    assert found.latency_us is not None
    assert found.service_time_us is not None
    assert found.lateness_us is not None
    assert (found.latency_us.p50, found.service_time_us.p50, found.lateness_us.max) == (3000, 2000, 1000)
    assert (found.sent, found.ok, found.failed, found.lost, found.invalid) == (100, 100, 0, 0, ())
    assert found.achieved_rate == 100


def test_failed_and_lost_calls_are_counted_and_never_timed() -> None:
    rows = even(4)
    rows["status"][1], rows["status"][3], rows["done_ns"][3] = 1, LOST, 0
    found = numbers([rows], Load(requests=4, rate=100.0), STILL)
    assert (found.ok, found.failed, found.lost) == (2, 1, 1)
    assert found.latency_us is not None
    assert found.latency_us.n == 2
    assert endings(rows, ("OK", "UNAVAILABLE")) == {"OK": 2, "UNAVAILABLE": 1, "LOST": 1}


def test_the_warm_up_is_in_no_number_but_its_own() -> None:
    rows = even(100)
    rows["flags"][:30] = WARMUP
    rows["done_ns"][:30] += 5_000 * MS
    found = numbers([rows], Load(requests=100, rate=100.0), STILL)
    assert found.latency_us is not None
    assert (found.sent, found.ok, found.warmup, found.latency_us.n, found.latency_us.max) == (70, 70, 30, 70, 2000)
    assert endings(rows, ("OK",)) == {"OK": 70}


def test_only_a_warm_up_is_no_measurement() -> None:
    rows = even(10)
    rows["flags"] = WARMUP
    assert numbers([rows], Load(requests=10, rate=100.0), STILL).invalid == ("nothing was sent but the warm-up",)


def test_rows_of_several_generators_are_one_load() -> None:
    rows = even(1000)
    found = numbers([rows[1::2], rows[::2]], Load(requests=1000, rate=100.0), STILL)
    assert found == numbers([rows], Load(requests=1000, rate=100.0), STILL)
    assert (found.sent, found.achieved_rate) == (1000, 100)


def test_nothing_is_no_number() -> None:
    found = numbers([even(0)], Load(requests=4, rate=100.0), STILL)
    assert (found.sent, found.latency_us, found.achieved_rate, found.duration_s) == (0, None, None, 0.0)
    assert found.invalid == ("nothing was sent",)


def test_a_generator_that_was_late_or_left_calls_out_is_no_measurement() -> None:
    late = numbers([even(1000, late=80 * MS)], Load(requests=1000, rate=100.0), STILL)
    assert any("the generator was late" in each for each in late.invalid)
    left_out = even(13)
    left_out["flags"][10:] = REFUSED
    found = numbers([left_out], Load(requests=13, rate=100.0), STILL)
    assert found.invalid == (
        "the generator did not send 3 of 13 calls: too many were in flight, or they were too late; lower --rate",
    )


def test_a_rate_that_was_not_kept_is_no_measurement() -> None:
    rows = even(1000)
    rows["sent_ns"] += np.arange(1000) * MS
    rows["done_ns"] += np.arange(1000) * MS
    found = numbers([rows], Load(requests=1000, rate=100.0), STILL)
    assert "the calls were sent at 91% of the asked rate" in found.invalid


def test_a_generator_without_processor_time_left_that_was_late_is_no_measurement() -> None:
    rows, load = even(1000, late=2 * MS), Load(requests=1000, rate=100.0)
    assert numbers([rows], load, STILL, Told(cpus=(0.5,))).invalid == ()
    found = numbers([rows], load, STILL, Told(cpus=(0.5, 0.97)))
    assert len(found.invalid) == 1
    assert "used 97% of a processor and was late" in found.invalid[0]


def test_what_a_dead_generator_left_open_is_lost_or_unsent_and_told() -> None:
    told = Told(unknown=3, unsent=7, why=("generator 2: it was killed by signal 9",))
    found = numbers([even(90)], Load(requests=100, rate=100.0), STILL, told)
    assert (found.sent, found.lost, found.refused) == (93, 3, 7)
    assert found.invalid[0] == "generator 2: it was killed by signal 9"


def test_a_closed_loop_has_no_lateness_and_its_rate_is_that_of_the_answers() -> None:
    found = numbers([even(100)], Load(requests=100, concurrency=1), STILL)
    assert found.lateness_us is None
    assert found.achieved_rate is not None
    assert 99 < found.achieved_rate < 101.1


def test_a_clock_that_moved_is_told() -> None:
    found = numbers([even(10)], Load(requests=10, rate=100.0), Elapsed(5_000 * MS, 4_000 * MS))
    assert found.invalid == ("the clock moved by +1000 ms during the run",)


@pytest.mark.parametrize("n", [1, 19, 20, 999, 1001, 10_000])
def test_quantiles_are_those_of_every_other_report(n: int) -> None:
    values = np.sort(np.random.default_rng(n).integers(1, 10**8, n))
    exact = quantiles([value / 1e3 for value in values.tolist()])
    found = quantiles_of(values)
    assert exact is not None
    assert found is not None
    for name in ("n", "min", "p50", "p90", "p95", "p99", "p999", "max"):
        assert getattr(found, name) == getattr(exact, name)
    assert found.mean == pytest.approx(exact.mean)


@pytest.mark.parametrize(("cpu", "valid"), [(0.96, False), (0.94, True)])
def test_a_closed_loop_whose_generator_was_busy_all_the_time_is_no_measurement(cpu: float, valid: bool) -> None:
    found = numbers([even(100)], Load(requests=100, concurrency=4), STILL, Told(cpus=(0.2, cpu)))
    assert (found.invalid == ()) is valid
    assert valid or "96% of a core" in found.invalid[0]
