"""From the bytes of a chain.yaml to a ChainSpec that is known to be right, or to all that is wrong with it.

Pure and total: `parse` returns a ChainSpec or raises SpecError with every problem found, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from toolkit.errors import SpecError
from toolkit.spec import endings, language, parameters, patterns, reading, rules, traffic, yamltree
from toolkit.spec.draft import Graph, Link, Node
from toolkit.spec.expand import expand
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.model import Broker, ChainSpec, Delivery, Edge, Function, OwnLoad, Protocol
from toolkit.spec.nesting import Nest, Resolve, Source, agreed_store, agreeing_brokers, inlined
from toolkit.spec.parallel import spread
from toolkit.spec.parameters import Knobs
from toolkit.spec.reading import Keys, value
from toolkit.spec.shapes import Row

GATEWAY = "toolkit.sdk.gateway:answer"
STRANGER = "toolkit.sdk.stranger:relay"


def parse(
    data: bytes,
    *,
    origin: str,
    folder: str,
    overrides: Mapping[str, str] | None = None,
    services: rules.Services = language.SERVICES,
    resolve: Resolve | None = None,
) -> ChainSpec:
    """The chain that `data` describes, with `overrides` (`--set NAME=VALUE`) applied to its parameters.

    `origin` names the file in messages, `folder` is where its handlers lie; neither is opened. `resolve` finds the
    sub-chains that it names. Raises SpecError.
    """

    def read(source: Source, settings: Mapping[str, str], nest: Nest) -> ChainSpec:
        return _parsed(source, settings, services, nest)

    source = Source(data, origin, folder)
    return read(source, overrides or {}, Nest(read, resolve, source))


def _parsed(source: Source, overrides: Mapping[str, str], services: rules.Services, nest: Nest) -> ChainSpec:
    found = Findings()
    origin = source.origin
    try:
        root = yamltree.read(source.data)
    except yamltree.Unreadable as error:
        raise SpecError(origin, [error.problem]) from None
    top = Place(root.line, root.column, "")
    keys: Keys = language.CHAIN.read(root, top, found) or {}
    knobs = _knobs(keys, overrides, found)
    graph = _judged(_graph(keys, knobs, nest, found), services, found, top)
    if found.problems or graph is None:
        raise SpecError(origin, found.problems)
    spec = _spec(keys, knobs, graph, source, found)
    if found.problems:
        raise SpecError(origin, found.problems)
    return spec


def _knobs(keys: Keys, overrides: Mapping[str, str], found: Findings) -> Knobs:
    rows: Mapping[str, Row] = value(keys, "parameters", {})
    if len(found) == 0:  # else a parameter may be missing for another reason than its name
        parameters.refuse_unknown(overrides, list(rows), value(keys, "name", "the chain"), found)
    return parameters.settle(rows, overrides, found)


def _graph(keys: Keys, knobs: Knobs, nest: Nest, found: Findings) -> tuple[Graph, bool]:
    """The functions and edges that can be followed, and whether these are all of them."""
    before = len(found)
    nodes = {
        name: reading.node(name, row, knobs, nest.inner, found) for name, row in value(keys, "functions", {}).items()
    }
    links = [reading.link(each, nodes, knobs, found) for each in value(keys, "edges", [])]
    followed = None not in links and _readable(keys, "functions", "edges")
    entry = reading.known(keys.get("entry"), nodes, found)
    broker: Keys = value(keys, "broker", {})
    delivery: Keys = value(broker, "delivery", {})
    name = value(broker, "name", Broker().name)
    graph = Graph(value(keys, "name", "chain"), nodes, tuple(filter(None, links)), entry, broker=name)
    graph = inlined(graph, found) or graph
    if "broker" in keys and followed and not any(link.via == "event" for link in graph.links):
        found.add(keys["broker"].place, "the chain has no event edge, so it needs no broker; leave it out")
    told = _readable(keys, "entry", "broker") and _readable(broker, "delivery") and _readable(delivery, "dead-letter")
    graph = replace(graph, dead_letter=reading.known(delivery.get("dead-letter"), graph.nodes, found))
    return graph, bool(nodes) and followed and told and len(found) == before


def _readable(keys: Keys, *names: str) -> bool:
    return all(keys[name].value is not None for name in names if name in keys)


def _judged(read: tuple[Graph, bool], services: rules.Services, found: Findings, top: Place) -> Graph | None:
    """The expanded graph once it has met every rule that can be asked of it; None when there is none."""
    graph, complete = read
    before = len(found)
    endings.no_cycles(graph, found)
    rules.methods(graph, services, found)
    rules.one_protocol(graph, found)
    for rule in (patterns.choices, patterns.fallbacks, patterns.attempts, patterns.transfers):
        rule(graph, found)
    endings.loops(graph, found)
    entry = rules.find_entry(graph, found, top) if complete and len(found) == before else None
    rules.dead_letters(graph, entry, found)
    rules.gateways(graph, entry, found)
    if entry is not None:
        rules.entry_is_called(graph, entry, found)
        rules.all_reachable(graph, entry, found)
    expanded = expand(graph, entry, found) if entry is not None and len(found) == before else None
    expanded = spread(expanded, found) if expanded is not None else None
    _judge_rows(expanded or graph, found, top)
    if expanded is None or expanded.entry is None or len(found) > before:
        return None
    return traffic.settled(expanded, expanded.entry.value, found)


def _judge_rows(graph: Graph, found: Findings, top: Place) -> None:
    endings.tasks(graph, found)
    patterns.one_event(graph, found)
    rules.one_protocol(graph, found)
    rules.no_twins(graph, found)
    rules.trigger_names(graph, found)
    rules.service_names(graph, found)
    rules.sizes(graph, found, top)


def _spec(keys: Keys, knobs: Knobs, graph: Graph, source: Source, found: Findings) -> ChainSpec:
    edges = tuple(_edge(graph, link) for link in graph.links)
    store: Mapping[str, At] = value(keys, "store", {})
    consumers = {edge.to for edge in edges if edge.via == "event"}
    consumers |= {graph.dead_letter.value} if graph.dead_letter else set()
    broker = _broker(keys) if consumers else None
    agreeing_brokers(graph, broker, found)
    requires = [each.value for each in value(keys, "requires", [])]
    requires += [each for _, inner in graph.inner for each in inner.requires]
    return ChainSpec(
        name=graph.chain,
        about=value(keys, "about", ""),
        entry=str(graph.entry.value) if graph.entry else "",
        functions=tuple(_function(node, node.name in consumers) for node in graph.nodes.values()),
        edges=edges,
        broker=broker,
        parameters=tuple(knobs.known.values()),
        folder=source.folder,
        sha256=hashlib.sha256(source.data).hexdigest(),
        requires=tuple(dict.fromkeys(requires)),
        text=source.data.decode(),
        expect=value(keys, "expect"),
        store=agreed_store(
            graph, {key: knobs.fill(each.value or "", each.place, found) for key, each in store.items()}, found
        ),
        load=OwnLoad(**{key: each.value for key, each in value(keys, "load", {}).items()}),
    )


def _function(node: Node, consumes: bool) -> Function:
    asked = {each.name: getattr(node.demands, each.name) for each in fields(node.demands)}
    if node.gateway:  # a request waits in one process, and its answer has to come there
        asked["scale"] = replace(node.demands.scale, max=1)
    protocol: Protocol = "http1" if consumes or node.gateway else "h2c"
    return Function(
        node.name,
        _handler(node),
        protocol,
        node.replicas,
        node.env,
        node.about,
        **asked,
        join=node.join if isinstance(node.join, int) else None,
        gateway=node.gateway,
        image=node.image,
        command=node.command,
        prepare=node.prepare,
        parallel=node.beside,
        folder=node.folder,
        chain=node.chain,
        parameters=node.parameters,
    )


def _handler(node: Node) -> str:
    """What the toolkit itself does for functions without a handler."""
    if node.gateway:
        return GATEWAY
    return STRANGER if node.image or node.command else node.handler


def _edge(graph: Graph, link: Link) -> Edge:
    more: dict[str, Any] = {each: getattr(link, each) for each in _MORE}
    if link.via == "call":
        return Edge(link.source, link.to, "call", method=link.method, **more)
    return Edge(link.source, link.to, "event", type=graph.type_of(link), **more)


_MORE = (
    "least",
    "most",
    "choice",
    "loop",
    "retry",
    "fallback",
    "transfer",
    "tasks",
    "done",
    "alias",
)  # of Link and Edge


def _broker(keys: Keys) -> Broker:
    broker: Keys = value(keys, "broker", {})
    delivery: Keys = value(broker, "delivery", {})
    usual, delivered = Broker(), Delivery()
    return Broker(
        name=value(broker, "name", usual.name),
        acknowledge=value(broker, "acknowledge", usual.acknowledge),
        delivery=Delivery(
            retry=value(delivery, "retry", delivered.retry),
            backoff=value(delivery, "backoff", delivered.backoff),
            delay_s=value(delivery, "delay", delivered.delay_s),
            timeout_s=value(delivery, "timeout"),
            dead_letter=value(delivery, "dead-letter"),
        ),
    )
