"""Which part of what was scattered a message is, on the wire and back."""

from __future__ import annotations

import pytest

from toolkit.sdk.parts import MOST, Place, read, shared, written

A, B = Place("a" * 32, 2, 5), Place("b" * 32, 0, 1)


@pytest.mark.parametrize("stack", [(), (A,), (B, A), (B, B, A)])
def test_what_is_written_is_read(stack: tuple[Place, ...]) -> None:
    assert read(written(stack)) == stack


def test_scatters_that_are_too_many_are_forgotten_from_the_outermost_on() -> None:
    assert read(written((A, *[B] * (MOST + 3)))) == (A, *[B] * (MOST - 1))


UNREADABLE = (
    {},
    {"partindex": "1"},
    {"partindex": "-1", "parttotal": "2"},
    {"partindex": "1", "parttotal": "9" * 10},
    {"partindex": "²", "parttotal": "2"},
)


@pytest.mark.parametrize("said", UNREADABLE)
def test_what_cannot_be_read_is_no_part(said: dict[str, str]) -> None:
    assert read(said) == ()


def test_hostile_words_are_left_out() -> None:
    said = {"partindex": "1", "parttotal": "2", "partof": "x\n", "partouter": "," * 5000}
    assert read(said) == (Place("", 1, 2),)


def test_messages_that_are_handled_together_share_the_outermost_scatters_they_agree_in() -> None:
    assert shared([(A, B), (B, B)]) == (B,)
    assert shared([(A, B), (A, B)]) == (A, B)
    assert shared([(A, B), (A,)]) == ()
    assert shared([]) == ()
