"""Traces held against a chain's graph, and as rows."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from tests.unit.checks.simulation import DIAMOND, EVENT_PAIR, FAN_OUT, MIXED, PAIR, healthy
from tests.unit.checks.test_patterns import DOWN, fallen_back
from tests.unit.traces.composite import on_a_cluster
from tests.unit.traces.made import calm, span, tangled
from tests.unit.traces.recorded import COLD, EVENT
from toolkit.spec.model import ChainSpec
from toolkit.traces.complete import shown
from toolkit.traces.model import Edge, Span
from toolkit.traces.platform import is_platform
from toolkit.traces.rows import rows

CHAINS = {"pair": PAIR, "event pair": EVENT_PAIR, "mixed": MIXED, "diamond": DIAMOND, "fan out": FAN_OUT}
every_chain = pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)


def edges(chain: ChainSpec) -> dict[Edge, int]:
    counted: dict[Edge, int] = {("caller", chain.entry, "call"): 1}
    for edge in chain.edges:
        counted[edge.source, edge.to, edge.via] = 1
    return counted


@every_chain
def test_a_whole_trace_shows_every_edge_as_often_as_it_should(chain: ChainSpec) -> None:
    for run in (healthy(chain, 1), on_a_cluster(healthy(chain, 1)), on_a_cluster(healthy(chain, 1), gateway=True)):
        found = shown(run.spans, edges(chain))
        assert (found.complete, found.unknown, found.orphans) == (True, {}, 0)
        assert found.edges == edges(chain)
        assert shown(run.spans, [(source.upper(), to, via) for source, to, via in edges(chain)]).complete


@every_chain
def test_every_lost_span_of_a_function_is_a_missing_edge(chain: ChainSpec) -> None:
    run = on_a_cluster(healthy(chain, 1), gateway=True)
    for lost in [each for each in run.spans if not is_platform(each)]:
        assert not shown([each for each in run.spans if each is not lost], edges(chain)).complete


@every_chain
def test_no_lost_span_of_the_platform_is(chain: ChainSpec) -> None:
    run = on_a_cluster(healthy(chain, 1), gateway=True)
    for lost in [each for each in run.spans if is_platform(each)]:
        found = shown([each for each in run.spans if each is not lost], edges(chain))
        assert (found.missing, found.orphans) == ({}, 0)


def test_gaps_are_counted_apart_from_orphans() -> None:
    run = on_a_cluster(healthy(PAIR, 1))
    assert shown(run.spans, edges(PAIR)).gaps == 2  # both activators' parents are the ingress' spans
    astray = [
        dataclasses.replace(each, parent="9" * 16) if each.service == "b" else each for each in healthy(PAIR, 1).spans
    ]
    found = shown(astray, {})
    assert (found.orphans, found.gaps) == (0, 1)  # its message tells where it belongs
    nobody = [
        dataclasses.replace(each, tags={"toolkit.message": "x"}) if each.service == "b" else each for each in astray
    ]
    assert shown(nobody, {}).orphans == 1


def failing(run_spans: list[Span], *kinds: str) -> list[Span]:
    return [dataclasses.replace(e, tags={**e.tags, "error": "x"}) if e.kind in kinds else e for e in run_spans]


def test_an_edge_whose_every_attempt_failed_is_there_and_the_trace_not_complete() -> None:
    spans = list(healthy(EVENT_PAIR, 1).spans)
    found = shown(failing(spans, "CONSUMER"), edges(EVENT_PAIR))
    (edge,) = [each for each in edges(EVENT_PAIR) if each[2] == "event"]
    assert (found.missing, found.failed, found.complete) == ({}, {edge: 1}, False)
    again = [dataclasses.replace(each, id="e" * 16) for each in spans if each.kind == "CONSUMER"]
    assert shown([*failing(spans, "CONSUMER"), *again], edges(EVENT_PAIR)).complete
    assert not shown(failing(list(healthy(PAIR, 1).spans), "CLIENT"), edges(PAIR)).complete


def test_spans_of_the_chain_that_hang_nowhere_are_orphans() -> None:
    apart = [dataclasses.replace(each, parent=None) for each in healthy(PAIR, 1).spans]
    found = shown(apart, edges(PAIR))
    assert found.orphans == len(apart) - 1
    assert not found.complete


def test_an_edge_that_the_chain_has_not_is_unknown_and_one_that_comes_too_seldom_is_missing() -> None:
    run = healthy(DIAMOND, 1)
    wanted = {**edges(DIAMOND), ("c", "d", "call"): 3}
    del wanted["a", "b", "call"]
    found = shown(run.spans, wanted)
    assert found.unknown == {("a", "b", "call"): 1}
    assert found.missing == {("c", "d", "call"): 2}


def test_a_second_delivery_is_no_second_message() -> None:
    run = healthy(EVENT_PAIR, 1)
    again = [dataclasses.replace(each, id="e" * 16) for each in run.spans if each.kind == "CONSUMER"]
    assert shown([*run.spans, *again], edges(EVENT_PAIR)).edges == edges(EVENT_PAIR)


def test_the_rows_of_a_recorded_cold_call_say_where_it_waited() -> None:
    assert [(each.depth, each.part, each.what) for each in rows(COLD)] == [
        (0, "activator", "proxy"),
        (1, "activator", "cold wait"),
        (1, "activator", "proxy"),
        (2, "activator", "network"),
        (3, "queue-proxy", "proxy"),
        (4, "queue-proxy", "proxy"),
        (5, "queue-proxy", "queue"),
        (6, "queue-proxy", "network"),
    ]
    assert [each.lost for each in rows(COLD)] == [True] + [False] * 7  # Kourier did not export


def test_rows_nest_what_tells_of_one_request_twice_and_have_every_span_once() -> None:
    found = list(rows(EVENT))
    assert len(found) == len(EVENT)
    assert {each.what for each in found} == {"broker ingress", "dispatch", "filter", "network", "proxy", "cold wait"}
    twins = [each for each in found if each.span.service == "broker.ingress" and each.span.kind == "SERVER"]
    assert [each.depth for each in twins] == [0, 1]


def test_a_row_says_what_is_wrong_with_its_span() -> None:
    spans = [
        span(1, "a", "CLIENT", message="m", start=100, duration=50, tags={"error": "UNAVAILABLE"}),
        span(2, "activator", "SERVER", 9, start=110, duration=30),
        span(3, "b", "SERVER", 2, message="m", start=90, duration=10),
        span(4, "x", None, 77, start=1),
    ]
    found = {each.span.service: each for each in rows(spans)}
    assert found["a"].error == "UNAVAILABLE"
    assert found["b"].error is None
    assert (found["activator"].guessed, found["activator"].parent) == (True, f"{1:016x}")
    assert (found["b"].skewed, found["activator"].skewed) == (True, False)
    assert (found["x"].lost, found["x"].parent, found["x"].depth) == (True, None, 0)


@calm
@given(tangled())
def test_rows_of_anything_stand_below_their_parents(spans: list[Span]) -> None:
    depths: dict[str, set[int]] = {}
    for row in rows(spans):
        assert row.depth == 0 if row.parent is None else row.depth - 1 in depths[row.parent]
        depths.setdefault(row.span.id, set()).add(row.depth)


def test_an_edge_that_a_call_need_not_go_over_is_neither_missing_nor_unknown_nor_failed() -> None:
    expected: dict[Edge, int] = {("caller", "a", "call"): 1, ("a", "b", "call"): 0, ("a", "c", "call"): 0}
    calm, replaced = fallen_back(None, instead=0), fallen_back(DOWN, DOWN, instead=1)
    for run in (calm, replaced):
        found = shown(run.spans, expected)
        assert (found.missing, found.unknown, found.failed, found.complete) == ({}, {}, {}, True)
    assert shown(calm.spans, list(expected)).missing == {("a", "c", "call"): 1}
