"""A run along its time."""

from __future__ import annotations

import numpy as np

from tests.unit.measure.columns import MS, changed, changed_all, rows
from toolkit.columns import COLD, LOST, REFUSED, WARMUP
from toolkit.measure.timeline import timeline


def test_no_calls_have_no_timeline() -> None:
    assert timeline(rows(0)) is None


def test_every_call_counts_once_where_it_was_due() -> None:
    found = timeline(rows(1000))
    assert found is not None
    assert sum(each.due for each in found.intervals) == 1000
    assert sum(each.sent for each in found.intervals) == 1000
    assert sum(each.ok for each in found.intervals) == 1000


def test_intervals_are_round_and_no_more_than_asked_for() -> None:
    found = timeline(rows(10_000, every_ns=7 * MS), most=50)
    assert found is not None
    assert found.width_s == 2.0
    assert len(found.intervals) == 35


def test_one_call_is_one_interval() -> None:
    found = timeline(rows(1))
    assert found is not None
    assert [(each.due, each.p50, each.max) for each in found.intervals] == [(1, None, 1000.0)]


def test_a_call_that_left_late_is_in_a_later_interval_than_it_was_due() -> None:
    made = rows(400)
    made = changed(made, 0, sent_ns=int(made["due_ns"][399]))
    found = timeline(made)
    assert found is not None
    assert found.intervals[0].due - found.intervals[0].sent == 1
    assert found.intervals[-1].sent - found.intervals[-1].due == 1
    assert found.intervals[0].lateness_max == 399_000.0


def test_what_failed_was_lost_or_never_sent_is_counted_and_not_timed() -> None:
    made = changed_all(
        rows(4), {0: {"status": 1, "done_ns": 10**15}, 1: {"status": LOST, "done_ns": 0}, 2: {"flags": REFUSED}}
    )
    found = timeline(made)
    assert found is not None
    (only,) = found.intervals
    assert (only.ok, only.failed, only.lost, only.refused, only.max) == (1, 1, 1, 1, 1000.0)


def test_an_interval_of_few_calls_has_no_quantiles() -> None:
    found = timeline(rows(19))
    assert found is not None
    assert found.intervals[0].p50 is None
    assert found.intervals[0].max is not None


def test_the_tail_is_the_highest_quantile_that_intervals_have_calls_for() -> None:
    few, many = timeline(rows(2000)), timeline(rows(200_000), most=100)
    assert few is not None
    assert many is not None
    assert (few.tail, many.tail) == (None, 990)
    assert all(each.tail is not None for each in many.intervals[:-1])


def test_a_cold_call_is_apart() -> None:
    found = timeline(changed(rows(2, latency_ns=[900 * MS, MS]), 0, flags=COLD))
    assert found is not None
    assert (found.intervals[0].cold, found.intervals[0].max) == (1, 1000.0)
    assert [dot.cold for dot in found.dots] == [True, False]


def test_calls_of_a_small_run_are_told_one_by_one() -> None:
    small, large = timeline(changed(rows(3), 1, status=1)), timeline(rows(2001))
    assert small is not None
    assert large is not None
    assert [dot.latency_us for dot in small.dots] == [1000.0, None, 1000.0]
    assert [dot.at_s for dot in small.dots] == [0.0, 0.001, 0.002]
    assert large.dots == ()


def test_the_end_of_the_warm_up_is_told() -> None:
    found = timeline(changed_all(rows(10), {0: {"flags": WARMUP}, 1: {"flags": WARMUP}}))
    assert found is not None
    assert found.warmup_s == 0.001
    assert found.intervals[0].ok == 10


def test_rows_in_another_order_make_the_same_timeline() -> None:
    made = rows(500, latency_ns=range(500))
    assert timeline(np.random.default_rng(1).permutation(made)) == timeline(made)


def test_calls_that_were_all_due_at_once_are_one_interval() -> None:
    found = timeline(rows(50, every_ns=0))
    assert found is not None
    assert [each.due for each in found.intervals] == [50]
