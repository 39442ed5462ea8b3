"""One trace as a document: its spans as a waterfall, its critical path, where its time went, and what went on at once.

May live here: putting in rows what `traces` finds in a trace. May not: finding it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from toolkit.report.traces.lines import cold
from toolkit.traces import overlap, tree, view
from toolkit.traces.critical import critical_path
from toolkit.traces.model import Span
from toolkit.traces.overlap import Fan
from toolkit.traces.rows import Row, rows
from toolkit.traces.segments import Segment, What

MOST_ROWS = 2000
MOST_TAGS = 100  # of a span
LONGEST = 4096  # characters of a tag's value, an annotation or an error
MANY, SHORT = 200, 256  # of so many spans, each says so much


def document(trace: str, spans: Sequence[Span], most: int = MOST_ROWS) -> dict[str, Any]:
    """The trace of these spans. It begins with its critical path where it has one, otherwise with its first span."""
    seen = view.of(spans)
    longest = LONGEST if len(seen.spans) <= MANY else SHORT
    path = critical_path(seen)
    begin = path[0].start if path else tree.started(seen.spans) or 0
    end = path[-1].end if path else tree.ended(seen.spans) or begin
    return {
        "id": trace,
        "start_us": begin,
        "duration_us": end - begin,
        "failed": seen.failed,
        "cold": cold(spans),
        "rows": [_row(each, begin, longest) for each in islice(rows(seen), most)],
        "more_rows": max(0, len(seen.spans) - most),
        "path": [_piece(each, begin) for each in path[:most]],
        "by_label": by_label(path),
        "fans": [_fan(each) for each in islice(overlap.fans(seen), most)],
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


def _fan(fan: Fan) -> dict[str, Any]:
    told = fan.overlap
    to, via = fan.edge[1:] if fan.edge else (None, None)
    where = {"span": fan.span, "source": fan.source, "to": to, "via": via}
    times = {"wall_us": told.wall_us, "slowest_us": told.slowest_us, "stretch": told.stretch}
    return {**where, "branches": told.n, "at_once": told.at_once, "share": told.share, **times}


def _row(row: Row, begin: int, longest: int) -> dict[str, Any]:
    span = row.span
    return {
        "span": span.id,
        "parent": row.parent,
        "depth": row.depth,
        "service": span.service or "?",
        "name": span.name or "?",
        "kind": span.kind,
        "part": row.part,
        "what": row.what,
        "start_us": (span.timestamp or begin) - begin,
        "duration_us": span.duration or 0,
        "error": None if row.error is None else row.error[:longest],
        "skewed": row.skewed,
        "guessed": row.guessed,
        "lost": row.lost,
        "tags": {name[:longest]: value[:longest] for name, value in sorted(span.tags.items())[:MOST_TAGS]},
        "annotations": [
            {"at_us": each.timestamp - begin, "value": each.value[:longest]} for each in span.annotations[:MOST_TAGS]
        ],
    }
