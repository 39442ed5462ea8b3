"""How long each edge took, as the spans of the scaffold tell it.

May live here: durations from spans, in microseconds. What is counted: for a call the duration of its CLIENT span (both
ways and the work of everything behind it); for an event the time from its PRODUCER span's start to its CONSUMER span's
start (publishing, filtering, queueing and the way to the function, not the function's work). Sides of one message find
each other by the `toolkit.message` tag. What is not counted: calls that failed, second deliveries of one message to one
function, and spans without times. Nothing here corrects a clock: a delivery that ends before it began is only counted
as skewed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from toolkit.traces import tree
from toolkit.traces.expect import MESSAGE_TAG, ORIGIN_TAG
from toolkit.traces.model import Span

ERROR_TAG = "error"  # Zipkin's; what it says does not matter
Via = Literal["call", "event"]
Edge = tuple[str, str, Via]


@dataclass(frozen=True, slots=True)
class HopTimes:
    """All times of one edge (microseconds), in the order of the traces; `skewed` counts deliveries before sending."""

    source: str
    to: str
    via: Via
    durations_us: tuple[int, ...]
    skewed: int = 0


def hops(traces: Iterable[Iterable[Span]]) -> list[HopTimes]:
    """The times of every edge that some trace shows, in the order of their names; the caller's own call is one too."""
    times: defaultdict[Edge, list[int]] = defaultdict(list)
    for spans in traces:
        for edge, duration in _of_trace(tree.merge(spans)):
            times[edge].append(duration)
    return [
        HopTimes(*edge, tuple(each for each in found if each >= 0), sum(each < 0 for each in found))
        for edge, found in sorted(times.items())
    ]


def _of_trace(spans: Sequence[Span]) -> Iterator[tuple[Edge, int]]:
    sides: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        if span.kind and span.service and span.timestamp and (message := span.tags.get(MESSAGE_TAG)):
            sides[span.kind, message].append(span)
    for (kind, message), found in sides.items():
        if kind == "CLIENT":
            yield from _calls(found, sides.get(("SERVER", message), ()))
        elif kind == "CONSUMER":
            yield from _deliveries(found, sides.get(("PRODUCER", message), ()))


def _calls(clients: Iterable[Span], servers: Sequence[Span]) -> Iterator[tuple[Edge, int]]:
    for client in clients:
        to = servers[0].service if servers else client.remote
        if client.duration and to and client.service and ERROR_TAG not in client.tags:
            yield (client.service, to, "call"), client.duration


def _deliveries(consumers: Sequence[Span], producers: Sequence[Span]) -> Iterator[tuple[Edge, int]]:
    if not producers:
        return
    by_id = {producer.id: producer for producer in producers}
    first: dict[str, Span] = {}
    for consumer in sorted(consumers, key=_start):
        first.setdefault(consumer.service or "", consumer)
    for to, consumer in first.items():
        producer = _producer(consumer, by_id) or min(producers, key=_start)
        yield (producer.service or "", to, "event"), _start(consumer) - _start(producer)


def _producer(consumer: Span, by_id: Mapping[str, Span]) -> Span | None:
    """The sending that this delivery names: its parent, or the event's origin (W3C `00-trace-span-flags`)."""
    origin = consumer.tags.get(ORIGIN_TAG, "").split("-")
    named = (consumer.parent or "", origin[2] if len(origin) > 3 else "")
    return next((by_id[name] for name in named if name in by_id), None)


def _start(span: Span) -> int:
    return span.timestamp or 0
