"""Calls that were tried again, and joins: when such a call was complete, and what it counts as."""

from __future__ import annotations

from tests.unit.checks.simulation import Run
from tests.unit.checks.story import CALL
from tests.unit.checks.test_patterns import DOWN, fallen_back, join, looped, mapped, retried
from toolkit.measure import measure
from toolkit.measure.complete import completions
from toolkit.results import Load, Measurement


def measured(run: Run) -> Measurement:
    return measure(run.calls, run.evidence, chain=run.chain, asked=Load(requests=1, concurrency=1))


def completed(run: Run) -> set[str]:
    return set(completions(run.chain, run.evidence.receipts))


def test_attempts_that_were_made_good_are_no_reason_to_wait_for_a_receipt() -> None:
    assert completed(retried(DOWN, None, reached=False)) == {CALL}
    assert completed(fallen_back(DOWN, DOWN, instead=1)) == {CALL}


def test_attempts_that_were_made_good_did_no_harm() -> None:
    found = measured(retried(DOWN, DOWN, None))
    assert (found.failed_handlings, found.retried_handlings) == (2, 2)
    found = measured(fallen_back(DOWN, DOWN, instead=1))
    assert (found.failed_handlings, found.retried_handlings) == (2, 2)


def test_a_call_is_complete_once_its_join_ran_and_not_while_it_waits() -> None:
    story, parts = mapped(4)
    assert completed(story.run()) == set()
    join(parts)
    assert completed(story.run()) == {CALL}


def test_parts_that_waited_are_no_ends_and_no_repetitions() -> None:
    story, parts = mapped(4)
    join(parts)
    found = measured(story.run())
    assert found.duplicated == 0
    assert found.completions is not None
    assert found.completions.completed == 1
    assert found.completions.first_us is None  # it has one end: that of the join


def test_a_loop_is_one_hop_with_many_messages() -> None:
    found = measured(looped(50, loop=50))
    assert found.traces_complete == 1
    assert [(hop.source, hop.to, hop.n) for hop in found.hops] == [("caller", "a", 1), ("a", "b", 1), ("b", "b", 50)]
    assert found.completion_us is not None
