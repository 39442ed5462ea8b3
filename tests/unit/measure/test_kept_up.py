"""Whether an asynchronous chain kept up: what was accepted, what was completed, and what lay between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checks.simulation import EVENT_PAIR, FAN_OUT, MS, PAIR, Run, healthy
from toolkit.measure import measure
from toolkit.results import Completions, Evidence, Load, Stamped

LOAD = Load(requests=3, rate=100.0)
START = 1000 * MS


def sent(run: Run, every_ms: int = 10, took_ms: int = 2) -> Run:
    """Calls that leave one after the other, each answered a little later."""
    for place, call in enumerate(run.calls):
        at = START + place * every_ms * MS
        run.calls[place] = replace(call, due_ns=at, sent_ns=at, done_ns=at + took_ms * MS)
    return run


def kept_up(run: Run, late_ms: Callable[[int, str], int]) -> Completions | None:
    """`late_ms` says how long after its call was due a receipt came, by the place of the call and the function."""
    due = {call.call: (place, call.due_ns) for place, call in enumerate(run.calls)}
    stamped = []
    for receipt in run.receipts:
        place, at = due[receipt.call]
        stamped.append(Stamped(receipt, at + late_ms(place, receipt.function) * MS))
    return measure(run.calls, Evidence(stamped), chain=run.chain, asked=LOAD).completions


def test_a_chain_without_events_has_nothing_to_keep_up_with() -> None:
    assert kept_up(sent(healthy(PAIR, 3)), lambda *_: 1) is None


def test_a_chain_that_keeps_up_has_no_backlog() -> None:
    found = kept_up(sent(healthy(EVENT_PAIR, 11)), lambda *_: 1)
    assert found == Completions(accept_rate=100.0, completion_rate=100.0, backlog=0, completed=11)


def test_what_is_completed_after_the_last_sending_was_behind() -> None:
    """Accepted at once, completed only when nobody sends any more: two rates, and the third number between them."""
    found = kept_up(sent(healthy(EVENT_PAIR, 11)), lambda place, _: 1 if place < 4 else 500)
    assert found == Completions(accept_rate=100.0, completion_rate=40.0, backlog=6, completed=11)


def test_what_is_never_completed_stays_behind() -> None:
    run = sent(healthy(EVENT_PAIR, 11))
    run.forget([each for each in run.receipts if each.function == "b"][:5])
    found = kept_up(run, lambda *_: 1)
    assert found is not None
    assert (found.backlog, found.completed) == (5, 6)


def test_what_was_not_accepted_is_not_behind() -> None:
    run = sent(healthy(EVENT_PAIR, 11))
    run.calls[3] = replace(run.calls[3], status="UNAVAILABLE")
    found = kept_up(run, lambda place, _: 500)
    assert found is not None
    assert (found.accept_rate, found.backlog) == (90.0, 9)


def test_of_one_call_there_is_no_rate() -> None:
    found = kept_up(sent(healthy(EVENT_PAIR, 1)), lambda *_: 1)
    assert found == Completions(None, None, 0, 1)


def test_a_call_that_ends_in_several_places_has_a_first_end() -> None:
    found = kept_up(sent(healthy(FAN_OUT, 20)), lambda _, function: {"b": 3, "c": 8}.get(function, 1))
    assert found is not None
    assert found.first_us is not None
    assert (found.first_us.n, found.first_us.min, found.first_us.max) == (20, 3000.0, 3000.0)


def test_a_call_that_ends_in_one_place_has_no_first_end_besides_its_last() -> None:
    found = kept_up(sent(healthy(EVENT_PAIR, 20)), lambda *_: 1)
    assert found is not None
    assert found.first_us is None


@given(st.lists(st.integers(0, 300), min_size=2, max_size=20))
def test_what_was_accepted_in_time_was_completed_in_time_or_is_behind(late_ms: list[int]) -> None:
    run = sent(healthy(EVENT_PAIR, len(late_ms)), took_ms=0)
    found = kept_up(run, lambda place, _: late_ms[place])
    assert found is not None
    assert found.accept_rate is not None
    assert found.completion_rate is not None
    window_s = (len(late_ms) - 1) * 0.01
    assert round((found.accept_rate - found.completion_rate) * window_s) == found.backlog
