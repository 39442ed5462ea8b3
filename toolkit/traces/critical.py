"""The critical path of a trace: which span answers for each moment between its beginning and its end.

May live here: cutting a trace's time into segments that do not overlap and add up to the whole. From the end
backwards, each moment belongs to the child that ended last before it, and to the span itself where no child was at
work. A gap that no span explains is `unattributed`. Children that ran beside the one that ended last are not on the
path.
Where the platform tells what it did, its own time has a name of its own, and the way around it remains the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from toolkit.traces import tree
from toolkit.traces.expect import ORIGIN_TAG
from toolkit.traces.model import Span
from toolkit.traces.passages import joined
from toolkit.traces.platform import Part, chains_own, part
from toolkit.traces.segments import Segment
from toolkit.traces.tree import Tree

UNATTRIBUTED = "unattributed"


def critical_path(spans: Iterable[Span]) -> list[Segment]:
    """The segments in the order of time, from the root's start to the end of all that followed from it.

    Empty when the trace has no root with a time and a duration: what is not known is not estimated.
    """
    arranged = tree.build(span for span in joined(spans) if span.timestamp and span.duration)
    roots = [at for at in arranged.roots if at not in arranged.orphans | arranged.looped]
    if not roots:
        return []
    told = _told(arranged)
    reach = told.reach
    segments: list[Segment] = []
    waiting = [(roots[0], _start(arranged.spans[roots[0]]), reach[roots[0]])]
    while waiting:
        at, begin, until = waiting.pop()
        after = None  # the child that was at work from `until` on
        for child in sorted(arranged.children[at], key=lambda each: -reach[each]):
            start, end = max(_start(arranged.spans[child]), begin), min(reach[child], until)
            if start < end:
                segments += _gap(told, at, end, until, after)
                waiting.append((child, start, end))
                until, after = start, child
        segments += _gap(told, at, begin, until, after)
    return sorted(segments)


@dataclass(frozen=True, slots=True)
class _Told:
    """A trace's tree, and of each span: when it and all below it was over; the part of the platform that made it; the
    chain's span above it; the chain's span that it leads to (itself, if it is the chain's), the last to be over."""

    tree: Tree
    reach: list[int]
    parts: list[Part | None]
    above: list[int | None]
    leads_to: list[int | None]


def _told(arranged: Tree) -> _Told:
    functions = chains_own(arranged.spans)
    parts = [part(span, functions) for span in arranged.spans]
    reach = [_end(span) for span in arranged.spans]
    above: list[int | None] = [None] * len(parts)
    leads_to = [at if found is None else None for at, found in enumerate(parts)]
    order = [at for at, _ in arranged.walk()]
    for at in order:
        if (parent := arranged.parents[at]) is not None:
            above[at] = parent if parts[parent] is None else above[parent]
    for at in reversed(order):
        if (parent := arranged.parents[at]) is not None:
            reach[parent] = max(reach[parent], reach[at])
            if parts[parent] is not None:
                leads_to[parent] = _last(reach, leads_to[parent], leads_to[at])
    return _Told(arranged, reach, parts, above, leads_to)


def _last(reach: list[int], one: int | None, other: int | None) -> int | None:
    return max((each for each in (other, one) if each is not None), key=lambda each: reach[each], default=None)


def _gap(told: _Told, at: int, begin: int, until: int, after: int | None) -> Iterator[Segment]:
    """The time of a span that none of its children was at work in; nothing when there is none."""
    span, platform = told.tree.spans[at], told.parts[at]
    on_its_way = span.kind in ("CLIENT", "PRODUCER") and platform is None
    over = until if on_its_way else min(max(_end(span), begin), until)
    if begin < over:
        yield Segment(begin, over, f"{platform} (platform)" if platform else _label(told, at, after))
    if over < until:
        yield Segment(over, until, UNATTRIBUTED if platform is None else _way_around(told, at, after))


def _way_around(told: _Told, at: int, after: int | None) -> str:
    """The way on which a span of the platform stands."""
    above = told.above[at]
    on_its_way = above is not None and told.tree.spans[above].kind in ("CLIENT", "PRODUCER")
    return _label(told, above, after) if above is not None and on_its_way else UNATTRIBUTED


def _label(told: _Told, at: int, after: int | None) -> str:
    spans = told.tree.spans
    span = spans[at]
    own = span.service or "?"
    if span.kind == "CLIENT":
        served = [spans[end] for child in told.tree.children[at] if (end := told.leads_to[child]) is not None]
        to = next((each.service for each in served if each.kind == "SERVER"), None) or span.remote or "?"
        return f"{own} → {to} (call)"
    if span.kind == "PRODUCER":
        end = told.leads_to[after] if after is not None else None
        to = (spans[end].service if end is not None else None) or span.remote or "?"
        return f"{_replier(told.tree, end) or own} → {to} (event)"
    return own


def _replier(arranged: Tree, at: int | None) -> str | None:
    """Who really sent the event that this span consumed, when it was a reply: a broker lets it hang where it began."""
    told = arranged.spans[at].tags.get(ORIGIN_TAG, "") if at is not None else ""
    sender = told.split("-")[2] if told.count("-") >= 3 else None
    return next((span.service for span in arranged.spans if sender is not None and span.id == sender), None)


def _start(span: Span) -> int:
    return span.timestamp or 0


def _end(span: Span) -> int:
    return _start(span) + (span.duration or 0)
