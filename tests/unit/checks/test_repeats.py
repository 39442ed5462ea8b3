"""Messages that were sent or handled again: what explains it, and what nothing explains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.simulation import Run
from tests.unit.checks.story import Story, chain
from tests.unit.checks.test_judge import checks_of, red
from tests.unit.checks.test_patterns import BROKEN, DOWN, attempt_all, call, event
from toolkit.checks import attempts
from toolkit.sdk import attempts as scaffold

# --- one id, two messages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "accepted", "wrong"), [(b"A", True, False), (b"B", True, True), (b"B", False, False)]
)
def test_an_id_that_two_different_messages_had_is_not_intact(second: bytes, accepted: bool, wrong: bool) -> None:
    """b failed behind its send, was handled again, and sent something else under the same id."""
    story = Story(chain(event("a", "b", "go"), event("b", "c", "on")))
    (first,) = story.call().emits("go")
    first.error = BROKEN
    first.emits("on", b"A")
    again = replace(first, error=None, sent=[])
    story.handled(again, "CONSUMER", first.span)
    again.emits("on", second)
    again.sent[0] = replace(again.sent[0], accepted=accepted)
    assert ("intact" in red(story.run())) is wrong
    if wrong:
        assert checks_of(story.run())["intact"].got == (
            "1 wrong: b sent 2 different messages with one id, an event on, when it handled a message again: "
            "sends that race need a `key` (call 000000000000)"
        )


# --- handled again because a sender failed ----------------------------------------------------------------------------


def handed_on(first: str | None, second: str | None = None, copies: int = 1) -> Run:
    """a → b → c → d: b hands the message on in each of two handlings, of which the first ends with `first`."""
    story = Story(chain(event("a", "b", "go"), event("b", "c", "on"), event("c", "d", "further")))
    (b,) = story.call().emits("go")
    again = replace(b, error=second, sent=[])
    b.error = first
    story.handled(again, "CONSUMER", b.span)
    for handling in (b, again):
        for c in handling.emits("on"):
            c.emits("further")
            for _ in range(copies - 1):
                copy = story.handled(replace(c, sent=[]), "CONSUMER", c.span)
                copy.emits("further")
    return story.run()


def test_what_a_handling_had_sent_before_it_failed_comes_again_when_that_is_delivered_again() -> None:
    run = handed_on(BROKEN)
    assert "once" not in red(run)
    assert checks_of(run)["once"].got == (
        "4 handlings; 2 repetitions that follow from a handling that failed and was delivered again; "
        "1 handling failed and was retried with success"
    )


def test_what_a_broker_delivers_twice_of_itself_stays_wrong() -> None:
    assert "once" in red(handed_on(None))
    lines = " ".join(checks_of(handed_on(None))["once"].details)
    assert all(f"{name} handled a message" in lines for name in "bcd")


def test_a_failure_explains_no_more_repetitions_than_there_were_sends() -> None:
    """b failed, and was handled again; but c handled what came of it four times."""
    run = handed_on(BROKEN, copies=2)
    assert "once" in red(run)
    assert checks_of(run)["once"].got.startswith("2 wrong: c handled a message of b 4 times")


def test_a_failed_handling_whose_receipt_is_missing_explains_nothing() -> None:
    run = handed_on(BROKEN)
    run.receipts[:] = [each for each in run.receipts if each.error is None]
    assert "once" in red(run)


# --- given up before all attempts were made ---------------------------------------------------------------------------


def given_up(left_s: float | None, said: int = 1, instead: str | None = None, retry: int = 5) -> Run:
    """b failed `said` times, and then c stood in, with `left_s` seconds left for attempts that were never made."""
    story = Story(chain(call("a", "b", retry=retry), call("a", "c", fallback="b")))
    entry = story.call()
    first = attempt_all(entry, "b", [DOWN] * said)
    entry.sent[-1] = replace(entry.sent[-1], left_s=left_s)
    entry.instead(first, "c", fails=instead)
    return story.run()


@pytest.mark.parametrize(("left_s", "said"), [(0.0, 1), (0.05, 1), (0.1, 2), (0.2, 3), (0.7999, 5)])
def test_who_had_no_time_for_another_attempt_may_give_up(left_s: float, said: int) -> None:
    assert red(given_up(left_s, said)) == set()


@pytest.mark.parametrize(("left_s", "said"), [(None, 1), (0.06, 1), (30.0, 1), (0.25, 3), (2.1, 5)])
def test_who_had_time_for_another_attempt_gave_up_too_early(left_s: float | None, said: int) -> None:
    """A scaffold that never tries again cannot say that there was no time, or its deadline belies it."""
    assert red(given_up(left_s, said)) == {"followed"}
    assert (
        f"a tried a call to b {said} times, not 6, before it gave up"
        in checks_of(given_up(left_s, said))["followed"].got
    )


def test_the_checks_know_how_long_the_scaffold_waits() -> None:
    for attempt in (1, 2, 3, 5, 6, 7, 40):
        assert attempts.longest_pause_s(attempt) == pytest.approx(scaffold.pause_s(attempt, "f" * 32))
