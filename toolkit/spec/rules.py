"""What makes a graph of functions a chain that Knative can run. Each rule adds its own problem, and none stops another.

May not live here: what one value may look like (`language`), and where it comes from (`parser`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from toolkit.contract import LEDGER, READY_PATH, Via
from toolkit.spec import names
from toolkit.spec.draft import Graph, Link, Node
from toolkit.spec.findings import Findings, Place
from toolkit.spec.language import LONGEST_LABEL
from toolkit.spec.model import ChainSpec

Services = Mapping[str, Sequence[str]]
MAX_FUNCTIONS = 1000
MAX_EDGES = 10_000
_NO_H2C = "the broker's dispatcher speaks no h2c (it retries each delivery while the producer waits)"


def find_entry(graph: Graph, found: Findings, at: Place) -> str | None:
    """The function that callers reach: the one the file names, or the only one that no other leads on to."""
    if graph.entry is not None:
        return str(graph.entry.value)
    into = {
        name: [each for each in links if each.loop is None and each.source != name]
        for name, links in graph.into().items()
    }
    dead_letter = graph.dead_letter.value if graph.dead_letter else None
    aside = {dead_letter, *(lost(node, inner) for node, inner in graph.inner)}
    aside |= {name for name, node in graph.nodes.items() if node.is_gateway}
    candidates = [name for name in graph.nodes if not into[name] and name not in aside]
    if not candidates and dead_letter is not None and not into[dead_letter]:
        return str(dead_letter)  # another rule says that it cannot be both
    if len(candidates) == 1:
        return candidates[0]
    which = "name the one that callers reach"
    if candidates:
        some = ", ".join(candidates[:10]) + (", …" if len(candidates) > 10 else "")
        message = f"several functions have no incoming edge: {some}; {which}: `entry: {candidates[0]}`"
    else:
        message = f"no function could be the entry; {which}: `entry: NAME`"
    found.add(Place(at.line, at.column, "entry"), message)
    return None


def entry_is_called(graph: Graph, entry: str, found: Findings) -> None:
    """Callers speak gRPC to the entry, so it is there, and it is no event consumer."""
    node = graph.nodes[entry]
    place = graph.entry.place if graph.entry else node.place
    event = next((link for link in graph.into()[entry] if link.via == "event"), None)
    if event is not None:
        why = "callers reach it by gRPC, and a function speaks one protocol"
        found.add(place, f"the entry '{entry}' consumes the events of '{event.source}', but {why}")
    if node.protocol == "http1":
        found.add(
            node.said.get("protocol", place), f"the entry '{entry}' is called by gRPC, which needs h2c; leave it out"
        )
    if node.repeat == 0:
        found.add(
            node.said.get("repeat", place), f"the entry '{entry}' is repeated 0 times; callers would reach nothing"
        )
    if node.parallel > 1:
        why = f"callers reach one function, and '{entry}' would be {node.parallel:,}"
        found.add(node.said.get("parallel", place), f"{why}; put one before it that calls them all")


def lost(node: Node, inner: ChainSpec) -> str | None:
    """The function that a sub-chain has for dead letters, by its name here."""
    letters = inner.broker.delivery.dead_letter if inner.broker else None
    return f"{node.name}-{letters}" if letters else None


def gateways(graph: Graph, entry: str | None, found: Findings) -> None:
    """A gateway takes HTTP requests and has the chain answer them: it is beside the chain, and there is one."""
    several = [node for node in graph.nodes.values() if node.is_gateway]
    for node in several:
        name = node.name
        if node is not several[0]:
            found.add(node.at("gateway"), f"'{several[0].name}' is the chain's gateway already; a chain has one")
        if node.protocol == "h2c":
            found.add(node.at("protocol"), f"'{name}' takes HTTP requests, which need http1; leave it out")
        if node.demands.scale.max not in (None, 1) and "replicas" not in node.said:  # which has a problem of its own
            found.add(node.at("scale"), f"'{name}' is one pod, where the answers to its requests come; leave `max` out")
        if node.gateway == READY_PATH:
            found.add(node.at("gateway"), f"{READY_PATH} is where it says that it is ready; choose another path")
        if name == entry:
            place = graph.entry.place if graph.entry else node.place
            found.add(place, f"'{name}' is a gateway, which calls the entry; name another function as the entry")
        for link in graph.links:
            if link.source == name:
                found.add(link.place, f"'{name}' is a gateway, which calls the entry by itself; leave this edge out")
            elif link.to == name and link.via == "call":
                found.add(
                    link.at("via"), f"'{name}' is a gateway, and answers come to it by events; write `via: event`"
                )


def all_reachable(graph: Graph, entry: str, found: Findings) -> None:
    """Every function has work: a path leads to it from the entry, or from where dead letters go.

    A gateway has its work from outside.
    """
    starts = [entry, *([graph.dead_letter.value] if graph.dead_letter else [])]
    starts += [name for name, node in graph.nodes.items() if node.is_gateway]
    starts += [name for each, inner in graph.inner if (name := lost(each, inner))]  # brokers that differ are told apart
    reached = graph.reach(starts)
    for name, node in graph.nodes.items():
        if name not in reached:
            found.add(
                node.place, f"no path leads here from the entry '{entry}'; add an edge, or leave the function out"
            )


def one_protocol(graph: Graph, found: Findings) -> None:
    """Knative gives a revision one port with one protocol: h2c for gRPC, HTTP/1.1 for the dispatcher of events."""
    into = graph.into()
    for name, node in graph.nodes.items():
        vias: dict[Via, Link] = {}
        for link in into[name]:
            vias.setdefault(link.via, link)
        place = node.at("protocol")
        if len(vias) == 2:
            _both(name, vias["call"], vias["event"], found)
        elif "event" in vias and node.protocol == "h2c":
            found.add(
                place, f"'{name}' consumes events{vias['event'].why}, and {_NO_H2C}; leave it out, or write http1"
            )
        elif "call" in vias and node.protocol == "http1":
            found.add(place, f"'{name}' is called by gRPC{vias['call'].why}, which needs h2c; leave it out")


def _both(name: str, call: Link, event: Link, found: Findings) -> None:
    later = max(call, event, key=lambda link: (link.place.line, link.place.column))
    found.add(
        later.place,
        f"'{name}' is reached by a call (from '{call.source}'{call.why}) and by an event (from '{event.source}'"
        f"{event.why}), but Knative gives a function one port with one protocol; split it in two with one handler "
        f"file, such as '{name}-calls' and '{name}-events'",
    )


def no_twins(graph: Graph, found: Findings) -> None:
    """Two edges that say the same would be one; the second is a slip. A handler says whom it calls, and no method."""
    seen: dict[tuple[str, str, Via, str | None], Link] = {}
    for link in graph.links:
        key, what = ("type", graph.type_of(link)) if link.via == "event" else ("method", link.method)
        first = seen.setdefault((link.source, link.to, link.via, what if link.via == "event" else None), link)
        if first is link:
            continue
        there, why = first.place.path, link.why or first.why
        if first.method != link.method:
            text = f"'{link.source}' calls '{link.to}' already, by '{first.method}' ({there}){why}"
            found.add(link.place, f"{text}; a function calls another by one method, so leave one out")
        else:
            text = f"an edge from '{link.source}' to '{link.to}' with {key} '{what}' is already there ({there}){why}"
            other = ", or give it another type" if key == "type" else ""
            found.add(link.place, f"{text}; leave one out{other}")


def trigger_names(graph: Graph, found: Findings) -> None:
    """Every event edge becomes a Trigger, whose name must be a label and its own."""
    events = [link for link in graph.links if link.via == "event"]
    taken: dict[str, Link] = {}
    told: set[Place] = set()
    for link, name in zip(events, names.trigger_names((link.source, link.to) for link in events), strict=True):
        called = f"its Trigger would be called '{name}'"
        if len(name) > LONGEST_LABEL and link.place not in told:  # once for all copies of a row
            told.add(link.place)
            most = f"which has {len(name)} characters, {LONGEST_LABEL} are allowed"
            found.add(link.place, f"{called}, {most}; shorten the functions' names")
        first = taken.setdefault(name, link)
        if first is not link:
            found.add(link.place, f"{called}, as that of {first.place.path}; rename one of the functions")


def service_names(graph: Graph, found: Findings) -> None:
    """A function's name becomes that of a Kubernetes Service, and Knative makes Services of its own in the namespace.

    Those of a revision (serving, kmeta.ChildName of NAME-00001 and "-private") and of a broker's channel (eventing,
    TriggerChannelName and CreateChannelServiceName). Who comes second is never ready: NotOwned.
    """
    channel = f"{graph.broker}-kne-trigger-kn-channel"
    for name, node in graph.nodes.items():
        revision = re.fullmatch(r"(.+)-[0-9]{5,}(?:-private)?", name)
        if revision and revision[1] in graph.nodes:
            whose = f"the revisions of '{revision[1]}'"
            found.add(node.place, f"'{name}' is a name that Knative gives to {whose}; choose another name")
        if name == LEDGER:
            found.add(node.place, f"{name!r} is what remembers tasks and joins; choose another name for the function")
        if name == channel and any(link.via == "event" for link in graph.links):
            found.add(node.place, f"'{name}' is a name that Knative gives to the broker's channel; choose another name")


def methods(graph: Graph, services: Services, found: Findings) -> None:
    """A call names a method that some stub knows."""
    for link in graph.links:
        if link.via == "call" and link.method is not None:
            service, _, method = link.method.partition("/")
            place = link.at("method")
            if service not in services:
                found.add(place, f"no service named '{service}'{found.near(service, services)}")
            elif method not in services[service]:
                found.add(place, f"{service} has no method named '{method}'{found.near(method, services[service])}")


def dead_letters(graph: Graph, entry: str | None, found: Findings) -> None:
    """The dead-letter function gets undelivered events by HTTP/1.1, and nothing else."""
    if graph.dead_letter is None:
        return
    name, place = graph.dead_letter.value, graph.dead_letter.place
    node, into = graph.nodes[name], graph.into()[name]
    alone = "dead letters need a function of their own, without incoming edges"
    if name == entry:
        found.add(place, f"'{name}' is the entry, called by gRPC; {alone}")
        return
    if into:
        how = "calls" if into[0].via == "call" else "sends events to"
        found.add(place, f"'{into[0].source}' {how} '{name}'; {alone}")
    for key, count in (("repeat", node.repeat), ("parallel", node.parallel)):
        if count != 1:
            one = f"'{name}' gets the dead letters and cannot be repeated"
            found.add(node.said.get(key, place), f"{one}; use `replicas`")
    if node.is_gateway:
        found.add(
            place, f"'{name}' is a gateway, and a dead letter answers no request; give it a function with a handler"
        )
    if node.protocol == "h2c":
        where = node.said.get("protocol", place)
        found.add(where, f"'{name}' gets the dead letters, and {_NO_H2C}; leave it out, or write http1")
    _no_way_back(graph, name, found)


def _no_way_back(graph: Graph, name: str, found: Findings) -> None:
    """An event sent behind the dead-letter function would, when nobody takes it, come back as the next dead letter."""
    behind = graph.reach([name])
    for link in graph.links:
        if link.via == "event" and link.source in behind:
            way = f"an event sent behind the dead-letter function '{name}' comes back to it when it is not taken"
            found.add(link.place, f"{way}, and so for ever; make this a call")


def sizes(graph: Graph, found: Findings, at: Place) -> None:
    """Bounds that keep a slip of the pen from starting a million processes."""
    if len(graph.nodes) > MAX_FUNCTIONS:
        found.add(at, f"the chain has {len(graph.nodes):,} functions; {MAX_FUNCTIONS:,} are allowed")
    if len(graph.links) > MAX_EDGES:
        found.add(at, f"the chain has more than {MAX_EDGES:,} edges")
