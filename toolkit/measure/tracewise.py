"""What one trace adds to what many tell: a few numbers, so that its spans need not be kept.

May live here: asking `toolkit.traces` about one trace. Adding up is `traces`'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from toolkit.measure.trace_columns import Edge, Label
from toolkit.traces import critical, hops, tree
from toolkit.traces.hops import ERROR_TAG
from toolkit.traces.model import Span
from toolkit.traces.segments import What


@dataclass(frozen=True, slots=True)
class Crossing:
    """One message on one edge, in microseconds; None: it is counted and not timed, for the reason that is given."""

    edge: Edge
    us: int | None
    parts: Sequence[tuple[What, int]] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class OfTrace:
    """`path` is empty when the trace has no root with a time. `missing` and `unknown` are edges of the chain."""

    trace: str
    failed: bool
    path: Mapping[Label, int]
    crossings: Sequence[Crossing]
    missing: Collection[Edge]
    unknown: Collection[Edge]
    orphans: int


def of_trace(spans: Sequence[Span], edges: Collection[Edge] | None) -> OfTrace:
    """What these spans, at least one and all of one trace, tell. Without `edges` nothing is missing."""
    path: Counter[Label] = Counter()
    for segment in critical.critical_path(spans):
        path[segment.label, segment.what] += segment.duration_us
    crossings = [
        Crossing((each.source, each.to, each.via), us, (("unattributed", us),))
        for each in hops.hops([spans])
        for us in each.durations_us
    ]
    return OfTrace(
        trace=max((span.trace for span in spans), key=len),
        failed=any(ERROR_TAG in span.tags for span in spans),
        path=path,
        crossings=crossings,
        missing=(),
        unknown=(),
        orphans=len(tree.build(spans).orphans),
    )
