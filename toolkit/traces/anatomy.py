"""The way of each message of a trace: how long it was, and what that was spent on.

May live here: cutting one message's time into parts that do not overlap and add up to it. A call lasts as long as its
CLIENT span: the way there, the receiver's SERVER span (`work`, whatever it waits for in there), the way back. An event
lasts from the start of its PRODUCER span to the start of its CONSUMER span. Only what stands between the two is on the
way: other subscribers' branches, other attempts and other messages are not, though they ran at the same time; what a
part of the platform did meanwhile is its own. Where nobody tells of anything, it is `network`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from toolkit.traces import view
from toolkit.traces.expect import ORIGIN_TAG
from toolkit.traces.segments import What
from toolkit.traces.skew import EARLY_US
from toolkit.traces.spent import left_behind, own
from toolkit.traces.view import Trace, View

Piece = tuple[int, int, What]  # from, to, on what


@dataclass(frozen=True, slots=True)
class HopTime:
    """One message on its way from `source` to `to`; `start` and `end` in microseconds since the epoch.

    `parts` have each kind of time once (microseconds) and add up to `duration_us`. `attempt` is 1 for the first
    delivery of an event to this function by this trigger, 2 for the next. `failed`: the call's CLIENT span has an
    error; an event that was delivered has not failed, whatever its PRODUCER and CONSUMER spans say. `skewed`: it
    arrives before it was sent, by more than the resolution of two clocks. An event that does has no parts and a
    duration below zero; the duration of a call is one clock's, and its parts then go by durations alone: the
    receiver's, and the rest. `whole` is False when a gap on the way was filled by a guess, or was not: then the parts
    before it are one too.
    """

    source: str
    to: str
    via: Literal["call", "event"]
    message: str
    start: int
    end: int
    parts: tuple[tuple[What, int], ...]
    failed: bool = False
    skewed: bool = False
    whole: bool = True
    attempt: int = 1

    @property
    def duration_us(self) -> int:
        return self.end - self.start

    @property
    def timed(self) -> bool:
        """Whether its duration counts as the edge's latency, the first delivery of what did not fail, in order."""
        return not self.failed and self.attempt == 1 and self.duration_us >= 0


def anatomy(trace: Trace) -> list[HopTime]:
    """All messages of one trace whose sending and, for events, delivery is there with a time, the caller's own call
    too: by the order of their spans' ids. A call whose server left no span goes to whom the client named, or to `?`."""
    seen = view.of(trace)
    found: list[HopTime] = []
    for (kind, message), senders in seen.sides.items():
        if kind == "CLIENT":
            servers = seen.sides.get(("SERVER", message), ())
            found += (
                _call(seen, at, message, servers, alone=len(senders) == 1) for at in senders if _is_timed(seen, at)
            )
        elif kind == "CONSUMER" and (producers := seen.sides.get(("PRODUCER", message))):
            found += _deliveries(seen, senders, producers, message)
    return found


def _is_timed(seen: View, at: int) -> bool:
    return 0 < seen.starts[at] < seen.ends[at]


def _call(seen: View, client: int, message: str, servers: Sequence[int], *, alone: bool) -> HopTime:
    span, start, end = seen.spans[client], seen.starts[client], seen.ends[client]
    served, way, reached = None, list[int](), True
    tried: list[int] = []
    for each in servers:  # the last to be over is the one that answered
        climbed, there = _way(seen, each, client)
        if there:
            tried.append(each)
        if (there or alone) and (served is None or seen.ends[each] >= seen.ends[served]):
            served, way, reached = each, climbed, there
    if served is None:
        begin, over, skewed = *_unserved(seen, client, way), False
    else:
        begin, over = seen.starts[served], seen.ends[served]
        skewed = begin < start - EARLY_US  # its end alone proves nothing (`skew`)
    return HopTime(
        source=span.service or "?",
        to=(None if served is None else seen.spans[served].service) or span.remote or "?",
        via="call",
        message=message,
        start=start,
        end=end,
        parts=_by_durations(over - begin, end - start)
        if skewed
        else _both_ways(seen, client, way, served, begin, over, [each for each in tried if each != served]),
        failed="error" in span.tags,
        skewed=skewed,
        whole=reached and (not seen.guessed or seen.guessed.isdisjoint(way if served is None else (served, *way))),
    )


def _deliveries(seen: View, consumers: Sequence[int], producers: Sequence[int], message: str) -> Iterator[HopTime]:
    attempts: dict[tuple[str | None, str | None], int] = {}
    for at in consumers if len(consumers) == 1 else sorted(consumers, key=lambda at: (seen.starts[at], at)):
        sent, to = _producer(seen, at, producers), seen.spans[at].service
        start, end = seen.starts[sent], seen.starts[at]
        if not (start and end):
            continue
        way, reached = _way(seen, at, sent)
        back = [] if reached else _way_back(seen, sent, way)
        by = _trigger(seen, way)
        attempts[to, by] = attempt = attempts.get((to, by), 0) + 1
        yield HopTime(
            source=seen.spans[sent].service or "?",
            to=to or "?",
            via="event",
            message=message,
            start=start,
            end=end,
            parts=_sums(_there(seen, way, at, start, end, back)) if way else _all_network(end - start),
            skewed=end < start,
            whole=(reached or bool(back)) and (not seen.guessed or seen.guessed.isdisjoint((at, *way, *back))),
            attempt=attempt,
        )


def _trigger(seen: View, way: Sequence[int]) -> str | None:
    """By which trigger of the broker a delivery came, as its filter says; None where nobody does."""
    names = (seen.spans[at].name for at in reversed(way) if seen.parts[at] == "broker filter")
    return next((name for name in names if name.startswith("trigger:")), None)


def _producer(seen: View, at: int, producers: Sequence[int]) -> int:
    """The sending that a delivery names: what it hangs below, or the event's origin; else the first."""
    if len(producers) == 1:
        return producers[0]
    span = seen.spans[at]
    named = (span.parent or "", span.tags.get(ORIGIN_TAG, "")[36:52])
    found = (each for name in named for each in producers if seen.spans[each].id == name)
    return next(found, min(producers, key=lambda each: (seen.starts[each] or seen.starts[at], each)))


def _way(seen: View, receiver: int, sender: int) -> tuple[list[int], bool]:
    """What stands between the two, from the receiver on upwards, and whether that leads to the sender."""
    way, above = list[int](), seen.parents[receiver]
    while above is not None and above != sender and seen.messages[above] is None:
        way.append(above)
        above = seen.parents[above]
    return way, above == sender


def _way_back(seen: View, sender: int, way: list[int]) -> list[int]:
    """When the broker had the event as the answer to another one: the way of that answer, from the function that sent
    it to what stands above both, the last. `way` ends there too, then."""
    known, back, above = {at: place for place, at in enumerate(way)}, list[int](), seen.parents[sender]
    while above is not None and above not in known:
        if seen.messages[above] is None:
            back.append(above)
        elif back:
            return []  # the sending of the first event: nothing stands above both
        above = seen.parents[above]
    if above is None:
        return []
    del way[known[above] + 1 :]
    return [*back, above]


def _unserved(seen: View, client: int, way: list[int]) -> tuple[int, int]:
    """Where a request that no function told of was last: the platform's spans on the way, and the end of the last."""
    at = client
    while below := [each for each in seen.children[at] if seen.parts[each] is not None and seen.starts[each]]:
        at = max(below, key=lambda each: (seen.ends[each], each))
        way.insert(0, at)
    last = seen.ends[at] if way else seen.starts[client]
    return last, last


def _by_durations(work: int, whole: int) -> tuple[tuple[What, int], ...]:
    work = max(0, min(work, whole))
    parts: tuple[tuple[What, int], ...] = (("work", work), ("network", whole - work))
    return tuple(each for each in parts if each[1])


def _all_network(whole: int) -> tuple[tuple[What, int], ...]:
    return (("network", whole),) if whole > 0 else ()


def _both_ways(
    seen: View, client: int, way: Sequence[int], served: int | None, begin: int, over: int, tried: Sequence[int] = ()
) -> tuple[tuple[What, int], ...]:
    start, end = seen.starts[client], seen.ends[client]
    begin = min(max(begin, start), end)
    over = min(max(over, begin), end)
    if not way and not tried:
        return _by_durations(over - begin, end - start)
    pieces: list[Piece] = [
        *_there(seen, way, served, start, begin),
        (begin, over, "work"),
        *_back(seen, way, served, over, end),
    ]
    for each in tried:  # somebody on the way sent it again
        pieces = list(_at_work(pieces, seen.starts[each], seen.ends[each]))
    return _sums(pieces)


def _at_work(pieces: Iterable[Piece], begin: int, end: int) -> Iterator[Piece]:
    """The same, with `work` in place of all between two moments."""
    for first, last, what in pieces:
        yield first, min(last, begin), what
        yield max(first, begin), min(last, end), "work"
        yield max(first, end), last, what


def _there(
    seen: View, way: Sequence[int], receiver: int | None, start: int, until: int, back: Sequence[int] = ()
) -> Iterator[Piece]:
    """What the time from `start` to `until`, when the receiver began, was spent on; from the last to the first. It
    starts with the way `back` of an answer, if there is one."""
    below = receiver
    for at in way:
        if back and at == back[-1]:
            yield from _back(seen, back[:-1], None, start, until, rest=own(seen, at, below))
            return
        begin = max(seen.starts[at], start)
        if seen.starts[at] and begin < until:
            yield from _before(seen, at, begin, until, at if below is None else below)
            until = begin
        below = at
    if start < until:
        yield start, until, "network"


def _before(seen: View, at: int, begin: int, until: int, below: int) -> Iterator[Piece]:
    """The time of a span on the way before what is below it began, with what else the same part did in it and told of
    (the wait for capacity)."""
    over = min(max(seen.ends[at], begin), until)
    if over < until:
        yield from ((start, end, what) for start, end, what, _ in left_behind(seen, at, over, until, below))
    children, after = seen.children[at], below
    if len(children) > 1:
        beside = [
            each for each in children if each != below and seen.parts[each] == seen.parts[at] and _is_leaf(seen, each)
        ]
        for each in sorted(beside, key=lambda each: (seen.ends[each], each), reverse=True):
            first, last = max(seen.starts[each], begin), min(seen.ends[each], over)
            if first < last:
                yield last, over, own(seen, at, after)
                yield first, last, own(seen, each, each)
                over, after = first, each
    yield begin, over, own(seen, at, after)


def _is_leaf(seen: View, at: int) -> bool:
    return not seen.children[at] and _is_timed(seen, at)


def _back(
    seen: View, way: Sequence[int], receiver: int | None, begin: int, end: int, rest: What = "network"
) -> Iterator[Piece]:
    below = receiver
    for at in way:
        over = min(seen.ends[at], end)
        if over > begin:
            yield begin, over, own(seen, at, at if below is None else below)
            begin = over
        below = at
    if begin < end:
        yield begin, end, rest


def _sums(pieces: Iterator[Piece] | Sequence[Piece]) -> tuple[tuple[What, int], ...]:
    found: dict[What, int] = {}
    for begin, end, what in pieces:
        if begin < end:
            found[what] = found.get(what, 0) + end - begin
    return tuple(found.items())
