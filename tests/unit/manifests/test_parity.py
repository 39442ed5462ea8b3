"""What the local engine binds is what the manifests say: the same wiring, triggers, delivery and sinks, by meaning."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from tests.unit.manifests.samples import chain, container, environment, function, of_kind, render, service, shipped
from toolkit import manifests, plan
from toolkit.contract import K_CE_OVERRIDES, K_SINK, WIRING, Wiring
from toolkit.engines.local.layout import Layout, broker_service, function_command, lay_out, ports_needed
from toolkit.manifests import Manifest
from toolkit.plan import Plan
from toolkit.spec.model import Broker, Delivery, Edge

RECEIPTS, SPANS = "tcp://10.0.0.1:7", "http://zipkin.example:9411/api/v2/spans"
DURATION = re.compile(r"PT([0-9.]+)S")


def strange() -> Plan:
    """Replicas, an environment, a dead letter sink, two event types from one function, a call behind an event."""
    functions = [
        function("first", env={"MODE": "$(x) on", "EMPTY": ""}),
        function("second", protocol="http1", replicas=3),
        function("third", protocol="http1"),
        function("last"),
        function("drain", protocol="http1"),
    ]
    edges = [
        Edge("first", "second", "event", type="a"),
        Edge("first", "third", "event", type="b"),
        Edge("second", "last", "call", method="prodcon.ProducerConsumer/ConsumeByte"),
    ]
    delivery = Delivery(retry=3, backoff="linear", delay_s=0.5, timeout_s=20.0, dead_letter="drain")
    return plan.make(chain(functions, edges, Broker("post", "async", delivery)), "run", seed=3)


PLANS = [shipped("chained-serving"), shipped("chained-eventing"), shipped("chained-mixed"), strange()]
every_plan = pytest.mark.parametrize("made", PLANS, ids=lambda made: made.chain.name)


def layout(made: Plan) -> Layout:
    ports = range(20000, 20000 + ports_needed(made, (), store=True))
    return lay_out(made, (), list(ports), store=True)


def local(made: Plan, name: str) -> dict[str, str]:
    """The environment that the local engine gives."""
    command = function_command(made, name, 0, layout(made), receipts=RECEIPTS, endpoint=SPANS, override={})
    return dict(command.environment)


def on_cluster(made: Plan) -> tuple[Manifest, ...]:
    return render(made, receipts=RECEIPTS, endpoint=SPANS)


def named(wiring: Wiring, targets: dict[str, str], folder: str) -> Wiring:
    """With each address as the name of the function that it leads to, and the handler as the chain says it."""
    back = {address: name for name, address in targets.items()}
    outgoing = tuple(
        dataclasses.replace(each, address=back[each.address] if each.address else None) for each in wiring.outgoing
    )
    return dataclasses.replace(wiring, outgoing=outgoing, handler=wiring.handler.removeprefix(f"{folder}/"))


@every_plan
def test_every_function_has_the_same_wiring_but_for_addresses(made: Plan) -> None:
    here, there = layout(made).bound(made).targets, manifests.bound(made, "space").targets
    for each in made.chain.functions:
        ours = Wiring.decode(local(made, each.name)[WIRING])
        theirs = Wiring.decode(environment(service(on_cluster(made), each.name))[WIRING])
        assert named(ours, dict(here), made.chain.folder) == named(theirs, dict(there), made.chain.folder)


@every_plan
def test_every_function_has_the_same_environment_of_its_own(made: Plan) -> None:
    for each in made.chain.functions:
        said = environment(service(on_cluster(made), each.name))
        del said[WIRING]
        assert said == dict(each.env)
        assert said.items() <= local(made, each.name).items()


@every_plan
def test_the_same_functions_are_told_where_events_go(made: Plan) -> None:
    ours = {each.name for each in made.chain.functions if K_SINK in local(made, each.name)}
    bindings = of_kind("SinkBinding", on_cluster(made))
    assert {each["spec"]["subject"]["name"] for each in bindings} == ours
    for each in bindings:
        assert each["spec"]["sink"]["ref"]["name"] == (made.broker.name if made.broker else None)
        assert each["spec"].get("ceOverrides", "") == local(made, each["spec"]["subject"]["name"])[K_CE_OVERRIDES]


@every_plan
def test_the_broker_has_the_same_triggers_and_filters(made: Plan) -> None:
    theirs = [
        (each["metadata"]["name"], each["spec"]["filters"], each["spec"]["subscriber"]["ref"]["name"])
        for each in of_kind("Trigger", on_cluster(made))
    ]
    assert theirs == [
        (each.name, list(each.filters), name)
        for each in (broker(made).triggers if made.broker else ())
        for name in [function_at(made, each.subscribers[0])]
    ]


@every_plan
def test_the_broker_delivers_by_the_same_rules(made: Plan) -> None:
    brokers = of_kind("Broker", on_cluster(made))
    assert len(brokers) == (made.broker is not None)
    for each in brokers:
        said, ours = each["spec"]["delivery"], broker(made)
        rules = ours.delivery
        assert (said["retry"], said["backoffPolicy"]) == (rules.retry, rules.backoffPolicy)
        assert (seconds(said["backoffDelay"]), seconds(said.get("timeout"))) == (rules.backoffDelay_s, rules.timeout_s)
        sink = said.get("deadLetterSink", {}).get("ref", {}).get("name")
        assert sink == (function_at(made, rules.dead_letter) if rules.dead_letter else None)
        asynchronous = each["metadata"]["annotations"].get("messaging.knative.dev/async-handler") == "true"
        assert asynchronous == (ours.acknowledge == "async")


@every_plan
def test_who_consumes_events_listens_for_http_and_who_is_called_for_grpc(made: Plan) -> None:
    for each in made.chain.functions:
        (port,) = container(service(on_cluster(made), each.name))["ports"]
        assert (port["name"] == "http1") == made.wirings[each.name].consumes == (each.protocol == "http1")


def broker(made: Plan) -> Any:
    config = broker_service(made, layout(made))
    assert config is not None
    return config.brokers[0]


def function_at(made: Plan, url: str) -> str:
    found = layout(made)
    return next(each.name for each in made.chain.functions if url in found.urls(each.name))


def seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = DURATION.fullmatch(text)
    assert match is not None
    return float(match[1])
