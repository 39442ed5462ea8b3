"""What the keys of an edge may say together: choices, fallbacks, attempts, transfers, one event of several edges.

Rules as in `rules`, each with its own problem. May not live here: what ends a circle (`endings`), and how many messages
come together (`traffic`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from toolkit.spec.cycles import cycles
from toolkit.spec.cycles import told as cycle_told
from toolkit.spec.draft import Graph, Link
from toolkit.spec.findings import Findings
from toolkit.spec.language import STREAMS

_GENERIC = "link.Link/"
_NO_CHOICE = {
    "fallback": "it is taken when another edge has failed",
    "tasks": "tasks are spawned, as many as there are",
    "when": "it is taken when all tasks are done",
}


def choices(graph: Graph, found: Findings) -> None:
    """A choice is between several edges, and the handler makes it."""
    groups: dict[tuple[str, str], list[Link]] = {}
    for link in _written(graph.links):
        if link.choice is not None:
            groups.setdefault((link.source, link.choice), []).append(link)
    for (source, name), links in groups.items():
        forced = [(link, key) for link in links for key in _NO_CHOICE if key in link.said]
        for link, key in forced:
            why = f"no handler chooses this edge: {_NO_CHOICE[key]} (`{key}`)"
            found.add(link.at("choice"), f"{why}; leave one out")
        if len(links) == 1 and not forced and "parallel" not in graph.nodes[links[0].to].said:
            other = f"give another edge out of '{source}' the same, or write `count: 0..1`"
            found.add(links[0].at("choice"), f"'{name}' is a choice of one edge; {other}")


def fallbacks(graph: Graph, found: Findings) -> None:
    """An edge that stands in for another of the same function, without a circle, and alone."""
    for links in graph.out_of().values():
        called = {link.to: link for link in links if link.via == "call"}
        told = {link.to for link in links if link.via == "event"}
        standing: dict[str, Link] = {}
        for link in _written(links):
            if link.fallback is None:
                continue
            first = standing.setdefault(link.fallback, link)
            if first is not link:
                two = f"{first.place.path} stands in for '{link.fallback}' already"
                found.add(link.at("fallback"), f"{two}; stand in for '{first.to}', and it is taken after that one")
            _one_fallback(graph, link, called, told, found)
        _no_circle(standing, found)


def _one_fallback(graph: Graph, link: Link, called: Mapping[str, Link], told: Collection[str], found: Findings) -> None:
    """`called` are the functions that its own calls, `told` those that it sends events."""
    source = link.source
    place, other = link.at("fallback"), str(link.fallback)
    if other == link.to:
        found.add(place, f"the edge leads to '{other}' itself; name the function in whose place it leads")
    elif other not in called and other in told:
        found.add(place, f"'{source}' sends events to '{other}', and the broker tells nobody that one has failed")
    elif other not in called:
        found.add(
            place,
            f"'{source}' does not call '{other}'{found.near(other, [each for each in called if each != link.to])}",
        )
    elif link.method in STREAMS or called[other].method in STREAMS:
        found.add(place, "a stream cannot be sent again to another: its messages are gone; use a method of one message")
    for name in (other, link.to):
        if graph.nodes[name].parallel > 1:
            found.add(place, one_for_one(name, graph.nodes[name].parallel))
    if "count" in link.said:
        found.add(link.at("count"), "it is taken as often as the other one fails; leave it out")


def one_for_one(name: str, copies: int) -> str:
    return f"'{name}' has {copies} copies side by side; one edge stands in for one"


def _no_circle(standing: Mapping[str, Link], found: Findings) -> None:
    """`standing` holds the edge that stands in for each function."""
    ahead = {name: [link.to] if link.to in standing else [] for name, link in standing.items()}
    for path in cycles(ahead):
        if len(path) > 2:  # an edge that stands in for itself has a problem of its own
            place = standing[path[0]].at("fallback")
            found.add(place, f"fallbacks stand in for each other in a circle: {cycle_told(path)}")


def attempts(graph: Graph, found: Findings) -> None:
    """What is tried again has to be there still."""
    for link in _written(graph.links):
        if link.retry and link.method in STREAMS:
            why = "a stream cannot be sent again: its messages are gone"
            found.add(link.at("retry"), f"{why}; leave it out, or use a method of one message")


def transfers(graph: Graph, found: Findings) -> None:
    """Data that travels apart needs a message that can say where it is."""
    for link in _written(graph.links):
        if link.transfer == "inline" or "transfer" not in link.said:
            continue
        if link.via == "event" and link.transfer == "stream":
            found.add(link.at("transfer"), "an event is one message, and no stream; write file, s3 or redis")
        elif link.method and not link.method.startswith(_GENERIC):
            only = f"the data of {link.method} is in the message itself"
            how = ", or the method" if "method" in link.said else ""
            found.add(link.at("transfer"), f"{only}, and travels with it; leave the transfer out{how}")


def one_event(graph: Graph, found: Findings) -> None:
    """Edges of one function and one type are one event with several receivers, so they say the same of it."""
    first: dict[tuple[str, str], Link] = {}
    for link in graph.links:
        if link.via != "event":
            continue
        other = first.setdefault((link.source, graph.type_of(link)), link)
        if other is link or (other.source, other.to) == (link.source, link.to):  # twins have a problem of their own
            continue
        same = f"it is one event with {other.place.path}, as both have the type '{graph.type_of(link)}'{link.why}"
        if differing := next((key for key in _OF_AN_EVENT if getattr(link, key) != getattr(other, key)), None):
            what = _OF_AN_EVENT[differing]
            found.add(link.at(what), f"{same}, so `{what}` must be the same; or give it a `type` of its own")
        elif link.choice or link.tasks:
            twice = "all would get what one is to get" if link.choice else "each task would be done twice"
            found.add(link.place, f"{same}, and {twice}; give it a `type` of its own")


_OF_AN_EVENT = {
    "least": "count",
    "most": "count",
    "choice": "choice",
    "loop": "loop",
    "tasks": "tasks",
    "done": "when",
    "transfer": "transfer",
}


def _written(links: Iterable[Link]) -> list[Link]:
    """Those of this file: what a sub-chain says has been judged there."""
    return [link for link in links if link.said]
