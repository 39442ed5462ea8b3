"""A trace held against its chain's graph, without receipts: which edges it shows, lacks and should not have.

May live here: counting edges that the functions' own spans prove. An edge is shown by a message whose sender and
receiver both have a span about it; the platform's spans between them are seen through, and neither there nor missing.
What really happened, message by message, is `match`'s, which has receipts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from toolkit.traces import view
from toolkit.traces.expect import ORIGIN_TAG
from toolkit.traces.model import Edge
from toolkit.traces.view import Trace, View


@dataclass(frozen=True, slots=True)
class Shown:
    """What a trace shows of its chain. `missing` and `unknown` edges, each as many times as messages are lacking or too
    strange; `orphans` are spans of the chain whose parent is not in the trace though no gap of the platform explains
    it, which are their own ancestors, or which begin a trace of their own beside the first one; `gaps` are those that
    one explains. `failed` are the messages, by edge, of which every attempt failed: both sides of them are there, so
    they are no missing spans, but the edge was not walked."""

    edges: Mapping[Edge, int]
    missing: Mapping[Edge, int]
    unknown: Mapping[Edge, int]
    orphans: int
    gaps: int
    failed: Mapping[Edge, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return not self.missing and not self.orphans and not self.failed


def shown(trace: Trace, expected: Mapping[Edge, int] | Iterable[Edge]) -> Shown:
    """`expected` are all edges of the chain, the caller's own call among them, with how often a trace has each at
    least; once, when nothing is said. One that may be there 0 times may fail, too. Names as the chain has them,
    whatever their case: spans have them in lower case.
    """
    seen = view.of(trace)
    wanted = expected if isinstance(expected, Mapping) else dict.fromkeys(expected, 1)
    edges, failed = _edges(seen)
    missing: dict[Edge, int] = {}
    known = set[Edge]()
    may_fail = set[Edge]()
    for (source, to, via), count in wanted.items():
        edge: Edge = (source.lower(), to.lower(), via)
        known.add(edge)
        may_fail |= {edge} if count == 0 else set()
        if (lacking := count - edges.get(edge, 0)) > 0:
            missing[edge] = lacking
    unknown = {edge: count for edge, count in edges.items() if edge not in known}
    return Shown(edges, missing, unknown, *_lost(seen), {edge: n for edge, n in failed.items() if edge not in may_fail})


def _edges(seen: View) -> tuple[dict[Edge, int], dict[Edge, int]]:
    """Messages by edge, all and those that failed; one that was delivered twice to one function counts once, and did
    not fail if one delivery did not."""
    found: dict[Edge, int] = {}
    failed: dict[Edge, int] = {}
    for (kind, message), receivers in seen.sides.items():
        if kind not in ("SERVER", "CONSUMER"):
            continue
        senders = seen.sides.get(("CLIENT" if kind == "SERVER" else "PRODUCER", message))
        if senders:
            source = seen.spans[senders[0]].service or "?"
            refused = kind == "SERVER" and all(_is_failed(seen, at) for at in senders)
            for to in {seen.spans[at].service or "?" for at in receivers}:
                edge: Edge = (source, to, "call" if kind == "SERVER" else "event")
                found[edge] = found.get(edge, 0) + 1
                if refused or all(_is_failed(seen, at) for at in receivers if (seen.spans[at].service or "?") == to):
                    failed[edge] = failed.get(edge, 0) + 1
    return found, failed


def _is_failed(seen: View, at: int) -> bool:
    return "error" in seen.spans[at].tags


def _lost(seen: View) -> tuple[int, int]:
    """(orphans of the chain, gaps)"""
    without = seen.tree.orphans | seen.tree.looped
    roots = [at for at in seen.tree.roots if at not in without]
    lost = (
        0
        if len(roots) < 2
        else sum(_is_astray(seen, at) for at in roots if at != (roots[0] if seen.root is None else seen.root))
    )
    gaps = 0
    for at in without:
        if seen.parts[at] is not None or (at in seen.guessed and seen.hung[at] is not None):
            gaps += 1
        elif seen.messages[at] is not None and not _names_its_origin(seen, at):
            lost += 1
    return lost, gaps


def _names_its_origin(seen: View, at: int) -> bool:
    return seen.spans[at].tags.get(ORIGIN_TAG, "")[36:52] in seen.places


def _is_astray(seen: View, at: int) -> bool:
    """Whether a root is a span of the chain that received or sent something, and should hang below another."""
    return seen.messages[at] is not None and seen.hung[at] is None and not _names_its_origin(seen, at)
