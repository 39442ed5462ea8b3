"""What goes into a page, and that nothing in it is taken for markup."""

from __future__ import annotations

import json

from tests.unit.report.traces.made import HOSTILE, eventing, hostile, problems, span, traced
from toolkit import traced as tracing
from toolkit.report.traces import embedding


def test_no_text_can_end_the_element_that_holds_it() -> None:
    text = embedding.text({HOSTILE: HOSTILE})
    assert json.loads(text) == {HOSTILE: HOSTILE}
    assert text.isascii()
    assert not set(text) & {"<", ">", "&"}


def test_a_page_holds_all_of_few_traces_and_says_nothing_of_it() -> None:
    document = json.loads(tracing.embedded(traced([eventing(number) for number in range(30)])) or "")
    assert problems("embedded", document) == []
    assert len(document["details"]) == 30
    assert document["overview"]["note"] is None


def test_a_page_holds_those_worth_opening_and_says_of_how_many() -> None:
    traces = [
        eventing(number, slower=1 + number % 7, tags={"error": "x"} if number == 77 else None) for number in range(2000)
    ]
    found = traced(traces)
    document = json.loads(tracing.embedded(found) or "")
    assert problems("embedded", document) == []
    assert len(document["details"]) == embedding.MOST
    assert "120 of 2,000 traces can be opened" in document["overview"]["note"]
    assert traces[77][0].trace in document["details"]
    assert {each.trace for each in found.gathered.analysis.exemplars} <= set(document["details"])
    assert max(each["duration_us"] for each in document["details"].values()) == 1300 * 7


def test_every_trace_that_can_be_opened_stands_in_the_list() -> None:
    document = json.loads(tracing.embedded(traced([eventing(number) for number in range(2000)])) or "")
    assert set(document["details"]) <= {line["id"] for line in document["overview"]["traces"]}
    assert document["overview"]["more"]


def test_details_stop_where_the_room_does() -> None:
    large = [[span(number, 1, "a", None, None, 0, 9, tags={"t": "x" * 4000})] for number in range(1000)]
    found = traced(large, None)
    text = embedding.embed(
        found.overview(), embedding.chosen(found.gathered.lines, found.gathered.analysis), found.trace, 100_000
    )
    document = json.loads(text)
    assert 20 < len(document["details"]) < 25
    assert len(json.dumps(document["details"])) < 110_000


def test_no_traces_embed_nothing() -> None:
    assert tracing.embedded(traced([])) is None


def test_traces_at_the_percentiles_of_the_other_can_be_opened() -> None:
    other = [eventing(number, slower=2) for number in range(5000, 5040)]
    document = json.loads(tracing.embedded(traced([eventing(number) for number in range(40)]), traced(other)) or "")
    wanted = {each["trace"] for each in document["overview"]["against"]["analysis"]["exemplars"]}
    assert wanted
    assert wanted <= set(document["details"])


def test_hostile_words_are_embedded_as_they_are() -> None:
    document = json.loads(tracing.embedded(traced([hostile(number) for number in range(3)], None)) or "")
    rows = [row for each in document["details"].values() for row in each["rows"]]
    assert {row["name"] for row in rows} == {HOSTILE}
