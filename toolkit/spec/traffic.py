"""How many messages of one call each function handles, at least and at most; and what joins wait for. Pure.

Needs a graph that is expanded and whose circles are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from toolkit.spec.draft import Graph, Link, Node
from toolkit.spec.findings import Findings, Place


@dataclass(frozen=True, slots=True)
class Range:
    """From so many to so many; `most` is None where nothing bounds it."""

    least: int = 0
    most: int | None = 0

    def __add__(self, other: Range) -> Range:
        return Range(self.least + other.least, None if None in (self.most, other.most) else _sum(self, other))

    def times(self, other: Range) -> Range:
        most = 0 if 0 in (self.most, other.most) else None
        if self.most is not None and other.most is not None:
            most = self.most * other.most
        return Range(self.least * other.least, most)

    def over(self, number: int) -> Range:
        return Range(self.least // number, None if self.most is None else self.most // number)

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.least:,}"
        return f"{self.least:,} or more" if self.most is None else f"{self.least:,} to {self.most:,}"


def _sum(one: Range, other: Range) -> int:
    return (one.most or 0) + (other.most or 0)


def settled(graph: Graph, entry: str, found: Findings) -> Graph:
    """The graph with its numbers: what an edge that stands in for another carries, and what a join waits for."""
    graph = replace(graph, links=tuple(_standing_in(graph)))
    into = graph.into()
    runs: dict[str, Range] = {}
    nodes = dict(graph.nodes)
    certain = {name: [link.source for link in links if not link.bounded] for name, links in into.items()}
    for name in TopologicalSorter(certain).static_order():
        comes = Range(1, 1) if name == entry else Range()
        for link in into[name]:
            comes += _brought(link, runs)
        if graph.dead_letter is not None and name == graph.dead_letter.value:
            comes += Range(0, None)
        node = graph.nodes[name]
        if node.join is None:
            runs[name] = comes
        elif not any(link.via == "event" for link in into[name]):
            found.add(_at(node), f"no edge brings events to '{name}', so there is nothing to join; leave it out")
            runs[name] = comes
        else:
            nodes[name], runs[name] = _joined(graph, node, comes, into[name], found)
    _beginnings(graph, runs, found)
    return replace(graph, nodes={name: nodes[name] for name in graph.nodes})


def _beginnings(graph: Graph, runs: Mapping[str, Range], found: Findings) -> None:
    """The tasks of a call begin in one handling, or those of the first may all have ended before others are spawned."""
    doers = {link.to for link in graph.links if link.tasks is not None}
    if not any(link.done for link in graph.links):
        return
    spawning = {link.source: link for link in graph.links if link.tasks is not None and link.source not in doers}
    for name, link in spawning.items():
        if runs[name].most not in (0, 1):
            often = f"'{name}' handles {runs[name]} messages of a call, and each may spawn tasks"
            why = "the end of all is told once, and may come before the last of them spawned"
            found.add(link.at("tasks"), f"{often}: {why}; spawn in one handling, such as that of the entry")
        elif name != next(iter(spawning)):
            why = f"the tasks of a call begin in one handling, and '{next(iter(spawning))}' spawns some already"
            found.add(link.at("tasks"), f"{why}; leave one out")


def _brought(link: Link, runs: Mapping[str, Range]) -> Range:
    if link.bounded:
        return Range(0, None)
    return Range(0, 1) if link.done else runs[link.source].times(_over(link))


def _over(link: Link) -> Range:
    return Range(0 if link.choice or link.fallback else link.least, link.most)  # a failed attempt counts as none


def _joined(graph: Graph, node: Node, comes: Range, into: list[Link], found: Findings) -> tuple[Node, Range]:
    """The join with its number, and how often it brings the handler to run."""
    of_a_call = f"{comes} events of a call come here"
    if node.join == 0:
        if not _scattered(graph, node.name):
            how = "write the `count` of the edge that scatters, or `join: all`"
            found.add(_at(node), f"no event on the way to '{node.name}' is one of several parts; {how}")
        for copied in _copied(graph, node.name):
            copies = graph.nodes[copied].beside
            why = f"'{copied}' is one of {copies} copies side by side, which all send a result for each part"
            found.add(
                _at(node), f"{why}; join what one function sends, or scatter over as many parts as there are copies"
            )
            break
        return node, Range(min(1, comes.least), comes.most)
    if isinstance(node.join, str):
        if comes.most is None or comes.least != comes.most:
            how = "write `join: parts` for what was scattered, or a number"
            found.add(_at(node), f"{of_a_call}{_because(into)}, so nobody knows when all are there; {how}")
            return node, Range(0, 1)
        if comes.most == 0:
            found.add(_at(node), "no event of a call comes here, so there is nothing to join")
        return replace(node, join=max(1, comes.most)), Range(1, 1)
    if node.join is None:
        return node, comes
    if comes.most is not None and comes.most < node.join:
        found.add(_at(node), f"{of_a_call}, so a join of {node.join:,} would wait for ever; write `join: all`")
    elif comes.least == comes.most and comes.least % node.join:
        left = f"{comes.least % node.join:,} would wait for ever"
        found.add(_at(node), f"{of_a_call}, which is no multiple of {node.join:,}: {left}; write `join: all`")
    return node, comes.over(node.join)


def _because(into: list[Link]) -> str:
    """Why it is not always the same number, if an edge into the join says so itself."""
    for link in into:
        for key in ("tasks", "loop", "when", "choice", "count"):
            varies = link.least != link.most if key == "count" else key in link.said
            if varies:
                return f" ({link.place.path} has `{key}`)"
    return ""


def _scattered(graph: Graph, name: str) -> bool:
    into, before, ahead = graph.into(), set[str](), [name]
    while ahead:
        if (each := ahead.pop()) not in before:
            before.add(each)
            ahead.extend(link.source for link in into[each])
    return any(
        link.via == "event" and (link.most != 1 or "count" in link.said) for each in before for link in into[each]
    )


def _copied(graph: Graph, name: str) -> list[str]:
    """The functions between the scatter and this join that stand side by side with copies."""
    into, between, ahead = graph.into(), dict[str, None](), [name]
    while ahead:
        for link in into[ahead.pop()]:
            if link.via == "event" and link.most == 1 and link.source not in between:
                between[link.source] = None
                ahead.append(link.source)
    return [each for each in between if graph.nodes[each].beside > 1]


def _standing_in(graph: Graph) -> list[Link]:
    """An edge that stands in for another carries as much as that one may, or nothing."""
    carried: Mapping[tuple[str, str], Link] = {
        (link.source, link.to): link for link in graph.links if link.via == "call"
    }
    found = []
    for link in graph.links:
        other: Link | None = link
        for _ in carried:
            if other is None or other.fallback is None:
                break
            other = carried.get((other.source, other.fallback))
        found.append(replace(link, least=0, most=other.most) if other is not None and other is not link else link)
    return found


def _at(node: Node) -> Place:
    return node.at("join")
