"""Where the time went: hops and the critical path, over the complete traces of warm calls that were answered OK."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from toolkit.contract import CALLER
from toolkit.measure.quantiles import quantiles
from toolkit.results import Hop, PathPart
from toolkit.spec.model import ChainSpec
from toolkit.traces import critical
from toolkit.traces import hops as traced
from toolkit.traces.model import Span
from toolkit.traces.platform import PARTS, is_platform, parts


def hops(chain: ChainSpec, traces: Sequence[Sequence[Span]]) -> tuple[Hop, ...]:
    """One row an edge, in the order of the chain, the caller's own call first."""
    total_us = sum(_end_to_end_us(spans) for spans in traces)
    order = {(CALLER, chain.entry, "call"): -1}
    for at, edge in enumerate(chain.edges):
        order.setdefault((edge.source.lower(), edge.to.lower(), edge.via), at)
    found = sorted(traced.hops(traces), key=lambda hop: order.get((hop.source, hop.to, hop.via), len(order)))
    return tuple(_hop(each, total_us) for each in found if each.durations_us)


def _hop(hop: traced.HopTimes, total_us: int) -> Hop:
    known = quantiles(hop.durations_us)
    p50, p99 = (known.p50, known.p99) if known else (None, None)
    share = sum(hop.durations_us) / total_us if total_us else None
    return Hop(hop.source, hop.to, hop.via, len(hop.durations_us), p50, p99, share)


def _end_to_end_us(spans: Sequence[Span]) -> int:
    """From the root's start to the end of the chain's last span; what the platform does afterwards is no part of it."""
    own = [span for span in spans if span.timestamp and not is_platform(span)]
    known = [(span.timestamp or 0, (span.timestamp or 0) + (span.duration or 0)) for span in own]
    return max(end for _, end in known) - min(start for start, _ in known) if known else 0


def critical_path(traces: Iterable[Sequence[Span]]) -> tuple[PathPart, ...]:
    """One row a segment, by falling share. A segment counts once a trace, with all the time it has there."""
    times: defaultdict[str, list[int]] = defaultdict(list)
    for spans in traces:
        of_trace: Counter[str] = Counter()
        for segment in critical.critical_path(spans):
            of_trace[segment.label] += segment.duration_us
        for label, duration_us in of_trace.items():
            times[label].append(duration_us)
    total_us = math.fsum(map(sum, times.values()))
    parts = [_part(label, durations_us, total_us) for label, durations_us in times.items()]
    return tuple(sorted(parts, key=lambda part: (-part.share, part.segment)))


def platform(traces: Iterable[Sequence[Span]]) -> tuple[tuple[str, int], ...]:
    """In how many traces each part of the platform has a span, in the order in which an event passes them."""
    found = Counter(part for spans in traces for part in parts(spans))
    return tuple((part, found[part]) for part in PARTS if found[part])


def _part(label: str, durations_us: Sequence[int], total_us: float) -> PathPart:
    known = quantiles(durations_us)
    p50, p99 = (known.p50, known.p99) if known else (None, None)
    return PathPart(label, len(durations_us), p50, p99, sum(durations_us) / total_us if total_us else 0.0)
