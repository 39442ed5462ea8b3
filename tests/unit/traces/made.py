"""Spans and receipts for tests: made by hand, or by playing a small chain through."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from toolkit.contract import Receipt, Sent, child_id
from toolkit.traces.anatomy import anatomy
from toolkit.traces.model import Annotation, Edge, Kind, Span

TRACE = "04799b8b27ad65ea9abf4b7f937eb4a9"
CALL = "c" * 32

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no bug


def span(
    number: int,
    service: str | None = None,
    kind: Kind | None = None,
    parent: int | None = None,
    *,
    message: str | None = None,
    start: int | None = 1_000_000,
    duration: int | None = 100,
    remote: str | None = None,
    tags: Mapping[str, str] | None = None,
    shared: bool = False,
    name: str = "work",
) -> Span:
    """Span `number` (which is its id) below span `parent`."""
    said = {**({"toolkit.message": message} if message else {}), **(tags or {})}
    above = None if parent is None else f"{parent:016x}"
    return Span(TRACE, f"{number:016x}", name, service, above, kind, start, duration, remote, said, shared=shared)


@dataclass
class Played:
    """Receipts and spans of one call, as functions, caller and broker would leave them."""

    receipts: list[Receipt] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)  # how many messages each handling has sent

    def start(self) -> None:
        self._span("caller", "CLIENT", None, CALL)

    def enter(self, function: str) -> Span:
        """The caller's call into `function`."""
        self.start()
        return self._handled(function, "entry", "caller", CALL, self.spans[-1])

    def call(self, handling: Span, to: str, *, accepted: bool = True, served: bool = True) -> Span:
        """`handling` calls `to`; the span of the side that served it, or of the call when nobody did."""
        sent, out = self._send(handling, "CLIENT", Sent("call", "", "d", 1, "addr", to, accepted=accepted))
        return self._handled(to, "call", handling.service or "", sent.message, out) if served else out

    def emit(self, handling: Span) -> tuple[str, Span]:
        """`handling` sends an event: the message, and its PRODUCER span."""
        sent, out = self._send(handling, "PRODUCER", Sent("event", "", "d", 1, "sink", type="greeting"))
        return sent.message, out

    def deliver(self, message: str, out: Span, to: str, tags: Mapping[str, str] | None = None) -> Span:
        """One delivery of an event to `to`, below `out`."""
        return self._handled(to, "event", "someone", message, out, tags)

    def through_platform(self, out: Span, *names: str) -> Span:
        """Spans that the platform hangs below `out`; the last one."""
        for name in names:
            out = self._span(name, "SERVER", out, None)
        return out

    def _send(self, handling: Span, kind: Kind, sent: Sent) -> tuple[Sent, Span]:
        message = handling.tags["toolkit.message"]
        index = self.sent[handling.id] = self.sent.get(handling.id, -1) + 1
        sent = dataclasses.replace(sent, message=child_id(message, handling.service or "", index))
        at = next(i for i, each in enumerate(self.receipts) if each.replica == handling.id)
        self.receipts[at] = dataclasses.replace(self.receipts[at], sent=(*self.receipts[at].sent, sent))
        return sent, self._span(handling.service or "", kind, handling, sent.message)

    def _handled(
        self, function: str, via: str, sender: str, message: str, above: Span, tags: Mapping[str, str] | None = None
    ) -> Span:
        kind: Kind = "CONSUMER" if via == "event" else "SERVER"
        found = self._span(function, kind, above, message, tags)
        receipt = Receipt(CALL, function, found.id, 0, message, via, sender, "d", 1, 1, 2)  # type: ignore[arg-type]
        self.receipts.append(receipt)
        return found

    def _span(
        self, service: str, kind: Kind, above: Span | None, message: str | None, tags: Mapping[str, str] | None = None
    ) -> Span:
        number = len(self.spans) + 1
        parent = int(above.id, 16) if above else None
        made = span(number, service, kind, parent, message=message, start=1_000_000 + number * 1000, tags=tags)
        self.spans.append(made)
        return made


def calls() -> Played:
    """caller → producer → consumer, with calls."""
    played = Played()
    played.call(played.enter("producer"), "consumer")
    return played


def events() -> Played:
    """caller → producer, which sends an event to consumer and to audit."""
    played = Played()
    message, out = played.emit(played.enter("producer"))
    played.deliver(message, out, "consumer")
    played.deliver(message, out, "audit")
    return played


def mixed() -> Played:
    """A diamond of calls, of which one side goes on with an event, whose consumer calls again."""
    played = Played()
    front = played.enter("front")
    left = played.call(front, "left")
    played.call(left, "join")
    right = played.call(front, "right")
    played.call(right, "join")
    message, out = played.emit(right)
    played.call(played.deliver(message, out, "later"), "join")
    return played


_characters = st.characters(codec="utf-8")
_hex16 = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
_names = st.text(_characters, min_size=1, max_size=12).map(str.lower)
_maybe_names = st.none() | _names


@st.composite
def any_span(draw: st.DrawFn) -> Span:
    """A span as a decoder could have made it: normal, but of any shape."""
    own = draw(_hex16)
    kind = draw(st.sampled_from([None, "CLIENT", "SERVER", "PRODUCER", "CONSUMER"]))
    notes = draw(st.sets(st.tuples(st.integers(-5, 2**53), st.text(_characters)), max_size=3))
    return Span(
        trace=draw(st.integers(2**64, 2**128 - 1).map(lambda number: f"{number:032x}") | _hex16),
        id=own,
        name=draw(st.just("") | _names),
        service=draw(_maybe_names),
        parent=draw(st.none() | _hex16.filter(lambda each: each != own)),
        kind=kind,  # type: ignore[arg-type]
        timestamp=draw(st.none() | st.integers(1, 2**63 - 1)),
        duration=draw(st.none() | st.integers(1, 2**63 - 1)),
        remote=draw(_maybe_names),
        tags=draw(st.dictionaries(_names, st.text(_characters), max_size=3)),
        annotations=tuple(Annotation(*each) for each in sorted(notes)),
        shared=kind != "CLIENT" and draw(st.booleans()),
        debug=draw(st.booleans()),
    )


def tangled(most: int = 12) -> st.SearchStrategy[list[Span]]:
    """Spans of one trace whose ids and parents come from so small a set that they repeat, share, loop and miss."""
    few = st.integers(1, 6)
    one = st.builds(
        span,
        few,
        st.sampled_from([None, "a", "b", "c", "activator", "broker.ingress"]),
        st.sampled_from([None, "CLIENT", "SERVER", "PRODUCER", "CONSUMER"]),
        st.none() | st.integers(1, 8),
        message=st.sampled_from([None, "m", CALL]),
        start=st.none() | st.integers(1, 50),
        duration=st.none() | st.integers(1, 50),
        remote=st.sampled_from([None, "a", "b", "x"]),
        tags=st.sampled_from(
            [
                {},
                {"error": ""},
                {"container.name": "queue-proxy"},
                {"cloudevents.traceparent": f"00-{TRACE}-{1:016x}-01"},
            ]
        ),
        shared=st.booleans(),
    )
    return st.lists(one, max_size=most)


def hop_times(*traces: Iterable[Span]) -> dict[Edge, list[int]]:
    """The latencies of each edge (microseconds), as these traces tell them; only of messages that are timed."""
    times: defaultdict[Edge, list[int]] = defaultdict(list)
    for spans in traces:
        for each in anatomy(spans):
            if each.timed:
                times[each.source, each.to, each.via].append(each.duration_us)
    return dict(times)
