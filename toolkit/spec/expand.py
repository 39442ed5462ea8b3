"""`repeat:` made plain: a function that is repeated N times becomes N functions in a row, or none.

With N ≥ 2, `relay` becomes `relay-1` … `relay-N`: edges into it enter the first, edges out of it leave the last, and
each copy reaches the next as `relay` itself is reached. With N = 0 each function before it reaches each one behind it,
the way it reached `relay`. Needs a graph whose cycles are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from itertools import chain, islice, pairwise

from toolkit.contract import ENTRY_METHOD
from toolkit.spec.copies import copied
from toolkit.spec.draft import Graph, Link, Node
from toolkit.spec.findings import At, Findings
from toolkit.spec.names import copies
from toolkit.spec.rules import MAX_EDGES, MAX_FUNCTIONS


def expand(graph: Graph, entry: str, found: Findings) -> Graph | None:
    """The graph with every function single, its entry named; None after a problem."""
    if sum(node.repeat for node in graph.nodes.values()) > MAX_FUNCTIONS:
        node = max(graph.nodes.values(), key=lambda each: each.repeat)
        found.add(node.at("repeat"), f"the chain would have more than {MAX_FUNCTIONS:,} functions")
        return None
    before = len(found)
    landings = _landings(graph)
    _whole(graph, landings, found)
    if len(found) > before:
        return None
    joined = replace(graph, links=tuple(islice(_joined(graph, landings), MAX_EDGES + 1)))
    links = tuple(islice(_in_rows(joined, entry, found), MAX_EDGES + 1))
    nodes = copied(graph.nodes, {name: each.repeat for name, each in graph.nodes.items()}, found)
    if len(found) > before:
        return None
    place = graph.entry.place if graph.entry else graph.nodes[entry].place
    first = copies(entry, graph.nodes[entry].repeat)[0]
    return replace(graph, nodes=nodes, links=links, entry=At(first, place))


def _joined(graph: Graph, landings: Mapping[str, list[str]]) -> Iterator[Link]:
    """The edges once every function that is repeated 0 times is gone."""
    for link in graph.links:
        if graph.nodes[link.source].repeat == 0:
            continue
        if graph.nodes[link.to].repeat:
            yield link
        else:
            why = f", since '{link.to}' is repeated 0 times"
            yield from (replace(link, to=to, why=why) for to in landings[link.to])


def _landings(graph: Graph) -> Mapping[str, list[str]]:
    """For each function that is repeated 0 times, those that its predecessors reach instead.

    A function is kept twice at most: the second time is a problem anyway, and the paths may be beyond counting.
    """
    out_of = {name: [link for link in out if not link.bounded] for name, out in graph.out_of().items()}
    order = TopologicalSorter({name: [link.to for link in out] for name, out in out_of.items()}).static_order()
    landings: dict[str, list[str]] = {}
    for name in order:
        if graph.nodes[name].repeat == 0:
            reached = [landings[link.to] if graph.nodes[link.to].repeat == 0 else [link.to] for link in out_of[name]]
            landings[name] = _twice_at_most(chain.from_iterable(reached))
    return landings


def _whole(graph: Graph, landings: Mapping[str, list[str]], found: Findings) -> None:
    """Whether a function that is repeated 0 times can go: its edges must say nothing that goes with it."""
    for link in graph.links:
        gone = next((name for name in (link.source, link.to, link.fallback) if name in landings), None)
        if gone is None:
            continue
        if link.fallback == gone:
            what = "nothing that could fail is left"
        elif link.source == gone and not (link.plain and link.least == link.most == 1):
            what = "its neighbours cannot be joined by an edge that is not taken once in every handling"
        elif link.to == gone and (link.choice or link.fallback) and len(landings[gone]) != 1:
            what = f"this edge would lead to {len(landings[gone])} functions instead of one"
        else:
            continue
        found.add(link.place, f"'{gone}' is repeated 0 times, and {what}; let it be there once at least")


def _twice_at_most(names: Iterator[str]) -> list[str]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = min(counts.get(name, 0) + 1, 2)
    return [name for name, count in counts.items() for _ in range(count)]


def _in_rows(graph: Graph, entry: str, found: Findings) -> Iterator[Link]:
    """The edges between the copies: those of a row follow the first edge that enters it."""
    into, rows = graph.into(), set()
    names = {name: copies(name, node.repeat) for name, node in graph.nodes.items()}
    if len(names[entry]) > 1:
        call = Link(entry, entry, "call", graph.nodes[entry].place, method=ENTRY_METHOD)
        yield from _row(call, names[entry])
    for link in graph.links:
        backed = names[link.fallback][0] if link.fallback else None
        first = names[link.to][0]
        alias = link.alias or (link.to if first != link.to else None)
        yield replace(link, source=names[link.source][-1], to=first, fallback=backed, alias=alias)
        if len(names[link.to]) > 1 and link.to not in rows and not link.bounded:
            rows.add(link.to)
            _agree(graph.nodes[link.to], into[link.to], found)
            yield from _row(link, names[link.to])


def _row(like: Link, names: list[str]) -> Iterator[Link]:
    """The edges of a row: each copy reaches the next as the first is reached, but once in every handling."""
    why = f", since '{like.to}' is repeated {len(names)} times"
    plain = Link(like.source, like.to, like.via, like.place, like.method, like.type, like.said, why)
    plain = replace(plain, retry=like.retry, transfer=like.transfer)
    return (replace(plain, source=source, to=to) for source, to in pairwise(names))


def _agree(node: Node, into: list[Link], found: Findings) -> None:
    """The copies are joined by edges like those that enter, so these must not differ."""
    first = into[0]
    for other in into[1:]:
        if (other.via, other.method, other.type) != (first.via, first.method, first.type):
            what = "method" if first.via == "call" else "type"
            found.add(
                other.place,
                f"'{node.name}' is repeated, and its copies are joined by an edge like the one that enters; "
                f"this one differs from {first.place.path}, give them the same {what}",
            )
