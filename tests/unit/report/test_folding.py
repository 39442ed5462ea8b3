"""Few lines for many spans: what is folded, what it says, and what is never touched."""

from __future__ import annotations

from collections import Counter

from hypothesis import given

from tests.unit.checks.simulation import EVENT_PAIR, MIXED, PAIR, healthy
from tests.unit.traces.composite import on_a_cluster
from tests.unit.traces.made import any_span, calm, span, tangled
from tests.unit.traces.recorded import COLD, EVENT
from toolkit.report.folding import fold
from toolkit.report.waterfall import render
from toolkit.traces import tree
from toolkit.traces.model import Span
from toolkit.traces.platform import is_platform


def test_each_part_on_a_messages_way_is_one_line() -> None:
    run = on_a_cluster(healthy(PAIR, 1), gateway=True)
    names = [f"{each.service}: {each.name}" for each in fold(run.spans) if each.kind is None]
    assert Counter(names) == {
        "gateway: ingress": 2,
        "activator: waited 159 µs": 2,
        "queue-proxy of a: waited 1 µs": 1,
        "queue-proxy of b: waited 1 µs": 1,
    }


def test_a_broker_says_its_name_and_a_filter_its_trigger() -> None:
    told = sorted(f"{each.service}: {each.name}" for each in fold(EVENT))
    assert told == [
        "activator: waited 19 µs",
        "broker filter: trigger:t1.default",
        "broker filter: trigger:ttrace.default",
        "broker filter: trigger:tz.default",
        "broker ingress: broker:default.default",
        "channel dispatcher: post",
        "queue-proxy of tsink: post",
    ]


def test_a_cold_start_is_read_off_the_activator() -> None:
    assert next(each.name for each in fold(COLD) if each.service == "activator") == "waited 1.24 s"


def test_a_folded_span_lasts_from_the_first_to_the_last() -> None:
    (broker,) = [each for each in fold(EVENT) if each.service == "broker ingress"]
    folded = [each for each in EVENT if each.service == "broker.ingress"]
    assert (broker.timestamp, broker.duration) == (
        tree.started(folded),
        (tree.ended(folded) or 0) - (tree.started(folded) or 0),
    )


def test_the_functions_spans_hang_below_each_other_as_before() -> None:
    run = on_a_cluster(healthy(MIXED, 1), gateway=True)
    arranged = tree.build(fold(run.spans))
    assert (len(arranged.roots), len(arranged.orphans)) == (1, 0)
    own = {each.id: (each.kind, each.name, each.timestamp) for each in run.spans if not is_platform(each)}
    assert {each.id: (each.kind, each.name, each.timestamp) for each in arranged.spans if each.id in own} == own
    depths = {arranged.spans[at].service: depth for at, depth in arranged.walk()}
    assert depths["a"] < depths["b"] < depths["c"] < depths["d"]


def test_what_the_platform_left_out_stays_an_orphan() -> None:
    run = on_a_cluster(healthy(EVENT_PAIR, 1), gateway=False)
    assert len(tree.build(fold(run.spans)).orphans) == 2


def test_an_error_of_a_part_is_an_error_of_its_line() -> None:
    inner = span(2, "activator", "CLIENT", 1, tags={"error": "502"})
    (line,) = fold([span(1, "activator", "SERVER"), inner])
    assert line.tags == {"error": "502"}


def test_a_trace_without_the_platform_is_left_as_it_is() -> None:
    spans = healthy(MIXED, 1).spans
    assert fold(spans) == tree.merge(spans)
    assert fold([]) == []


@calm
@given(tangled())
def test_whatever_came_can_be_folded_and_drawn(spans: list[Span]) -> None:
    assert render(fold(spans))
    assert len(fold(spans)) <= len(spans)


@calm
@given(any_span())
def test_any_span_alone_stays_one(given_span: Span) -> None:
    assert len(fold([given_span])) == 1
