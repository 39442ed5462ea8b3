"""Where the time of a run went, over the complete traces of warm calls that were answered OK: as a report tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from toolkit.analysis import Analysis, HopAnatomy
from toolkit.contract import CALLER
from toolkit.results import Hop, PathPart
from toolkit.spec.model import ChainSpec
from toolkit.traces.model import Span
from toolkit.traces.platform import PARTS, chains_own, is_platform, parts


def hops(chain: ChainSpec, found: Analysis, traces: Iterable[Sequence[Span]]) -> tuple[Hop, ...]:
    """One row an edge of the analysed traces, in the order of the chain, the caller's own call first."""
    total_us = sum(map(_end_to_end_us, traces))
    order = {(CALLER, chain.entry, "call"): -1}
    for at, edge in enumerate(chain.edges):
        order.setdefault((edge.source.lower(), edge.to.lower(), edge.via), at)
    timed = sorted(
        (hop for hop in found.hops if hop.n), key=lambda hop: order.get((hop.source, hop.to, hop.via), len(order))
    )
    return tuple(_hop(each, total_us) for each in timed)


def _hop(hop: HopAnatomy, total_us: int) -> Hop:
    share = hop.n * (hop.mean_us or 0.0) / total_us if total_us else None
    return Hop(hop.source, hop.to, hop.via, hop.n, hop.p50_us, hop.p99_us, share, hop.parts)


def _end_to_end_us(spans: Sequence[Span]) -> int:
    """From the root's start to the end of the chain's last span; what the platform does afterwards is no part of it."""
    functions = chains_own(spans)  # queue-proxy speaks under their names
    own = [span for span in spans if span.timestamp and not is_platform(span, functions)]
    known = [(span.timestamp or 0, (span.timestamp or 0) + (span.duration or 0)) for span in own]
    return max(end for _, end in known) - min(start for start, _ in known) if known else 0


def critical_path(found: Analysis) -> tuple[PathPart, ...]:
    """One row a segment and what it was spent on, by falling share; once a trace, with all the time it has there."""
    return tuple(
        PathPart(each.label, each.n, each.p50_us, each.p99_us, each.share, each.what)
        for band in found.bands[:1]
        for each in band.shares
    )


def platform(traces: Iterable[Sequence[Span]]) -> tuple[tuple[str, int], ...]:
    """In how many traces each part of the platform has a span, in the order in which an event passes them."""
    found = Counter(part for spans in traces for part in parts(spans))
    return tuple((part, found[part]) for part in PARTS if found[part])
