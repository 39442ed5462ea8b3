"""The documents are what the schema says, whatever the traces are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.browser import traces_pages
from tests.unit.checks.test_patterns import scattered
from tests.unit.report.traces.made import (
    CHAIN,
    START,
    edge,
    eventing,
    gathered,
    hostile,
    labels,
    problems,
    span,
    strangers,
    traced,
)
from tests.unit.traces.made import any_span, calm, tangled
from toolkit.report.tables import milliseconds
from toolkit.report.traces import difference, one
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.lines import line
from toolkit.report.traces_text import FEW, slowest
from toolkit.traces.model import Span

MANY = [eventing(number) for number in range(20)]


def test_the_pages_own_examples_are_what_the_schema_says() -> None:
    for name, document in traces_pages.documents().items():
        if document is not None and name != "hostile":  # whose kinds of edges are hostile on purpose
            assert problems("embedded", document) == [], name


@pytest.mark.parametrize(
    "traces",
    [[], MANY, [strangers(1)], [hostile(1), hostile(2)], [[span(0, 1, "lone", None, None, 0, 0)]]],
    ids=["none", "many", "strangers", "hostile", "instant"],
)
@pytest.mark.parametrize("chain", [None, CHAIN], ids=["unknown chain", "known chain"])
def test_an_overview_is_what_the_schema_says(traces: list[list[Span]], chain: Chain | None) -> None:
    assert problems("overview", traced(traces, chain).overview(traced(MANY, chain))) == []


@calm
@given(st.lists(any_span(), max_size=8) | tangled())
def test_whatever_the_spans_are_they_make_documents(spans: list[Span]) -> None:
    found = traced([spans], None)
    assert problems("overview", found.overview()) == []
    if spans:
        document = one.document("1", spans)
        assert problems("trace", document) == []
        assert problems("difference", difference.document(document, document)) == []


def test_the_page_and_the_terminal_agree_on_what_makes_slow_traces_slow() -> None:
    found = traced([eventing(number, slower=1 + number // 180) for number in range(200)], CHAIN)
    told = found.overview()["finding"]
    (said,) = slowest(found.gathered.analysis.bands)
    assert told["n"] >= FEW
    assert f"take {milliseconds(told['longer_us'])} ms longer" in said
    assert f"{told['growths'][0]['label']}: {told['growths'][0]['what']}" in said


def test_of_few_traces_nothing_is_told_to_make_them_slow() -> None:
    assert traced([eventing(number, slower=number + 1) for number in range(8)], CHAIN).overview()["finding"] is None


def test_a_trace_says_that_it_met_a_cold_function() -> None:
    assert one.document("1", eventing(0, tags={"cold": "true"}))["cold"] is True
    assert one.document("1", eventing(0))["cold"] is False


def test_the_critical_path_adds_up_to_the_duration() -> None:
    found = one.document("1", eventing(0))
    assert found["duration_us"] == 1300
    assert sum(each["end_us"] - each["start_us"] for each in found["path"]) == 1300
    assert sum(each["us"] for each in found["by_label"]) == 1300
    assert sum(each["share"] for each in found["by_label"]) == pytest.approx(1)
    assert [each["depth"] for each in found["rows"]] == [0, 1, 2, 3]


def test_a_span_that_begins_before_its_cause_is_skewed() -> None:
    spans = eventing(0)
    spans[3] = replace(spans[3], timestamp=START - 50_000)
    assert [row["skewed"] for row in one.document("1", spans)["rows"]] == [False, False, False, True]


def test_five_thousand_spans_make_two_thousand_rows() -> None:
    spans = [span(0, number + 1, "a", None, number or None, number, 10_000 - number) for number in range(5000)]
    found = one.document("1", spans)
    assert (len(found["rows"]), found["more_rows"]) == (2000, 3000)
    assert problems("trace", found) == []


def test_a_very_long_tag_is_cut() -> None:
    found = one.document("1", [span(0, 1, "a", None, None, 0, 1, tags={"error": "x" * 100_000})])
    assert len(found["rows"][0]["error"]) == one.LONGEST
    assert len(found["rows"][0]["tags"]["error"]) == one.LONGEST


def test_an_event_passes_through_the_broker() -> None:
    graph = traced(MANY).overview()["graph"]
    assert labels(graph) == ["caller", "producer", "consumer", "broker"]
    assert [(node["column"], node["row"]) for node in graph["nodes"]] == [(0, 0), (1, 0), (3, 0), (2, 0)]
    assert edge(graph, "caller", "producer")["n"] == 20
    assert edge(graph, "producer", "broker")["p50_us"] is None
    assert edge(graph, "broker", "consumer") | {"ways": []} == {
        "from": "broker", "to": "service:consumer", "via": "event", "n": 20, "per_s": pytest.approx(20 / 0.19),
        "p50_us": 500.0, "p99_us": None, "failed": 0, "missing": 0, "ways": [],
    }  # fmt: skip


def test_an_edge_that_no_trace_shows_is_drawn_and_missing() -> None:
    graph = traced([eventing(number)[:2] for number in range(3)]).overview()["graph"]
    assert edge(graph, "broker", "consumer")["n"] == 0
    assert edge(graph, "broker", "consumer")["missing"] == 3


def test_without_a_chain_the_graph_is_what_traces_show() -> None:
    assert labels(traced(MANY, None).overview()["graph"]) == ["caller", "producer", "consumer", "broker"]


def test_strangers_are_drawn_by_who_called_whom() -> None:
    graph = traced([strangers(0), strangers(1)], None).overview()["graph"]
    assert [(node["label"], node["kind"]) for node in graph["nodes"]] == [("bank", "other"), ("shop", "other")] or [
        (node["label"], node["kind"]) for node in graph["nodes"]
    ] == [("shop", "other"), ("bank", "other")]
    assert (edge(graph, "shop", "bank")["n"], edge(graph, "shop", "bank")["failed"]) == (2, 2)


def test_a_function_may_be_called_like_a_part_of_the_drawing() -> None:
    names = {"producer": "broker", "consumer": "Caller2"}
    spans = [replace(each, service=names.get(each.service or "", each.service or "").lower()) for each in eventing(0)]
    chain = Chain("odd", "broker", (("broker", "Caller2", "event"),), ("broker", "Caller2"))
    graph = traced([spans], chain).overview()["graph"]
    assert [(node["id"], node["label"], node["kind"]) for node in graph["nodes"]] == [
        ("caller", "caller", "caller"),
        ("service:broker", "broker", "function"),
        ("service:caller2", "Caller2", "function"),
        ("broker", "broker", "broker"),
    ]


def test_several_that_publish_to_one_have_a_row_each() -> None:
    other = [replace(each, service="second" if each.service == "producer" else each.service) for each in eventing(1)]
    graph = traced([eventing(0), other], None).overview()["graph"]
    shared = edge(graph, "broker", "consumer")
    assert (shared["n"], shared["p50_us"]) == (2, None)
    assert [(way["source"], way["n"]) for way in shared["ways"]] == [("producer", 1), ("second", 1)]


def test_what_changed_stands_beside_with_the_largest_change_first() -> None:
    slow = [eventing(number, slower=3) for number in range(20)]
    changed = traced(MANY).overview(traced(slow))["against"]["change"]
    sizes = [abs(each["other_us"] - each["one_us"]) for each in changed]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(each["one_us"] for each in changed) == pytest.approx(1300)
    assert sum(each["other_us"] for each in changed) == pytest.approx(3900)


def test_a_difference_holds_what_only_one_of_two_has() -> None:
    found = difference.rows(one.document("1", eventing(0)), one.document("2", strangers(0)))
    assert {(row["a_us"] is None, row["b_us"] is None) for row in found} == {(True, False), (False, True)}


def test_a_line_says_what_a_list_needs() -> None:
    found = line("1", eventing(0, tags={"error": "no", "cold": "true"})).document()
    assert problems("line", found) == []
    assert found == {
        "id": "1", "start_us": START, "duration_us": 1300, "spans": 4, "failed": True, "cold": True,
        "services": ["caller", "consumer", "producer"], "root": "caller: sayhello",
    }  # fmt: skip


def test_nobody_says_whether_a_strangers_trace_was_cold() -> None:
    assert line("1", strangers(0)).cold is None
    assert line("1", eventing(0)).cold is False


def test_rates_are_over_the_time_between_the_first_trace_and_the_last() -> None:
    assert traced(MANY).subject.window_s == pytest.approx(0.19)
    assert traced(MANY[:1]).subject.window_s is None


def test_packed_spans_come_back_as_they_were() -> None:
    spans = hostile(3)
    assert gathered([spans]).spans(spans[0].trace) == spans


def test_a_store_of_ten_thousand_services_still_makes_a_page() -> None:
    many = [replace(each, service=f"s{number}") for number in range(10_000) for each in strangers(0)[1:2]]
    spans = [replace(each, id=f"{number + 1:016x}", tags={"t": "x" * 1000}) for number, each in enumerate(many)]
    found = traced([spans], None).overview()
    assert problems("overview", found) == []
    assert len(found["graph"]["nodes"]) <= 300
    assert found["graph"]["more_nodes"] > 9000
    assert len(found["services"]) == 1000
    assert len(found["traces"][0]["services"]) == 100
    assert len(one.document("1", spans)["rows"][0]["tags"]["t"]) == one.SHORT


def test_a_scatter_is_told_with_the_span_that_sent_it() -> None:
    spans = scattered(16, 16, 16).spans
    document = one.document(spans[0].trace, spans)
    assert problems("trace", document) == []
    (fan,) = document["fans"]
    (sender,) = [each for each in document["rows"] if (each["span"], each["service"]) == (fan["span"], "a")]
    assert (sender["kind"], fan["branches"], fan["at_once"], fan["to"], fan["via"]) == ("SERVER", 16, 16, "b", "call")
    assert problems("overview", traced([spans], None).overview()) == []
