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

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

from toolkit.traces import view
from toolkit.traces.below import Told, below, origin
from toolkit.traces.causes import is_stated
from toolkit.traces.model import Span
from toolkit.traces.segments import Segment, What
from toolkit.traces.skew import LATE_US
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
    told = below(seen, root)
    until = seen.ends[root] if until_answer else told.reach[root]
    segments: list[Segment] = []
    kept: list[tuple[int, int, int]] = []  # what is known to have been over, when, before a guess; the segments by then
    at: int | None = root
    after: int | None = None  # what was caused from `until` on
    while at is not None or kept:
        if kept and (at is None or until <= kept[-1][1]):
            at, until, before = kept.pop()
            after, segments[before:] = None, _since(until, segments[before:])
            continue
        assert at is not None
        child, over = _last(told, at, until, after)
        if seen.waits and (other := _waited_for(told, after, over, until)) is not None:
            _gap(told, at, seen.ends[other], until, after, None, segments)
            if child is not None and (not kept or over > kept[-1][1]) and not _is_stated(seen, after):
                kept.append((child, over, len(segments)))
            at, until, after = other, seen.ends[other], None
            continue
        if over < until:
            _gap(told, at, over, until, after, child, segments)
            until = over
        if child is not None:
            at, after = child, None
        else:
            at, after = None if at == root else told.parents[at], at
    segments.sort(key=attrgetter("start"))
    return segments


def _since(begin: int, segments: Sequence[Segment]) -> Iterator[Segment]:
    return (replace(each, start=max(each.start, begin)) for each in segments if each.end > begin)


def _is_stated(seen: View, after: int | None) -> bool:
    return after is not None and is_stated(seen.spans[after])


def _waited_for(told: Told, after: int | None, over: int, until: int) -> int | None:
    """What the span at `after` was kept back for, if that was over later than the cause that is known, at `over`."""
    other = None if after is None else told.view.waits.get(after)
    if other is None or told.low[other] < 0:
        return None
    return other if max(over, told.low[other]) < told.view.ends[other] <= until else None


def _last(told: Told, at: int, until: int, after: int | None) -> tuple[int | None, int]:
    """What this span caused last before `until`, and when that was over; nothing, and when the span itself began.

    While the span was there, what it waited for: what answered it before. After it was over, what it left behind. What
    still ran at `until` is no cause of what came then, unless it answered from another host, whose clock may be off.
    Nor is what went to another subscriber of the same event.
    """
    low, end = told.low, told.view.ends[at]
    if not (children := told.children[at]):
        return None, min(low[at], until)
    if len(children) == 1:
        return _only(told, at, children[0], until)
    if (replied := _last_reply(told, at, children, until)) is not None:
        return replied
    alone = after is not None and _fans_out(told.view, at, until)
    if until > end:
        late = _queue(told.late, at, children, told.reach)
        while late and (over := told.reach[late[-1]]) > end:
            child = late.pop()
            if (
                low[child] < min(over, until)
                and over <= until + LATE_US
                and not (alone and _parted(told, child, after))
            ):
                return child, min(over, until)
    soon = _queue(told.soon, at, children, told.over)
    while soon:
        child = soon.pop()
        over = told.over[child]
        there = over <= until + LATE_US or _is_elsewhere(told.view, at, child)
        if low[child] < min(over, until) and there and not (alone and _parted(told, child, after)):
            return child, min(over, until)
    return None, min(low[at], until)


def _last_reply(told: Told, at: int, children: Sequence[int], until: int) -> tuple[int, int] | None:
    """Who delivered an event, and waited until what was replied to it had been delivered as well: the last of these."""
    if told.answered is told.over or until > told.view.ends[at]:
        return None
    if told.view.spans[at].kind != "PRODUCER" and told.view.parts[at] is None:
        return None
    fit = [each for each in children if told.over[each] < told.answered[each] <= until + LATE_US]
    last = max(fit, key=told.answered.__getitem__, default=None)
    if last is None or any(told.answered[last] < told.over[each] <= until + LATE_US for each in children):
        return None
    return last, min(told.answered[last], until)


def _only(told: Told, at: int, child: int, until: int) -> tuple[int | None, int]:
    if (replied := _last_reply(told, at, (child,), until)) is not None:
        return replied
    over, late = told.over[child], told.reach[child]
    if told.view.ends[at] < min(late, until) and late <= until + LATE_US:
        over = late
    there = over <= until + LATE_US or _is_elsewhere(told.view, at, child)
    if there and told.low[child] < min(over, until):
        return child, min(over, until)
    return None, min(told.low[at], until)


def _fans_out(seen: View, at: int, until: int) -> bool:
    """Whether what this span caused by then went its own ways: to subscribers, or after the channel had answered."""
    return seen.spans[at].kind == "PRODUCER" if seen.parts[at] is None else until > seen.ends[at]


def _parted(told: Told, one: int, other: int | None) -> bool:
    """Whether two messages went to two functions. What went to the same one may have been tried before."""
    to = [None if each is None else told.leads_to[each] for each in (one, other)]
    services = {told.view.spans[each].service for each in to if each is not None}
    return len(services) > 1


def _queue(known: dict[int, list[int]], at: int, children: Sequence[int], ends: Sequence[int]) -> list[int]:
    if (queue := known.get(at)) is None:
        queue = known[at] = list(reversed(children))  # of two that were over at once, the earlier begun counts
        queue.sort(key=ends.__getitem__)
    return queue


def _is_elsewhere(seen: View, at: int, child: int) -> bool:
    """Whether the other side of a request answered this span, as one on another host."""
    kind = seen.spans[child].kind
    return kind == "SERVER" or (kind == "CONSUMER" and seen.spans[at].kind == "CLIENT")


def _gap(
    told: Told, at: int, begin: int, until: int, after: int | None, before: int | None, found: list[Segment]
) -> None:
    """The time of a span that nothing it caused was at work in: from the end of `before` to the start of `after`."""
    seen = told.view
    span, platform = seen.spans[at], seen.parts[at]
    if platform is None and span.kind in ("CLIENT", "PRODUCER"):
        found.append(Segment(begin, until, _label(told, at, after), "network", span.id))
        return
    over = min(max(seen.ends[at], begin), until)
    if begin < over and platform is None:
        found.append(Segment(begin, over, span.service or "?", "work", span.id))
    elif begin < over:
        what = own(seen, at, after if after is not None else before)
        found.append(Segment(begin, over, f"{platform} (platform)", what, span.id))
    if over < until:
        found += _left_behind(told, at, over, until, after)


def _left_behind(told: Told, at: int, begin: int, until: int, after: int | None) -> Iterator[Segment]:
    """The time between a span's end and what it caused after that."""
    seen = told.view
    if seen.parts[at] is not None:
        yield from _on_the_way(told, at, begin, until, after)
        return
    yield Segment(begin, until, UNATTRIBUTED)


def _on_the_way(told: Told, at: int, begin: int, until: int, after: int | None) -> Iterator[Segment]:
    """A span of the platform was over before what it caused began: the way that it stands on goes on."""
    seen, above = told.view, told.above[at]
    way = None if above is None else seen.spans[above]
    if above is None or way is None or way.kind not in ("CLIENT", "PRODUCER"):
        yield Segment(begin, until, UNATTRIBUTED)
        return
    label = _label(told, above, after)
    for start, end, what, answers in left_behind(seen, at, begin, until, after):
        yield Segment(start, end, label, what, way.id if answers is None else seen.spans[answers].id)


def _label(told: Told, at: int, after: int | None) -> str:
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


def _call(told: Told, at: int, span: Span) -> str:
    ends = (told.leads_to[child] for child in told.view.children[at])
    served = (told.view.spans[end] for end in ends if end is not None)
    to = next((each.service for each in served if each.kind == "SERVER"), None) or span.remote or "?"
    return f"{span.service or '?'} → {to} (call)"


def _replier(seen: View, at: int | None) -> str | None:
    """Who really sent the event that this span consumed, when it was a reply that hangs where the first event began."""
    sent = None if at is None else origin(seen, at)
    return None if sent is None else seen.spans[sent].service
