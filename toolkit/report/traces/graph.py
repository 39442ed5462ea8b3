"""The graph of a chain, or of what traces show, with what went along its edges.

May live here: nodes and edges as data, from an analysis, counts, and the chain's own graph when it is known. An event
passes through the broker: what a function publishes is an edge to it, what is delivered one from it, and the latency,
from publishing to delivery, stands on the latter. Where several publish to one, each has its own row in `ways`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from toolkit.analysis import Analysis, HopAnatomy
from toolkit.contract import BROKER, CALLER
from toolkit.report.traces.layout import place
from toolkit.report.traces.lines import Counts
from toolkit.traces.links import Link
from toolkit.traces.model import Edge, Via

MOST_NODES = 300  # a drawing of more is no drawing; what is left out is counted
MOST_EDGES = 2000


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain's own graph, with names as they are written: (from, to, via), without the caller's call of the entry."""

    name: str
    entry: str | None
    edges: Sequence[tuple[str, str, str]]
    functions: Sequence[str] = ()
    optional: Collection[tuple[str, str, str]] = ()  # of the edges, those that a call need not go over

    def spoken(self) -> dict[Edge, int]:
        """All edges with names as spans have them, the caller's first, and how often a trace has each at least."""
        first: dict[Edge, int] = {(CALLER, self.entry.lower(), "call"): 1} if self.entry else {}
        return first | {
            (edge[0].lower(), edge[1].lower(), _via(edge[2])): int(edge not in self.optional) for edge in self.edges
        }


def _via(told: str) -> Via:
    return "event" if told == "event" else "call"


@dataclass(slots=True)
class _Line:
    """What is drawn between two nodes; `ways` are the edges that it stands for."""

    via: str
    n: int = 0
    failed: int = 0
    missing: int = 0
    ways: list[HopAnatomy] = field(default_factory=list)


def document(
    analysis: Analysis,
    counts: Counts,
    chain: Chain | None = None,
    *,
    window_s: float | None = None,
    links: Sequence[Link] = (),
) -> dict[str, Any]:
    """Nodes with their places, and edges with what went along them, a second where `window_s` is known.

    `links` are drawn where they touch a service that speaks of no message of ours.
    """
    hops = {(hop.source, hop.to, _via(hop.via)): hop for hop in analysis.hops}
    edges = list(dict.fromkeys([*(chain.spoken() if chain else ()), *_calls_in(counts), *hops]))
    lines = _lines(edges, hops, analysis, counts)
    known = _services(chain, edges)
    drawable = {*known, *counts.strangers}
    drawn_links = [
        each for each in links if {each.parent, each.child} <= drawable and not {each.parent, each.child} <= set(known)
    ]
    for each in drawn_links:
        lines.setdefault((_id(each.parent), _id(each.child)), _Line("call", each.calls, each.errors))
    services = list(dict.fromkeys([*known, *(name for link in drawn_links for name in (link.parent, link.child))]))
    nodes = [_id(name) for name in services[:MOST_NODES]] + [_BROKER] * any(_BROKER in pair for pair in lines)
    shown = set(nodes)
    drawn = dict(islice(((pair, line) for pair, line in lines.items() if shown.issuperset(pair)), MOST_EDGES))
    places = place(nodes, drawn)
    labels = _labels(chain, services)
    return {
        "nodes": [_node(node, labels, places[node], analysis, counts, set(known)) for node in nodes],
        "edges": [_edge(pair, line, window_s) for pair, line in drawn.items()],
        "more_nodes": max(0, len(services) - MOST_NODES),
    }


_BROKER = "broker"


def _id(service: str) -> str:
    """No service can be called so that it would be the broker's node, or the caller's."""
    return CALLER if service == CALLER else f"service:{service}"


def _calls_in(counts: Counts) -> Iterator[Edge]:
    """The caller's calls, which the entry tells of long before the caller's own spans come."""
    return ((CALLER, service, "call") for service, calls in sorted(counts.called.items()) if calls)


def _services(chain: Chain | None, edges: Iterable[Edge]) -> list[str]:
    """The caller first, then the chain's functions in its order, then the others as they are met."""
    functions = [] if chain is None else [CALLER, *(name.lower() for name in chain.functions)]
    return list(dict.fromkeys([*functions, *(name for source, to, _ in edges for name in (source, to))]))


def _labels(chain: Chain | None, services: Sequence[str]) -> dict[str, str]:
    names = (
        () if chain is None else (*chain.functions, *(name for source, to, _ in chain.edges for name in (source, to)))
    )
    written = {name.lower(): name for name in names}
    return {_BROKER: BROKER} | {_id(name): written.get(name, name) for name in services}


def _lines(
    edges: Iterable[Edge], hops: Mapping[Edge, HopAnatomy], analysis: Analysis, counts: Counts
) -> dict[tuple[str, str], _Line]:
    lacking = analysis.completeness.missing if analysis.completeness else ()
    missing = {(each.source, each.to, each.via): each.traces for each in lacking}
    lines: dict[tuple[str, str], _Line] = {}
    for edge in edges:
        source, to, via = edge
        hop = hops.get(edge)
        if via == "event":
            into = lines.setdefault((_id(source), _BROKER), _Line(via))
            into.n = max(into.n, counts.published[source], _messages(hop))
            into.failed = counts.unsent[source]
        line = lines.setdefault((_BROKER if via == "event" else _id(source), _id(to)), _Line(via))
        line.n += max(_messages(hop), counts.called[to] if source == CALLER else 0)
        line.failed += hop.failed if hop else 0
        line.missing += missing.get(edge, 0)
        if hop is not None:
            line.ways.append(hop)
    return lines


def _messages(hop: HopAnatomy | None) -> int:
    return 0 if hop is None else hop.n + hop.failed + hop.skewed


def _edge(pair: tuple[str, str], line: _Line, window_s: float | None) -> dict[str, Any]:
    one = line.ways[0] if len(line.ways) == 1 else None
    return {
        "from": pair[0],
        "to": pair[1],
        "via": line.via,
        "n": line.n,
        "per_s": line.n / window_s if window_s else None,
        "p50_us": one.p50_us if one else None,
        "p99_us": one.p99_us if one else None,
        "failed": line.failed,
        "missing": line.missing,
        "ways": [_way(each) for each in line.ways],
    }


def _way(hop: HopAnatomy) -> dict[str, Any]:
    return {
        "source": hop.source,
        "to": hop.to,
        "n": hop.n,
        "mean_us": hop.mean_us,
        "p50_us": hop.p50_us,
        "p99_us": hop.p99_us,
        "skewed": hop.skewed,
    }


def _node(
    node: str,
    labels: Mapping[str, str],
    at: tuple[int, int],
    analysis: Analysis,
    counts: Counts,
    known: set[str],
) -> dict[str, Any]:
    service = node.removeprefix("service:")
    if node == _BROKER:
        n, errors = sum(counts.published.values()), sum(counts.unsent.values())
    else:
        n, errors = counts.received[service], counts.errors[service]
        n = max(n, sum(counts.called.values())) if node == CALLER else n
    kind = node if node in (_BROKER, CALLER) else "function" if service in known else "other"
    return {
        "id": node,
        "label": labels[node],
        "kind": kind,
        "column": at[0],
        "row": at[1],
        "n": n,
        "errors": errors,
        "work_us": None if node == _BROKER else _work(service, analysis),
    }


def _work(service: str, analysis: Analysis) -> float | None:
    """The mean of a service's own time on the critical path, over all traces; None where it has none."""
    whole = analysis.bands[0].shares if analysis.bands else ()
    return next((each.mean_us for each in whole if each.label == service and each.what == "work"), None)
