"""A trace as rows of a waterfall, with what is known of each span.

May live here: what a picture needs of one trace, as data; drawing is others'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.traces import view
from toolkit.traces.model import Span
from toolkit.traces.platform import Part, what_of
from toolkit.traces.segments import What
from toolkit.traces.skew import EARLY_US
from toolkit.traces.view import Trace, View


@dataclass(frozen=True, slots=True)
class Row:
    """One span. `parent` is the id of the span it stands below, at `depth` - 1; a root has none.

    It stands where it would if the platform told everything: `guessed` when the span before it is not in the trace.
    `lost`: its parent is not in the trace and nothing tells where it belongs, or it is its own ancestor. `what` is what
    its own time, without that of the spans below it, is spent on. `skewed`: it begins before the span it stands below,
    by more than the resolution of the times.
    """

    span: Span
    parent: str | None
    depth: int
    part: Part | None
    what: What
    error: str | None
    skewed: bool
    guessed: bool
    lost: bool


def rows(trace: Trace) -> Iterator[Row]:
    """Every span of a trace once, parents before children, siblings in the order of their start."""
    seen = view.of(trace)
    lost = seen.tree.orphans | seen.tree.looped
    for at, depth in seen.walk():
        span, above, part = seen.spans[at], seen.hung[at], seen.parts[at]
        yield Row(
            span=span,
            parent=None if above is None else seen.spans[above].id,
            depth=depth,
            part=part,
            what=_what(span, part),
            error=span.tags.get("error"),
            skewed=above is not None and _is_skewed(seen, at, above),
            guessed=above is not None and at in seen.guessed,
            lost=above is None and at in lost,
        )


def _what(span: Span, part: Part | None) -> What:
    if part is not None:
        return what_of(span, part)
    return "network" if span.kind in ("CLIENT", "PRODUCER") else "work"


def _is_skewed(seen: View, at: int, above: int) -> bool:
    start, before = seen.starts[at], seen.starts[above]
    return 0 < start < before - EARLY_US
