"""From the bytes of a chain.yaml to a ChainSpec that is known to be right, or to all that is wrong with it.

Pure and total: `parse` returns a ChainSpec or raises SpecError with every problem found, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from toolkit.errors import SpecError
from toolkit.spec import language, parameters, reading, rules, yamltree
from toolkit.spec.draft import Graph, Link, Node
from toolkit.spec.expand import expand
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.model import Broker, ChainSpec, Delivery, Edge, Function, Protocol
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
) -> ChainSpec:
    """The chain that `data` describes, with `overrides` (`--set NAME=VALUE`) applied to its parameters.

    `origin` names the file in messages, `folder` is where its handlers lie; neither is opened. Raises SpecError.
    """
    found = Findings()
    try:
        root = yamltree.read(data)
    except yamltree.Unreadable as error:
        raise SpecError(origin, [error.problem]) from None
    top = Place(root.line, root.column, "")
    keys: Keys = language.CHAIN.read(root, top, found) or {}
    knobs = _knobs(keys, overrides or {}, found)
    graph = _judged(_graph(keys, knobs, top, found), services, found, top)
    if found.problems or graph is None:
        raise SpecError(origin, found.problems)
    spec = _spec(keys, knobs, graph, data, folder, found)
    if found.problems:
        raise SpecError(origin, found.problems)
    return spec


def _knobs(keys: Keys, overrides: Mapping[str, str], found: Findings) -> Knobs:
    rows: Mapping[str, Row] = value(keys, "parameters", {})
    if len(found) == 0:  # else a parameter may be missing for another reason than its name
        parameters.refuse_unknown(overrides, list(rows), value(keys, "name", "the chain"), found)
    return parameters.settle(rows, overrides, found)


def _graph(keys: Keys, knobs: Knobs, top: Place, found: Findings) -> tuple[Graph, bool]:
    """The functions and edges that can be followed, and whether these are all of them."""
    before = len(found)
    nodes = {
        name: reading.node(name, row, knobs, _no_chain, found) for name, row in value(keys, "functions", {}).items()
    }
    links = [reading.link(each, nodes, knobs, found) for each in value(keys, "edges", [])]
    known = tuple(link for link in links if link is not None)
    broker: Keys = value(keys, "broker", {})
    delivery: Keys = value(broker, "delivery", {})
    entry, dead_letter = (
        reading.known(each, nodes, found) for each in (keys.get("entry"), delivery.get("dead-letter"))
    )
    followed = len(known) == len(links) and _readable(keys, "functions", "edges")
    if "broker" in keys and followed and not any(link.via == "event" for link in known):
        found.add(keys["broker"].place, "the chain has no event edge, so it needs no broker; leave it out")
    told = _readable(keys, "entry", "broker") and _readable(broker, "delivery") and _readable(delivery, "dead-letter")
    name = value(broker, "name", Broker().name)
    graph = Graph(value(keys, "name", "chain"), nodes, known, entry, dead_letter, name)
    return graph, bool(nodes) and followed and told and len(found) == before


def _no_chain(name: At, *_: object) -> None:
    return None


def _readable(keys: Keys, *names: str) -> bool:
    return all(keys[name].value is not None for name in names if name in keys)


def _judged(read: tuple[Graph, bool], services: rules.Services, found: Findings, top: Place) -> Graph | None:
    """The expanded graph once it has met every rule that can be asked of it; None when there is none."""
    graph, complete = read
    before = len(found)
    rules.no_cycles(graph, found)
    rules.methods(graph, services, found)
    rules.one_protocol(graph, found)
    entry = rules.find_entry(graph, found, top) if complete and len(found) == before else None
    rules.dead_letters(graph, entry, found)
    if entry is not None:
        rules.entry_is_called(graph, entry, found)
        rules.all_reachable(graph, entry, found)
    expanded = expand(graph, entry, found) if entry is not None and len(found) == before else None
    expanded = spread(expanded, found) if expanded is not None else None
    _judge_rows(expanded or graph, found, top)
    return expanded


def _judge_rows(graph: Graph, found: Findings, top: Place) -> None:
    rules.one_protocol(graph, found)
    rules.no_twins(graph, found)
    rules.trigger_names(graph, found)
    rules.service_names(graph, found)
    rules.sizes(graph, found, top)


def _spec(keys: Keys, knobs: Knobs, graph: Graph, data: bytes, folder: str, found: Findings) -> ChainSpec:
    edges = tuple(_edge(graph, link) for link in graph.links)
    store: Mapping[str, At] = value(keys, "store", {})
    consumers = {edge.to for edge in edges if edge.via == "event"}
    consumers |= {graph.dead_letter.value} if graph.dead_letter else set()
    return ChainSpec(
        name=graph.chain,
        about=value(keys, "about", ""),
        entry=str(graph.entry.value) if graph.entry else "",
        functions=tuple(_function(node, edges, node.name in consumers) for node in graph.nodes.values()),
        edges=edges,
        broker=_broker(keys) if consumers else None,
        parameters=tuple(knobs.known.values()),
        folder=folder,
        sha256=hashlib.sha256(data).hexdigest(),
        requires=tuple(each.value for each in value(keys, "requires", [])),
        text=data.decode(),
        expect=value(keys, "expect"),
        store={key: knobs.fill(each.value or "", each.place, found) for key, each in store.items()},
    )


def _function(node: Node, edges: Sequence[Edge], consumes: bool) -> Function:
    asked = {each.name: getattr(node.demands, each.name) for each in fields(node.demands)}
    protocol: Protocol = "http1" if consumes or node.gateway else "h2c"
    all_of_them = sum(edge.least for edge in edges if edge.to == node.name)
    return Function(
        node.name,
        _handler(node),
        protocol,
        node.replicas,
        node.env,
        node.about,
        **asked,
        join=all_of_them if isinstance(node.join, str) else node.join,
        gateway=node.gateway,
        image=node.image,
        command=node.command,
        prepare=node.prepare,
        folder=node.folder,
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


_MORE = ("least", "most", "choice", "loop", "retry", "fallback", "transfer", "tasks", "done")  # of Link and Edge


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
