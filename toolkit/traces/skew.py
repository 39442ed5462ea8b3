"""What messages tell of the clocks of two hosts: bounds of how far one is ahead of the other.

May live here: bounds from one trace, and their intersection over many. Nothing here corrects a time.

A message cannot arrive before it was sent: starts are proof. A call's ends are a hint: a server may outlast its client,
which has read the answer while the handler still runs, and one that gave up waits for no end at all (so the ends of a
call that its client saw fail say nothing). Ends narrow what starts allow. Without a start that contradicts, they accuse
a clock only where one constant offset explains every message, many calls ask for it, most of all, and it is large
beside what is uncertain of it. That a clock moved, only starts can say, of messages in both directions.

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

MANY = 10  # calls whose ends ask for another clock, before they are believed

Bound = tuple[str, str, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clock of `other` is ahead of that of `one` by `least_us` to `most_us`, None where no message bounds it.

    `pairs` messages were looked at. `impossible` of them cannot be if the clocks agree: they arrive before they were
    sent, or are answered after the answer was there (as far as that is believed). When `least_us` > `most_us`, no
    constant offset explains them all: a clock moved.
    """

    one: str
    other: str
    pairs: int
    impossible: int
    least_us: int | None
    most_us: int | None


@dataclass(slots=True)
class _Bounds:
    """What messages of one kind say: how many, how many contradict equal clocks, what all together allow."""

    n: int = 0
    impossible: int = 0
    least: int | None = None
    most: int | None = None

    def take(self, least: int | None, most: int | None) -> None:
        told = int((least is not None and least > 0) or (most is not None and most < 0))
        self.join(_Bounds(1, told, least, most))

    def join(self, other: _Bounds) -> None:
        self.n, self.impossible = self.n + other.n, self.impossible + other.impossible
        self.least, self.most = _within(self, other)


def _within(one: _Bounds, other: _Bounds) -> tuple[int | None, int | None]:
    """What both allow."""
    least = [each for each in (one.least, other.least) if each is not None]
    most = [each for each in (one.most, other.most) if each is not None]
    return max(least, default=None), min(most, default=None)


class Offsets:
    """Bounds that grow trace by trace, for those who cannot hold all traces at once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[_Bounds, _Bounds]] = {}  # by starts, by ends

    def add(self, trace: Trace) -> None:
        """Take one whole trace."""
        for one, other, by_ends, by_starts in bounds(trace):
            starts, ends = self._of(min(one, other), max(one, other))
            if one < other:
                starts.take(None, by_starts)
                if by_ends is not None:
                    ends.take(by_ends, None)
            else:
                starts.take(None if by_starts is None else -by_starts, None)
                if by_ends is not None:
                    ends.take(None, -by_ends)

    def _of(self, one: str, other: str) -> tuple[_Bounds, _Bounds]:
        if (known := self._found.get((one, other))) is None:
            known = self._found[one, other] = _Bounds(), _Bounds()
        return known

    def merge(self, other: Offsets) -> None:
        """Take all that another one took."""
        for hosts, theirs in other._found.items():
            for known, told in zip(self._of(*hosts), theirs, strict=True):
                known.join(told)

    def clocks(self) -> list[Clocks]:
        """Every two hosts that exchanged a message, in the order of their names; `other` is the one that is ahead, as
        far as that is known."""
        return [_row(one, other, *known) for (one, other), known in sorted(self._found.items())]

    def disagreeing(self) -> list[Clocks]:
        """Those whose clocks cannot agree."""
        return [each for each in self.clocks() if each.impossible]


def _row(one: str, other: str, starts: _Bounds, ends: _Bounds) -> Clocks:
    low, high, impossible = starts.least, starts.most, starts.impossible
    both = _within(starts, ends)
    if not _is_crossed(*both):
        low, high = both
        if impossible or _is_believed(ends, *both):
            impossible = min(starts.n, impossible + ends.impossible)
    if high is not None and high < 0 and (low is None or low <= 0):
        one, other, low, high = other, one, -high, None if low is None else -low
    return Clocks(one, other, starts.n, impossible, low, high)


def _is_crossed(least: int | None, most: int | None) -> bool:
    return least is not None and most is not None and least > most


def _is_believed(ends: _Bounds, least: int | None, most: int | None) -> bool:
    """Whether ends alone accuse a clock: the offset is at least three times what is uncertain of it, either way."""
    if ends.impossible < MANY or 2 * ends.impossible < ends.n or least is None or most is None:
        return False
    return 2 * least >= most > 0 or 2 * most <= least < 0


def bounds(trace: Trace) -> Iterator[Bound]:
    """(one, other, least, most) for each message from `one` to `other`: the clock of `other` is ahead by `least`
    microseconds, by the ends, and by no more than `most`, by the starts; None where it does not bound that. The ends of
    a call that failed for its client do not."""
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
    answered = answered and "error" not in seen.spans[sent].tags
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
