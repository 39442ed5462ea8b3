"""A trace held against its chain's graph, without receipts: which edges it shows, lacks and should not have.

May live here: counting edges that the functions' own spans prove. An edge is shown by a message whose sender and
receiver both have a span about it; the platform's spans between them are seen through, and neither there nor missing.
What really happened, message by message, is `match`'s, which has receipts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from toolkit.traces import view
from toolkit.traces.expect import ORIGIN_TAG
from toolkit.traces.hops import Edge
from toolkit.traces.view import Trace, View


@dataclass(frozen=True, slots=True)
class Shown:
    """What a trace shows of its chain. `missing` and `unknown` edges, each as many times as messages are lacking or too
    strange; `orphans` are spans of the chain whose parent is not in the trace though no gap of the platform explains
    it, or which are their own ancestors; `gaps` are those that one explains."""

    edges: Mapping[Edge, int]
    missing: Mapping[Edge, int]
    unknown: Mapping[Edge, int]
    orphans: int
    gaps: int

    @property
    def complete(self) -> bool:
        return not self.missing and not self.orphans


def shown(trace: Trace, expected: Mapping[Edge, int] | Iterable[Edge]) -> Shown:
    """`expected` are all edges of the chain, the caller's own call among them, with how often a trace has each; at
    least once, when nothing is said. Names as the chain has them, whatever their case: spans have them in lower case.
    """
    seen = view.of(trace)
    wanted = expected if isinstance(expected, Mapping) else dict.fromkeys(expected, 1)
    edges = _edges(seen)
    missing: dict[Edge, int] = {}
    known = set[Edge]()
    for (source, to, via), count in wanted.items():
        edge: Edge = (source.lower(), to.lower(), via)
        known.add(edge)
        if (lacking := count - edges.get(edge, 0)) > 0:
            missing[edge] = lacking
    unknown = {edge: count for edge, count in edges.items() if edge not in known}
    return Shown(edges, missing, unknown, *_lost(seen))


def _edges(seen: View) -> dict[Edge, int]:
    """Messages by edge; one that was delivered twice to one function counts once."""
    found: dict[Edge, int] = {}
    for (kind, message), receivers in seen.sides.items():
        if kind not in ("SERVER", "CONSUMER"):
            continue
        senders = seen.sides.get(("CLIENT" if kind == "SERVER" else "PRODUCER", message))
        if senders:
            source = seen.spans[senders[0]].service or "?"
            for to in {seen.spans[at].service or "?" for at in receivers}:
                edge: Edge = (source, to, "call" if kind == "SERVER" else "event")
                found[edge] = found.get(edge, 0) + 1
    return found


def _lost(seen: View) -> tuple[int, int]:
    """(orphans of the chain, gaps)"""
    without = seen.tree.orphans | seen.tree.looped
    if not without:
        return 0, 0
    lost = gaps = 0
    for at in without:
        if seen.parts[at] is not None or (at in seen.guessed and seen.hung[at] is not None):
            gaps += 1
        elif seen.messages[at] is not None and not _names_its_origin(seen, at):
            lost += 1
    return lost, gaps


def _names_its_origin(seen: View, at: int) -> bool:
    return seen.spans[at].tags.get(ORIGIN_TAG, "")[36:52] in seen.places
