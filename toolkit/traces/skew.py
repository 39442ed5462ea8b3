"""What messages tell of the clocks of two hosts: bounds of how far one is ahead of the other.

May live here: bounds from one trace, and their intersection over many. A call bounds the offset from both sides: it
cannot be served before it was sent, nor answered after the answer was there. An event bounds it from one. Nothing here
corrects a time.

A host is what has a clock of its own as far as spans tell: the replica, else the instance, the pod or the machine that
a span names, else its service; a part of the platform that names none of these is itself one.

How much is forgiven. Zipkin's times are whole microseconds. A start is cut off, so the distance of two starts is right
within 1 µs; a duration is cut off too, and one below 1 µs is told as 1, so an end may be told up to 2 µs too early and
1 µs too late, and the distance of two ends is right within 3 µs. Bounds are wider by that much: truncation alone is
never an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.traces import view
from toolkit.traces.model import Span
from toolkit.traces.platform import Part
from toolkit.traces.view import Trace, View

EARLY_US, LATE_US = 1, 3  # between two starts, between two ends
_HOST_TAGS = ("toolkit.replica", "service.instance.id", "k8s.pod.name", "host.name")

Bound = tuple[str, str, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clock of `other` is ahead of that of `one` by `least_us` to `most_us`, None where no message bounds it.

    `pairs` messages were looked at. `impossible` of them cannot be if the clocks agree: they arrive before they were
    sent, or are answered after the answer was there. When `least_us` > `most_us`, no constant offset explains them all:
    a clock moved.
    """

    one: str
    other: str
    pairs: int
    impossible: int
    least_us: int | None
    most_us: int | None


class Offsets:
    """Bounds that grow trace by trace, for those who cannot hold all traces at once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[int | None]] = {}  # pairs, impossible, least, most

    def add(self, trace: Trace) -> None:
        """Take one whole trace."""
        for one, other, least, most in bounds(trace):
            if one > other:
                one, other = other, one
                least, most = None if most is None else -most, None if least is None else -least
            known = self._found.get((one, other))
            if known is None:
                known = self._found[one, other] = [0, 0, None, None]
            _take(known, least, most)

    def merge(self, other: Offsets) -> None:
        """Take all that another one took."""
        for hosts, (pairs, impossible, least, most) in other._found.items():
            known = self._found.setdefault(hosts, [0, 0, None, None])
            known[0], known[1] = (known[0] or 0) + (pairs or 0), (known[1] or 0) + (impossible or 0)
            _tighten(known, least, most)

    def clocks(self) -> list[Clocks]:
        """Every two hosts that exchanged a message, in the order of their names; `other` is the one that is ahead, as
        far as that is known."""
        return [_row(one, other, *known) for (one, other), known in sorted(self._found.items())]

    def disagreeing(self) -> list[Clocks]:
        """Those whose clocks cannot agree."""
        return [each for each in self.clocks() if each.impossible]


def _take(known: list[int | None], least: int | None, most: int | None) -> None:
    known[0] = (known[0] or 0) + 1
    if (least is not None and least > 0) or (most is not None and most < 0):
        known[1] = (known[1] or 0) + 1
    _tighten(known, least, most)


def _tighten(known: list[int | None], least: int | None, most: int | None) -> None:
    _, _, low, high = known
    if least is not None and (low is None or least > low):
        known[2] = least
    if most is not None and (high is None or most < high):
        known[3] = most


def _row(one: str, other: str, pairs: int | None, impossible: int | None, low: int | None, high: int | None) -> Clocks:
    if high is not None and high < 0 and (low is None or low <= 0):
        one, other, low, high = other, one, -high, None if low is None else -low
    return Clocks(one, other, pairs or 0, impossible or 0, low, high)


def bounds(trace: Trace) -> Iterator[Bound]:
    """(one, other, least, most) for each message between two hosts: `other`'s clock is ahead of `one`'s by `least` to
    `most` microseconds, None where the message does not bound it."""
    seen = view.of(trace)
    hosts: dict[int, str] = {}
    for (kind, message), receivers in seen.sides.items():
        if kind == "SERVER" and len(receivers) == 1 and len(clients := seen.sides.get(("CLIENT", message), ())) == 1:
            yield from _between(seen, clients[0], receivers[0], hosts, answered=True)
        elif kind == "CONSUMER" and len(senders := seen.sides.get(("PRODUCER", message), ())) == 1:
            for at in receivers:
                yield from _between(seen, senders[0], at, hosts, answered=False)
    if any(seen.parts):
        yield from _of_platform(seen, hosts)


def _of_platform(seen: View, hosts: dict[int, str]) -> Iterator[Bound]:
    """Requests of which one side at least is the platform, as far as their spans say so themselves."""
    for at, above in enumerate(seen.tree.parents):
        if above is None or (seen.parts[at] is None and seen.parts[above] is None):
            continue
        kinds = seen.spans[above].kind, seen.spans[at].kind
        if kinds == ("CLIENT", "SERVER"):
            yield from _between(seen, above, at, hosts, answered=True)
        elif kinds[0] in ("CLIENT", "PRODUCER") and kinds[1] in ("SERVER", "CONSUMER"):
            yield from _between(seen, above, at, hosts, answered=False)


def _between(seen: View, sent: int, got: int, hosts: dict[int, str], *, answered: bool) -> Iterator[Bound]:
    one, other = _host(seen, sent, hosts), _host(seen, got, hosts)
    begun, arrived = seen.starts[sent], seen.starts[got]
    if one == other or not begun or not arrived:
        return
    least = None
    if answered and seen.ends[sent] > begun and seen.ends[got] > arrived:
        least = seen.ends[got] - seen.ends[sent] - LATE_US
    yield one, other, least, arrived - begun + EARLY_US


def _host(seen: View, at: int, hosts: dict[int, str]) -> str:
    if (known := hosts.get(at)) is None:
        known = hosts[at] = host(seen.spans[at], seen.parts[at])
    return known


def host(span: Span, part: Part | None = None) -> str:
    """Whose clock a span's times are by, as far as it tells."""
    tags = span.tags
    for tag in _HOST_TAGS:
        if told := tags.get(tag):
            return told
    service = span.service or "?"
    return service if part is None else f"queue-proxy of {service}" if part == "queue-proxy" else part
