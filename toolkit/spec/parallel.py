"""`parallel:` made plain: a function of N copies side by side becomes N functions.

With N ≥ 2, `worker` becomes `worker-1` … `worker-N`: every edge into it goes to each copy, every edge out of it leaves
each, and an edge to itself leads from each copy to the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from toolkit.spec.copies import copied
from toolkit.spec.draft import Graph, Link
from toolkit.spec.findings import Findings
from toolkit.spec.names import copies
from toolkit.spec.rules import MAX_EDGES, MAX_FUNCTIONS


def spread(graph: Graph, found: Findings) -> Graph | None:
    """The graph with every function single; None after a problem. Nothing in it is repeated any more."""
    if sum(node.parallel for node in graph.nodes.values()) > MAX_FUNCTIONS:
        node = max(graph.nodes.values(), key=lambda each: each.parallel)
        found.add(node.at("parallel"), f"the chain would have more than {MAX_FUNCTIONS:,} functions")
        return None
    before = len(found)
    nodes = copied(graph.nodes, {name: each.parallel for name, each in graph.nodes.items()}, found)
    if len(found) > before:
        return None
    nodes = {name: replace(each, beside=each.parallel * each.beside) for name, each in nodes.items()}
    return replace(graph, nodes=nodes, links=tuple(islice(_links(graph), MAX_EDGES + 1)))


def _links(graph: Graph) -> Iterator[Link]:
    names = {name: copies(name, node.parallel) for name, node in graph.nodes.items()}
    for link in graph.links:
        if link.source == link.to:
            yield from (replace(link, source=name, to=name) for name in names[link.to])
        else:
            yield from (replace(link, source=source, to=to) for source in names[link.source] for to in names[link.to])
