"""The cases are those of Zipkin's own `DependencyLinkerTest`, in meaning."""

from __future__ import annotations

from hypothesis import given

from tests.unit.traces.made import calm, span, tangled
from toolkit.traces.links import Link, links
from toolkit.traces.model import Span


def test_a_call_is_told_by_the_side_that_served_it() -> None:
    spans = [span(1, "a", "CLIENT", remote="other-name"), span(2, "b", "SERVER", 1)]
    assert links([spans]) == [Link("a", "b", 1)]


def test_both_halves_of_a_shared_span_are_one_call() -> None:
    spans = [span(1, "a", "CLIENT"), span(1, "b", "SERVER", shared=True), span(2, "b", "CLIENT", 1, remote="db")]
    assert links([spans]) == [Link("a", "b", 1), Link("b", "db", 1)]


def test_the_root_server_names_its_client_if_it_knows_it() -> None:
    assert links([[span(1, "b", "SERVER", remote="a")]]) == [Link("a", "b", 1)]
    assert links([[span(1, "b", "SERVER")]]) == []


def test_a_call_to_somebody_who_does_not_trace_is_told_by_the_client() -> None:
    assert links([[span(1, "a", "SERVER"), span(2, "a", "CLIENT", 1, remote="db")]]) == [Link("a", "db", 1)]


def test_inner_spans_between_client_and_server_are_seen_through() -> None:
    spans = [span(1, "a", "SERVER"), span(2, "a", None, 1), span(3, "a", None, 2), span(4, "b", "SERVER", 3)]
    assert links([spans]) == [Link("a", "b", 1)]


def test_a_span_without_a_kind_counts_as_a_call_if_it_names_both_sides() -> None:
    assert links([[span(1, "a", None, remote="b")]]) == [Link("a", "b", 1)]
    assert links([[span(1, "a", None)]]) == []


def test_an_error_on_either_side_makes_the_call_an_error() -> None:
    failed = {"error": ""}
    served = [span(1, "a", "CLIENT"), span(2, "b", "SERVER", 1, tags=failed)]
    called = [span(1, "a", "CLIENT", tags=failed), span(2, "b", "SERVER", 1)]
    assert links([served]) == [Link("a", "b", 1, 1)]
    assert links([called]) == [Link("a", "b", 1, 1)]


def test_messages_are_linked_through_the_broker_they_name() -> None:
    spans = [span(1, "a", "PRODUCER", remote="broker"), span(2, "b", "CONSUMER", 1, remote="broker")]
    assert links([spans]) == [Link("a", "broker", 1), Link("broker", "b", 1)]


def test_messages_whose_broker_is_not_named_are_not_linked() -> None:
    assert links([[span(1, "a", "PRODUCER"), span(2, "b", "CONSUMER", 1)]]) == []


def test_a_service_that_appears_without_a_server_span_is_linked_to_whoever_called_before() -> None:
    spans = [span(1, "a", "SERVER"), span(2, "b", "CLIENT", 1, remote="c")]
    assert links([spans]) == [Link("a", "b", 1), Link("b", "c", 1)]


def test_a_span_whose_parent_is_missing_hangs_on_the_root() -> None:
    assert links([[span(1, "a", "SERVER"), span(5, "b", "SERVER", 4)]]) == [Link("a", "b", 1)]


def test_a_headless_trace_links_what_it_can() -> None:
    assert links([[span(2, "b", "SERVER", 1), span(3, "c", "SERVER", 2)]]) == [Link("b", "c", 1)]


def test_a_service_that_calls_itself_is_linked_to_itself() -> None:
    assert links([[span(1, "a", "CLIENT"), span(2, "a", "SERVER", 1)]]) == [Link("a", "a", 1)]


def test_links_of_many_traces_add_up() -> None:
    spans = [span(1, "a", "CLIENT"), span(2, "b", "SERVER", 1)]
    failed = [span(1, "a", "CLIENT"), span(2, "b", "SERVER", 1, tags={"error": "x"})]
    assert links([spans, failed, spans, []]) == [Link("a", "b", 3, 1)]


@calm
@given(tangled())
def test_no_trace_is_too_tangled(spans: list[Span]) -> None:
    assert all(link.calls >= 1 and 0 <= link.errors <= link.calls for link in links([spans]))
