"""Runs whose traces hold the platform's spans, judged and measured as a whole."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise

import pytest

from tests.unit.checks.simulation import DIAMOND, EVENT_PAIR, FAN_OUT, MIXED, PAIR, SINK, Run, healthy
from tests.unit.traces.composite import on_a_cluster, without_platform
from toolkit.checks import judge
from toolkit.measure import measure
from toolkit.results import Check, Load, Measurement
from toolkit.spec.model import ChainSpec
from toolkit.traces import tree
from toolkit.traces.critical import critical_path
from toolkit.traces.passages import Passage, joined, passages
from toolkit.traces.platform import is_platform, parts

CHAINS = {"pair": PAIR, "event pair": EVENT_PAIR, "mixed": MIXED, "diamond": DIAMOND, "fan out": FAN_OUT}
every_chain = pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
every_gateway = pytest.mark.parametrize("gateway", [False, True], ids=["silent ingress", "ingress tells"])
CALL = ("activator", "queue-proxy")
EVENT = ("broker ingress", "channel dispatcher", "broker filter", *CALL)


def red(run: Run) -> dict[str, Check]:
    found = judge(run.chain, run.calls, run.evidence, bound=run.bound, sink=SINK)
    return {check.name: check for check in found if not check.passed}


def measured(run: Run) -> Measurement:
    return measure(run.calls, run.evidence, chain=run.chain, asked=Load(requests=len(run.calls), rate=100.0))


def ways(run: Run) -> list[Passage]:
    return [way for spans in tree.by_trace(run.spans).values() for way in passages(spans)]


@every_gateway
@every_chain
def test_every_promise_is_kept(chain: ChainSpec, gateway: bool) -> None:
    run = on_a_cluster(healthy(chain, 3), gateway=gateway)
    assert sum(is_platform(span) for span in run.spans) > len(run.spans) // 2
    assert red(run) == {}


@every_gateway
@every_chain
def test_nothing_is_counted_twice_and_nothing_is_an_orphan(chain: ChainSpec, gateway: bool) -> None:
    run = on_a_cluster(healthy(chain, 3), gateway=gateway)
    found = measured(run)
    assert (found.traces_expected, found.traces_complete, found.missing_spans, found.orphans) == (3, 3, 0, 0)


def test_a_run_tells_in_how_many_traces_each_part_of_the_platform_has_spans() -> None:
    found = measured(on_a_cluster(healthy(EVENT_PAIR, 3), gateway=False))
    assert dict(found.platform_traces) == dict.fromkeys(EVENT, 3)
    assert measured(healthy(EVENT_PAIR, 3)).platform_traces == ()


@every_gateway
@every_chain
def test_hops_are_the_same_with_the_platforms_spans_and_without(chain: ChainSpec, gateway: bool) -> None:
    run = on_a_cluster(healthy(chain, 3), gateway=gateway)
    bare = measured(without_platform(run, is_platform)).hops
    assert [dataclasses.replace(hop, parts=()) for hop in measured(run).hops] == [
        dataclasses.replace(hop, parts=()) for hop in bare
    ]
    assert len(measured(run).hops) == 1 + len(chain.edges)


@every_gateway
@every_chain
def test_the_critical_path_has_no_hole_and_every_functions_own_time(chain: ChainSpec, gateway: bool) -> None:
    run = on_a_cluster(healthy(chain, 1), gateway=gateway)
    path = critical_path(run.spans)
    assert all(one.end == next_.start for one, next_ in pairwise(path))
    last = max((each.timestamp or 0) + (each.duration or 0) for each in run.spans)
    assert (path[0].start, path[-1].end) == (run.spans[-1].timestamp, last)
    bare = critical_path(without_platform(run, is_platform).spans)
    functions = {each.name for each in chain.functions}
    assert {each.label for each in path} & functions == {each.label for each in bare} & functions
    assert not [each for each in path if each.label == "unattributed"]


@every_gateway
def test_a_functions_own_time_is_not_the_platforms(gateway: bool) -> None:
    run = on_a_cluster(healthy(MIXED, 1), gateway=gateway)
    times: list[Counter[str]] = []
    for each in (run, without_platform(run, is_platform)):
        times.append(Counter())
        for segment in critical_path(each.spans):
            times[-1][segment.label] += segment.duration_us
    functions = {each.name for each in MIXED.functions}
    assert {name: times[0][name] for name in functions} == {name: times[1][name] for name in functions}
    assert times[0].total() == times[1].total()
    assert times[0]["channel dispatcher (platform)"] > 1000
    assert {label for label in times[0] if "→" in label} == {label for label in times[1] if "→" in label}


@every_gateway
@every_chain
def test_every_way_holds_the_platforms_parts(chain: ChainSpec, gateway: bool) -> None:
    run = on_a_cluster(healthy(chain, 2), gateway=gateway)
    edges = {(each.source, each.to, each.via) for each in chain.edges} | {("caller", chain.entry, "call")}
    found = ways(run)
    assert {(each.source, each.to, each.via) for each in found} == edges
    for each in found:
        told = ("gateway", *CALL) if gateway else CALL
        assert each.parts == (EVENT[:3] + told if each.via == "event" else told)
        assert each.whole == gateway


def test_a_cold_call_spends_its_time_in_the_activator() -> None:
    run = on_a_cluster(healthy(PAIR, 1), cold=True)
    assert red(run) == {}
    longest = max(critical_path(run.spans), key=lambda segment: segment.duration_us)
    assert longest.label == "activator (platform)"
    assert longest.duration_us > 1_200_000


@every_gateway
@every_chain
def test_every_lost_span_of_a_function_is_noticed_among_the_platforms(chain: ChainSpec, gateway: bool) -> None:
    run = on_a_cluster(healthy(chain, 1), gateway=gateway)
    for lost in [each for each in run.spans if not is_platform(each)]:
        spoilt = dataclasses.replace(run, spans=[each for each in run.spans if each is not lost])
        assert set(red(spoilt)) == {"traced"}


@every_chain
def test_lost_spans_of_an_ingress_or_a_broker_are_not_the_chains_fault(chain: ChainSpec) -> None:
    run = on_a_cluster(healthy(chain, 1), gateway=True)
    direct = {each.parent for each in run.spans if not is_platform(each)}
    for lost in [each for each in run.spans if is_platform(each) and each.id not in direct]:
        spoilt = dataclasses.replace(run, spans=[each for each in run.spans if each is not lost])
        assert red(spoilt) == {}


def apart(chain: ChainSpec) -> Run:
    """A run whose platform sent its spans to another store: every function's span has a parent that is not here."""
    run = on_a_cluster(healthy(chain, 2), gateway=True)
    own = [each for each in run.spans if not is_platform(each)]
    return dataclasses.replace(run, spans=own, gaps=True)


@every_chain
def test_a_platform_that_sends_its_spans_elsewhere_is_not_the_chains_fault(chain: ChainSpec) -> None:
    run = apart(chain)
    checks = {each.name: each for each in judge(run.chain, run.calls, run.evidence, bound=run.bound, sink=SINK)}
    assert all(each.passed for each in checks.values())
    assert checks["traced"].got == "2 traces complete; 2 traces with gaps that the platform left"
    assert red(dataclasses.replace(run, gaps=False)).keys() == {"traced"}


@every_chain
def test_hops_and_ways_are_told_though_the_platforms_spans_are_elsewhere(chain: ChainSpec) -> None:
    found, whole = measured(apart(chain)), measured(on_a_cluster(healthy(chain, 2), gateway=True))
    assert (found.traces_complete, found.orphans) == (2, 0)
    assert [(hop.source, hop.to, hop.n) for hop in found.hops] == [(hop.source, hop.to, hop.n) for hop in whole.hops]
    told = {each.segment for each in whole.critical_path if not each.segment.endswith("(platform)")}
    assert {each.segment for each in found.critical_path} == told


@every_chain
def test_every_lost_or_misled_span_of_a_function_is_noticed_between_gaps(chain: ChainSpec) -> None:
    run = apart(chain)
    for lost in run.spans:
        assert set(red(dataclasses.replace(run, spans=[each for each in run.spans if each is not lost]))) == {"traced"}
    receivers = [each for each in run.spans if each.kind in ("SERVER", "CONSUMER")]
    entry = receivers[0]
    for misled in [each for each in receivers[1:] if each.trace == entry.trace]:
        wrong = dataclasses.replace(misled, parent=entry.id)
        spoilt = dataclasses.replace(run, spans=[wrong if each is misled else each for each in run.spans])
        assert set(red(spoilt)) == {"traced"}


def test_a_message_that_came_by_another_messages_way_is_misplaced() -> None:
    run = on_a_cluster(healthy(DIAMOND, 1), gateway=True)
    served = [each for each in run.spans if each.service == "d" and each.kind == "SERVER" and not is_platform(each)]
    run.replace_span(served[0], parent=served[1].parent)
    check = red(run)["traced"]
    assert "misplaced: SERVER of d" in check.details[0]


def test_a_function_may_be_called_like_a_part_of_the_platform() -> None:
    run = on_a_cluster(healthy(PAIR, 1), gateway=True)
    run.spans = [
        dataclasses.replace(each, service="activator" if each.service == "b" else each.service) for each in run.spans
    ]
    (_, way) = ways(run)
    assert (way.to, way.parts) == ("activator", ("gateway", *CALL))


def test_a_trace_that_is_joined_has_every_span_once_and_no_gap() -> None:
    run = on_a_cluster(healthy(FAN_OUT, 1))
    whole = joined(run.spans)
    assert Counter(each.id for each in whole) == Counter(each.id for each in run.spans)
    arranged = tree.build(whole)
    assert (len(arranged.roots), len(arranged.orphans)) == (1, 0)
    own = {each.id: each.parent for each in run.spans if not is_platform(each)}
    assert {each.id: each.parent for each in whole if each.id in own} == own


def test_the_parts_of_a_trace_are_told_as_a_whole() -> None:
    assert parts(healthy(MIXED, 1).spans) == frozenset()
    assert parts(on_a_cluster(healthy(PAIR, 1)).spans) == {"activator", "queue-proxy"}
    assert parts(on_a_cluster(healthy(EVENT_PAIR, 1), gateway=True).spans) == {*EVENT, "gateway"}
