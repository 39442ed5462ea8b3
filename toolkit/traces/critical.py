"""The critical path of a trace: which span answers for each moment between its beginning and its end.

May live here: cutting a trace's time into segments that do not overlap and add up to the whole. From the end
backwards, each moment belongs to the child that ended last before it, and to the span itself where no child was at
work. A gap that no span explains is `unattributed`. Children that ran beside the one that ended last are not on the
path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from toolkit.traces import tree
from toolkit.traces.expect import ORIGIN_TAG
from toolkit.traces.model import Span
from toolkit.traces.tree import Tree

UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """`start` and `end` in microseconds since the epoch.

    `label` is a service for its own work, `a → b (call)` for the way between the sides of a call and whatever queues
    there, `a → b (event)` from publishing to delivery, or `unattributed`.
    """

    start: int
    end: int
    label: str

    @property
    def duration_us(self) -> int:
        return self.end - self.start


def critical_path(spans: Iterable[Span]) -> list[Segment]:
    """The segments in the order of time, from the root's start to the end of all that followed from it.

    Empty when the trace has no root with a time and a duration: what is not known is not estimated.
    """
    arranged = tree.build(span for span in spans if span.timestamp and span.duration)
    roots = [at for at in arranged.roots if at not in arranged.orphans | arranged.looped]
    if not roots:
        return []
    reach = _reach(arranged)
    segments: list[Segment] = []
    waiting = [(roots[0], _start(arranged.spans[roots[0]]), reach[roots[0]])]
    while waiting:
        at, begin, until = waiting.pop()
        after = None  # the child that was at work from `until` on
        for child in sorted(arranged.children[at], key=lambda each: -reach[each]):
            start, end = max(_start(arranged.spans[child]), begin), min(reach[child], until)
            if start < end:
                segments += _gap(arranged, at, end, until, after)
                waiting.append((child, start, end))
                until, after = start, child
        segments += _gap(arranged, at, begin, until, after)
    return sorted(segments)


def _reach(arranged: Tree) -> list[int]:
    """When each span and everything below it was over."""
    reach = [_end(span) for span in arranged.spans]
    for at, _ in reversed(list(arranged.walk())):
        if (parent := arranged.parents[at]) is not None:
            reach[parent] = max(reach[parent], reach[at])
    return reach


def _gap(arranged: Tree, at: int, begin: int, until: int, after: int | None) -> Iterator[Segment]:
    """The time of a span that none of its children was at work in; nothing when there is none."""
    span = arranged.spans[at]
    over = until if span.kind in ("CLIENT", "PRODUCER") else min(max(_end(span), begin), until)
    if begin < over:
        yield Segment(begin, over, _label(arranged, at, after))
    if over < until:
        yield Segment(over, until, UNATTRIBUTED)


def _label(arranged: Tree, at: int, after: int | None) -> str:
    span = arranged.spans[at]
    own = span.service or "?"
    if span.kind == "CLIENT":
        served = [arranged.spans[child] for child in arranged.children[at]]
        to = next((each.service for each in served if each.kind == "SERVER"), None) or span.remote or "?"
        return f"{own} → {to} (call)"
    if span.kind == "PRODUCER":
        to = (arranged.spans[after].service if after is not None else None) or span.remote or "?"
        return f"{_replier(arranged, after) or own} → {to} (event)"
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
