"""That a chain ends: what bounds its circles, its tasks, and who is told that they are done. Rules as in `rules`."""

from __future__ import annotations

from itertools import pairwise

from toolkit.spec.cycles import components, cycles, told
from toolkit.spec.draft import Graph, Link
from toolkit.spec.findings import Findings


def no_cycles(graph: Graph, found: Findings) -> None:
    """A cycle would call, or send events, for ever, unless an edge of it says how often."""
    links = {(link.source, link.to): link for link in graph.links if not link.bounded}
    for cycle in cycles({name: [link.to for link in out if not link.bounded] for name, out in graph.out_of().items()}):
        closing, how = links[cycle[-2], cycle[-1]], "or say how often it may: `loop: 10`"
        if len(cycle) == 2:
            found.add(closing.place, f"{closing.to!r} sends to itself; to make a row of it, write `repeat: 2`, {how}")
        else:
            found.add(closing.place, f"the edges run in a circle: {told(cycle)}; leave one out, {how}")


def loops(graph: Graph, found: Findings) -> None:
    """An edge that loops leads back, and something in the circle decides to leave it."""
    part = components({name: [link.to for link in out] for name, out in graph.out_of().items()})
    for link in graph.links:
        if link.loop is not None and part[link.source] != part[link.to]:
            back = f"no path leads back from '{link.to}' to '{link.source}'"
            found.add(link.at("loop"), f"the edge is in no circle: {back}; leave `loop` out")
    always = {name: [link.to for link in out if _always(link)] for name, out in graph.out_of().items()}
    last = {(link.source, link.to): link for link in graph.links if _always(link)}
    for cycle in cycles(always):
        closing = last[cycle[-2], cycle[-1]]
        if any(last[pair].bounded for pair in pairwise(cycle)):  # else it is no_cycles' own
            why = f"every handling sends on in the circle {told(cycle)}, so nothing leaves it before its bound"
            found.add(closing.at("count"), f"{why}; write `count: 0..1`, or give the edges a `choice`")


def tasks(graph: Graph, found: Findings) -> None:
    """Tasks are done one by one, by a function that takes events, and one function says when all are done."""
    doers = list(dict.fromkeys(link.to for link in graph.links if link.tasks is not None))
    for link in graph.links:
        if link.tasks is not None and graph.nodes[link.to].join is not None:
            found.add(link.at("tasks"), f"'{link.to}' joins what comes, and tasks are done one by one; leave one out")
        if link.done:
            _done(graph, link, doers, found)
    telling = list(dict.fromkeys(link.source for link in graph.links if link.done and link.source in doers))
    if telling and len(doers) > 1:
        others = ", ".join(f"'{name}'" for name in doers if name != telling[0])
        link = next(link for link in graph.links if link.done and link.source == telling[0])
        together = "the tasks of a call are counted together"
        found.add(link.at("when"), f"{together}, so '{telling[0]}' must do all of them, but {others} does some too")


def _done(graph: Graph, link: Link, doers: list[str], found: Findings) -> None:
    if link.source not in doers:
        who = f"; let it leave '{doers[0]}'" if doers else "; no edge of the chain has `tasks`"
        found.add(link.at("when"), f"'{link.source}' does no tasks, so it never learns that all are done{who}")
    for key, why in (
        ("tasks", "what it says is that there are no more"),
        ("loop", "there is nothing to come back to"),
        ("count", "it is sent once in a call"),
    ):
        if key in link.said:
            found.add(link.at(key), f"this edge tells that all tasks are done: {why}; leave `{key}` out")


def _always(link: Link) -> bool:
    """Whether a handling cannot but send over it."""
    return link.least > 0 and link.choice is None and link.fallback is None and not link.done
