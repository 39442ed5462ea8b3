"""Numbers of a plan."""

from __future__ import annotations

import pytest

from toolkit.measure.planned import planned

MS = 1_000_000


def test_equal_distances_have_no_spread_and_one_rate() -> None:
    found = planned([place * 10 * MS for place in range(1000)], 10.0)
    assert (found.calls, found.duration_s, found.last_s, found.mean_rate, found.busiest) == (1000, 10, 9.99, 100, 100)
    assert [rate for _, rate in found.rate_over_time] == pytest.approx([100] * 60, rel=0.06)
    assert found.gaps is not None
    assert (found.gaps.min, found.gaps.p50, found.gaps.max, found.gaps.spread) == (10_000, 10_000, 10_000, 0)
    assert found.gap_counts[-1] == (10_000, 999)


def test_stretches_hold_all_calls_whatever_their_number() -> None:
    due = [place * place * MS for place in range(300)]
    for stretches in (1, 7, 60):
        over_time = planned(due, 90.0, stretches=stretches).rate_over_time
        step = over_time[0][0]
        assert sum(rate * step for _, rate in over_time) == pytest.approx(300)


def test_a_load_that_is_sent_for_longer_than_meant_lasts_as_long_as_it_does() -> None:
    assert planned([0, 3_000 * MS], 2.0).duration_s == 3.0


def test_pauses_stand_apart_from_what_is_usual() -> None:
    due = [burst * 5_000 * MS + place * 10 * MS for burst in range(4) for place in range(100)]
    found = planned(due, 20.0)
    assert found.gap_counts[-1] == (4_010_000, 3)
    assert sum(calls for _, calls in found.gap_counts) == 399
    assert found.gap_counts[-2][0] == 80_000


def test_one_call_has_no_gap_and_calls_at_once_have_gaps_of_nothing() -> None:
    assert (planned([0], 1.0).gaps, planned([0], 1.0).gap_counts) == (None, ())
    at_once = planned([0, 0, 0], 0.0)
    assert (at_once.mean_rate, at_once.gaps and at_once.gaps.spread) == (None, 0.0)
    assert sum(calls for _, calls in at_once.gap_counts) == 2


def test_a_plan_of_many_days_needs_no_row_for_each_second() -> None:
    found = planned([0, 80_000_000_000 * MS], 80_000_000.0)
    assert (found.busiest, len(found.rate_over_time)) == (1, 10)
