"""One trace as a document: its spans as a waterfall, its critical path, and where its time went.

May live here: putting in rows what `traces` finds in a trace. May not: finding it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.traces import tree
from toolkit.traces.critical import critical_path
from toolkit.traces.hops import ERROR_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import Part, chains_own, part
from toolkit.traces.segments import Segment, What
from toolkit.traces.tree import Tree

MOST_ROWS = 2000
MOST_TAGS = 100  # of a span
LONGEST = 4096  # characters of a tag's value, an annotation or an error
_WHAT: Mapping[Part, What] = {
    "broker ingress": "broker ingress",
    "channel dispatcher": "dispatch",
    "broker filter": "filter",
    "gateway": "gateway",
    "activator": "proxy",
    "queue-proxy": "proxy",
}
_INNER: Mapping[str, What] = {"throttler_try": "cold wait", "queue_wait": "queue", "kn.queueproxy.wait": "queue"}


def document(trace: str, spans: Sequence[Span], most: int = MOST_ROWS) -> dict[str, Any]:
    """The trace of these spans. It begins with its critical path where it has one, otherwise with its first span."""
    path = critical_path(spans)
    arranged = tree.build(spans)
    begin = path[0].start if path else tree.started(arranged.spans) or 0
    end = path[-1].end if path else tree.ended(arranged.spans) or begin
    order = list(arranged.walk())
    functions = chains_own(arranged.spans)
    return {
        "id": trace,
        "start_us": begin,
        "duration_us": end - begin,
        "failed": any(ERROR_TAG in span.tags for span in arranged.spans),
        "rows": [_row(arranged, at, depth, begin, functions) for at, depth in order[:most]],
        "more_rows": max(0, len(order) - most),
        "path": [_piece(each, begin) for each in path[:most]],
        "by_label": by_label(path),
    }


def by_label(path: Sequence[Segment]) -> list[dict[str, Any]]:
    """What each label has of the critical path, most first; the shares add up to 1."""
    times: dict[tuple[str, What], int] = {}
    for each in path:
        times[each.label, each.what] = times.get((each.label, each.what), 0) + each.duration_us
    whole = sum(times.values())
    order = sorted(times.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"label": label, "what": what, "us": us, "share": us / whole if whole else 0.0} for (label, what), us in order
    ]


def _piece(segment: Segment, begin: int) -> dict[str, Any]:
    return {
        "start_us": segment.start - begin,
        "end_us": segment.end - begin,
        "label": segment.label,
        "what": segment.what,
        "span": segment.span,
    }


def _row(arranged: Tree, at: int, depth: int, begin: int, functions: frozenset[str]) -> dict[str, Any]:
    span, parent = arranged.spans[at], arranged.parents[at]
    of_platform = part(span, functions)
    error = span.tags.get(ERROR_TAG)
    return {
        "span": span.id,
        "parent": None if parent is None else arranged.spans[parent].id,
        "depth": depth,
        "service": span.service or "?",
        "name": span.name or "?",
        "kind": span.kind,
        "part": of_platform,
        "what": _what(span, of_platform),
        "start_us": (span.timestamp or begin) - begin,
        "duration_us": span.duration or 0,
        "error": None if error is None else error[:LONGEST],
        "skewed": parent is not None and _is_skewed(span, arranged.spans[parent]),
        "tags": {name: value[:LONGEST] for name, value in sorted(span.tags.items())[:MOST_TAGS]},
        "annotations": [
            {"at_us": each.timestamp - begin, "value": each.value[:LONGEST]} for each in span.annotations[:MOST_TAGS]
        ],
    }


def _what(span: Span, of_platform: Part | None) -> What | None:
    """What a span's own time is; None where its kind says that it only waits for somebody else."""
    if of_platform is not None:
        return _INNER.get(span.name, _WHAT[of_platform])
    return "network" if span.kind in ("CLIENT", "PRODUCER") else "work"


def _is_skewed(span: Span, parent: Span) -> bool:
    """It begins before what caused it: two clocks that do not agree."""
    return bool(span.timestamp and parent.timestamp and span.timestamp < parent.timestamp)
