"""The critical path of a trace: which span answers for each moment between its beginning and its end.

May live here: cutting a trace's time into segments that do not overlap and add up to the whole. From the end
backwards, each moment belongs to what was caused last before it (`view`: children as they hang, replies below the
reply, joins below the last arrival), and to the span itself where nothing it caused was at work. So a message that
nobody waits for counts from its sending to its arrival, however soon the sender was done: a parent that ended before
its children is walked through. What ran beside the last cause is not on the path. A gap that no span explains is
`unattributed`.
Where the platform tells what it did, its own time has a name of its own, and the way around it remains the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from toolkit.traces import view
from toolkit.traces.expect import ORIGIN_TAG
from toolkit.traces.model import Span
from toolkit.traces.segments import Segment, What
from toolkit.traces.spent import left_behind, own
from toolkit.traces.view import Trace, View

UNATTRIBUTED: What = "unattributed"


def critical_path(trace: Trace, *, until_answer: bool = False) -> list[Segment]:
    """The segments in the order of time, from the root's start to the end of all that followed from it; with
    `until_answer`, to the root's own end, which is when the caller had its answer.

    Empty when the trace has no root with a time and a duration: what is not known is not estimated.
    """
    seen = view.of(trace)
    if (root := seen.root) is None:
        return []
    told = _told(seen, root)
    begin, end = seen.starts[root], seen.ends[root] if until_answer else told.reach[root]
    segments: list[Segment] = []
    waiting = [(root, begin, end)]
    while waiting:
        at, begin, until = waiting.pop()
        after = None  # what was at work from `until` on
        for child in _last_first(told, at):
            start, end = max(seen.starts[child], begin), min(told.reach[child], until)
            if start < end:
                if end < until:
                    segments += _gap(told, at, end, until, after, child)
                waiting.append((child, start, end))
                until, after = start, child
        if begin < until:
            segments += _gap(told, at, begin, until, after, None)
    segments.sort()
    return segments


@dataclass(frozen=True, slots=True)
class _Told:
    """What is below the root: of each span, when it and all below it was over (0: nobody knows); what it caused,
    without spans that have no time, in whose place stands what these caused; of the platform's, the chain's span above
    it; and the chain's span that it leads to (itself, if it is the chain's), the last to be over."""

    view: View
    reach: list[int]
    children: list[list[int]]
    above: list[int | None]
    leads_to: list[int | None]
    labels: dict[int, str]


def _told(seen: View, root: int) -> _Told:
    order = [root]
    for at in order:
        order.extend(seen.children[at])
    timed = [(end if end > start else 0) for start, end in zip(seen.starts, seen.ends, strict=True)]
    above: list[int | None] = [None] * len(timed)
    leads_to: list[int | None] = list(range(len(timed)))
    platform = any(seen.parts)
    if platform:
        _above(seen, order, above)
    told = _Told(seen, timed, _dissolved(seen, order), above, leads_to, {})
    for at in reversed(order):
        reach = [timed[child] for child in seen.children[at]]
        if reach and (last := max(reach)) > timed[at]:
            timed[at] = last
        if platform and seen.parts[at] is not None:
            led = (leads_to[child] for child in seen.children[at])
            leads_to[at] = max((each for each in led if each is not None), key=timed.__getitem__, default=None)
    return told


def _above(seen: View, order: list[int], above: list[int | None]) -> None:
    for at in order:
        for child in seen.children[at]:
            above[child] = at if seen.parts[at] is None else above[at]


def _dissolved(seen: View, order: list[int]) -> list[list[int]]:
    children = [list(each) for each in seen.children]
    if any(not seen.starts[at] for at in order):
        for at in reversed(order):
            found = [children[child] if not seen.starts[child] else [child] for child in children[at]]
            children[at] = list(chain.from_iterable(found))
    return children


def _last_first(told: _Told, at: int) -> list[int]:
    children = told.children[at]
    return children if len(children) < 2 else sorted(children, key=told.reach.__getitem__, reverse=True)


def _gap(told: _Told, at: int, begin: int, until: int, after: int | None, before: int | None) -> Iterator[Segment]:
    """The time of a span that nothing it caused was at work in: from the end of `before` to the start of `after`."""
    seen = told.view
    span, platform = seen.spans[at], seen.parts[at]
    if platform is None and span.kind in ("CLIENT", "PRODUCER"):
        yield Segment(begin, until, _label(told, at, after), "network", span.id)
        return
    over = min(max(seen.ends[at], begin), until)
    if begin < over and platform is None:
        yield Segment(begin, over, span.service or "?", "work", span.id)
    elif begin < over:
        what = own(seen, at, after if after is not None else before)
        yield Segment(begin, over, f"{platform} (platform)", what, span.id)
    if over < until:
        yield from _left_behind(told, at, over, until, after)


def _left_behind(told: _Told, at: int, begin: int, until: int, after: int | None) -> Iterator[Segment]:
    """The time between a span's end and what it caused after that."""
    seen = told.view
    if seen.parts[at] is not None:
        yield from _on_the_way(told, at, begin, until, after)
        return
    if after is not None and (waited := seen.joined.get(after)) is not None:
        begin_of, end_of = max(begin, seen.starts[waited]), min(until, seen.ends[waited])
        if begin_of < end_of:
            yield from _nobodys(begin, begin_of)
            yield Segment(begin_of, end_of, seen.spans[waited].service or "?", "work", seen.spans[waited].id)
            begin = end_of
    yield from _nobodys(begin, until)


def _nobodys(begin: int, until: int) -> Iterator[Segment]:
    if begin < until:
        yield Segment(begin, until, UNATTRIBUTED)


def _on_the_way(told: _Told, at: int, begin: int, until: int, after: int | None) -> Iterator[Segment]:
    """A span of the platform was over before what it caused began: the way that it stands on goes on."""
    seen, above = told.view, told.above[at]
    way = None if above is None else seen.spans[above]
    if above is None or way is None or way.kind not in ("CLIENT", "PRODUCER"):
        yield from _nobodys(begin, until)
        return
    label = _label(told, above, after)
    for start, end, what, answers in left_behind(seen, at, begin, until, after):
        yield Segment(start, end, label, what, way.id if answers is None else seen.spans[answers].id)


def _label(told: _Told, at: int, after: int | None) -> str:
    span = told.view.spans[at]
    if span.kind == "CLIENT":
        if (known := told.labels.get(at)) is None:
            known = told.labels[at] = _call(told, at, span)
        return known
    if span.kind == "PRODUCER":
        end = told.leads_to[after] if after is not None else None
        to = (told.view.spans[end].service if end is not None else None) or span.remote or "?"
        return f"{_replier(told.view, end) or span.service or '?'} → {to} (event)"
    return span.service or "?"


def _call(told: _Told, at: int, span: Span) -> str:
    ends = (told.leads_to[child] for child in told.view.children[at])
    served = (told.view.spans[end] for end in ends if end is not None)
    to = next((each.service for each in served if each.kind == "SERVER"), None) or span.remote or "?"
    return f"{span.service or '?'} → {to} (call)"


def _replier(seen: View, at: int | None) -> str | None:
    """Who really sent the event that this span consumed, when it was a reply that hangs where the first event began."""
    origin = seen.spans[at].tags.get(ORIGIN_TAG) if at is not None else None
    sent = seen.places.get(origin[36:52]) if origin else None
    return None if sent is None else seen.spans[sent].service
