"""What a report is told of the broker: one by one at first, in short lines, whatever producers put into them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engines.local.broker.event import Message
from toolkit.engines.local.broker.incidents import LIMIT, Incidents
from toolkit.results import Incident

LINE = 4096  # bytes, the end of the line included


def line(incident: Incident) -> bytes:
    """As the process writes it."""
    told = ("kind", "subject", "text", "message", "count")
    text = json.dumps({"incident": {name: getattr(incident, name) for name in told}}, separators=(",", ":"))
    return text.encode() + b"\n"


def told(subject: str, text: str, message: str) -> list[Incident]:
    """Every form an incident has: each kind, the repeated warning, and what is only counted."""
    found: list[Incident] = []
    incidents = Incidents(found.append)
    for _ in range(LIMIT + 2):
        incidents.warn(subject, text)
        incidents.undelivered(subject, text, message)
        incidents.dead_letter(subject, text, message)
    incidents.close()
    return found


@pytest.mark.parametrize("character", ["a", '"', "\\", "\0", "\xff", "\u20ac", "\U0001f600", "\ud800"])
def test_an_incident_is_a_line_of_4_kib_at_most_whatever_it_is_about(character: str) -> None:
    long = character * 100_000
    found = told(long, long, long)
    assert {each.kind for each in found} == {"warning", "undelivered", "dead-letter"}
    assert max(len(line(each)) for each in found) <= LINE


@given(st.text(max_size=2000), st.text(max_size=2000), st.text(max_size=2000))
def test_any_texts_make_a_short_line(subject: str, text: str, message: str) -> None:
    assert max(len(line(each)) for each in told(subject, text, message)) <= LINE


def test_what_was_cut_says_so_and_what_was_not_is_whole() -> None:
    found: list[Incident] = []
    incidents = Incidents(found.append)
    incidents.undelivered("s" * 200, "t" * 300, "m" * 200)
    incidents.undelivered("s" * 201, "t" * 301, "\U0001f600" * 200)
    whole, cut = found
    assert (whole.subject, whole.text, whole.message) == ("s" * 200, "t" * 300, "m" * 200)
    assert (cut.subject, cut.text) == ("s" * 199 + "…", "t" * 299 + "…")
    assert cut.message is not None
    assert cut.message.startswith("\U0001f600" * 80)
    assert cut.message.endswith("…")


def test_warnings_of_long_subjects_do_not_pile_up_in_memory() -> None:
    incidents = Incidents(lambda incident: None)
    for number in range(100):
        incidents.warn(f"{number}" + "x" * 100_000, "y" * 100_000)
    kept = [*incidents._seen, *incidents._untold]
    assert sum(len(text) for key in kept for text in key) < 100_000


def test_what_became_of_an_event_is_told_also_when_its_id_and_type_are_long() -> None:
    found: list[Incident] = []
    message = Message({b"id": b"i" * 5000, b"type": b"t" * 5000}, None, b"")
    Incidents(found.append).undelivered("s", f"{message.describe()} is lost: http://x/ answered 400", message.id)
    assert found[0].text.endswith("is lost: http://x/ answered 400")
