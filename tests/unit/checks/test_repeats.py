"""Messages that were sent or handled again: what explains it, and what nothing explains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.story import Story, chain
from tests.unit.checks.test_judge import checks_of, red
from tests.unit.checks.test_patterns import BROKEN, event

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
