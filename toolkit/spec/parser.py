"""From the bytes of a chain.yaml to a ChainSpec that is known to be right, or to all that is wrong with it.

Pure and total: `parse` returns a ChainSpec or raises SpecError with every problem found, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypedDict, get_args

from toolkit.contract import GENERIC_METHOD, Transfer
from toolkit.contract.units import shown
from toolkit.errors import SpecError
from toolkit.spec import demands, language, parameters, rules, yamltree
from toolkit.spec.draft import Graph, Link, Node
from toolkit.spec.expand import expand
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.model import Broker, ChainSpec, Delivery, Edge, Function, Protocol
from toolkit.spec.parameters import Bounds, Knobs
from toolkit.spec.shapes import Row

Keys = Mapping[str, At]
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


def _value(keys: Keys, key: str, default: Any = None) -> Any:
    """What `key` says; `default` when it is not there or could not be read."""
    found = keys[key].value if key in keys else None
    return default if found is None else found


def _knobs(keys: Keys, overrides: Mapping[str, str], found: Findings) -> Knobs:
    rows: Mapping[str, Row] = _value(keys, "parameters", {})
    if len(found) == 0:  # else a parameter may be missing for another reason than its name
        parameters.refuse_unknown(overrides, list(rows), _value(keys, "name", "the chain"), found)
    return parameters.settle(rows, overrides, found)


def _graph(keys: Keys, knobs: Knobs, top: Place, found: Findings) -> tuple[Graph, bool]:
    """The functions and edges that can be followed, and whether these are all of them."""
    before = len(found)
    nodes = {name: _node(name, row, knobs, found) for name, row in _value(keys, "functions", {}).items()}
    links = [_link(each, nodes, knobs, found) for each in _value(keys, "edges", [])]
    known = tuple(link for link in links if link is not None)
    broker: Keys = _value(keys, "broker", {})
    delivery: Keys = _value(broker, "delivery", {})
    entry, dead_letter = (_known(each, nodes, found) for each in (keys.get("entry"), delivery.get("dead-letter")))
    followed = len(known) == len(links) and _readable(keys, "functions", "edges")
    if "broker" in keys and followed and not any(link.via == "event" for link in known):
        found.add(keys["broker"].place, "the chain has no event edge, so it needs no broker; leave it out")
    told = _readable(keys, "entry", "broker") and _readable(broker, "delivery") and _readable(delivery, "dead-letter")
    name = _value(broker, "name", Broker().name)
    graph = Graph(_value(keys, "name", "chain"), nodes, known, entry, dead_letter, name)
    return graph, bool(nodes) and followed and told and len(found) == before


def _readable(keys: Keys, *names: str) -> bool:
    return all(keys[name].value is not None for name in names if name in keys)


def _known(at: At | None, nodes: Mapping[str, Node], found: Findings) -> At | None:
    """`at`, if it names a function; a problem if it names none."""
    if at is None or at.value is None:
        return None
    if at.value in nodes:
        return at
    found.add(at.place, f"no function named {shown(at.value)}{found.near(at.value, nodes)}")
    return None


def _node(name: str, row: Row, knobs: Knobs, found: Findings) -> Node:
    keys: Keys = row.value.value or {}
    repeat, protocol = keys.get("repeat"), keys.get("protocol")
    count = knobs.count(repeat.value, repeat.place, found) if repeat and repeat.value else 1
    env: Mapping[str, Row] = _value(keys, "env", {})
    return Node(
        name=name,
        place=row.name,
        handler=_value(keys, "handler", ""),
        replicas=_value(keys, "replicas", 1),
        env={key: knobs.fill(each.value.value or "", each.value.place, found) for key, each in env.items()},
        about=_value(keys, "about", ""),
        repeat=1 if count is None else count,
        repeat_place=repeat.place if repeat else None,
        protocol=protocol.value if protocol else None,
        protocol_place=protocol.place if protocol else None,
        demands=demands.read(keys, found),
        join=_join(keys.get("join"), knobs, found),
        gateway=_value(keys, "gateway"),
        image=_value(keys, "image"),
        command=tuple(each.value or "" for each in _value(keys, "command", [])),
    )


def _join(at: At | None, knobs: Knobs, found: Findings) -> str | int | None:
    if at is None or at.value is None or at.value == "all":
        return None if at is None else at.value
    return 0 if at.value == "parts" else knobs.count(at.value, at.place, found)


def _link(edge: At, nodes: Mapping[str, Node], knobs: Knobs, found: Findings) -> Link | None:
    keys: Keys = edge.value or {}
    via, method = _value(keys, "via"), keys.get("method")
    source, to = (_known(keys.get(key), nodes, found) for key in ("from", "to"))
    if via is None or source is None or to is None:
        return None
    least, most = _amount(keys, knobs, found)
    more = _More(
        least=least,
        most=most,
        choice=_value(keys, "choice"),
        loop=_number(keys.get("loop"), knobs, found),
        retry=_number(keys.get("retry"), knobs, found) or 0,
        fallback=_value(keys, "fallback"),
        transfer=_transfer(keys.get("transfer"), knobs, found),
        tasks=_value(keys, "tasks"),
        done=_value(keys, "when") == "done",
    )
    if source.value == to.value and more["loop"] is None and more["tasks"] is None:
        only = "to make a row of it, write `repeat: 2`; to let it call itself so often at most, `loop: 10`"
        found.add(edge.place, f"'{to.value}' cannot send to itself; {only}")
    if via == "event":
        return Link(source.value, to.value, via, edge.place, type=_value(keys, "type"), **more)
    named = _value(keys, "method", GENERIC_METHOD)
    return Link(source.value, to.value, via, edge.place, named, method.place if method else None, **more)


class _More(TypedDict):
    """What an edge says beside its ends and its name."""

    least: int
    most: int | None
    choice: str | None
    loop: int | None
    retry: int
    fallback: str | None
    transfer: Transfer
    tasks: int | None
    done: bool


def _amount(keys: Keys, knobs: Knobs, found: Findings) -> tuple[int, int | None]:
    """From so many messages to so many. Left out, it is one; but tasks are spawned as needed, and a loop ends."""
    at = keys.get("count")
    if at is None or at.value is None:
        if "tasks" in keys:
            return 0, None
        return (0, 1) if "loop" in keys and "choice" not in keys else (1, 1)
    bounds: Bounds = at.value
    least = knobs.count(bounds.least, at.place, found)
    return least or 0, None if bounds.most is None else knobs.count(bounds.most, at.place, found)


def _number(at: At | None, knobs: Knobs, found: Findings) -> int | None:
    return None if at is None or at.value is None else knobs.count(at.value, at.place, found)


def _transfer(at: At | None, knobs: Knobs, found: Findings) -> Transfer:
    known: tuple[Transfer, ...] = get_args(Transfer)
    text = knobs.fill(at.value, at.place, found) if at is not None and at.value else known[0]
    transfer = next((each for each in known if each == text), None)
    if at is not None and transfer is None:
        found.add(at.place, f"{shown(text)} is no transfer; write {', '.join(known)}")
    return transfer or known[0]


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
    store: Mapping[str, Row] = _value(keys, "store", {})
    consumers = {edge.to for edge in edges if edge.via == "event"}
    consumers |= {graph.dead_letter.value} if graph.dead_letter else set()
    return ChainSpec(
        name=graph.chain,
        about=_value(keys, "about", ""),
        entry=str(graph.entry.value) if graph.entry else "",
        functions=tuple(_function(node, edges, node.name in consumers) for node in graph.nodes.values()),
        edges=edges,
        broker=_broker(keys) if consumers else None,
        parameters=tuple(knobs.known.values()),
        folder=folder,
        sha256=hashlib.sha256(data).hexdigest(),
        requires=tuple(each.value for each in _value(keys, "requires", [])),
        text=data.decode(),
        expect=_value(keys, "expect"),
        store={key: knobs.fill(each.value.value or "", each.value.place, found) for key, each in store.items()},
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
        folder=node.folder,
    )


def _handler(node: Node) -> str:
    """What the toolkit itself does for functions without a handler."""
    if node.gateway:
        return GATEWAY
    return STRANGER if node.image or node.command else node.handler


def _edge(graph: Graph, link: Link) -> Edge:
    more = {each: getattr(link, each) for each in _More.__annotations__}
    if link.via == "call":
        return Edge(link.source, link.to, "call", method=link.method, **more)
    return Edge(link.source, link.to, "event", type=graph.type_of(link), **more)


def _broker(keys: Keys) -> Broker:
    broker: Keys = _value(keys, "broker", {})
    delivery: Keys = _value(broker, "delivery", {})
    usual, delivered = Broker(), Delivery()
    return Broker(
        name=_value(broker, "name", usual.name),
        acknowledge=_value(broker, "acknowledge", usual.acknowledge),
        delivery=Delivery(
            retry=_value(delivery, "retry", delivered.retry),
            backoff=_value(delivery, "backoff", delivered.backoff),
            delay_s=_value(delivery, "delay", delivered.delay_s),
            timeout_s=_value(delivery, "timeout"),
            dead_letter=_value(delivery, "dead-letter"),
        ),
    )
