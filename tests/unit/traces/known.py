"""Traces whose truth is known: chains played forwards, moment by moment, with the spans that everybody would leave.

A `Moment` knows which moment it followed from and what was done since, so that the path to any moment is told by what
caused what, not by spans. Nothing here knows how traces are analysed. Times are nanoseconds; spans have what Zipkin
keeps of them.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

from toolkit.traces.model import Kind, Span
from toolkit.traces.segments import What

TRACE, CALL = "0af7651916cd43dd8448eb211c80319c", "c" * 32
Generation = Literal["1.18", "1.22", "1.23"]
GENERATIONS: tuple[Generation, ...] = ("1.18", "1.22", "1.23")
START = 1_700_000_000_000_000_000
_HTTP = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
_SERVICES = {  # as OpenCensus had them, and as OpenTelemetry has
    "activator": ("activator-service", "activator", "knative.dev/serving/pkg/activator"),
    "broker ingress": ("broker-ingress.knative-eventing", "broker.ingress", "knative.dev/pkg/broker/ingress"),
    "broker filter": ("broker-filter.knative-eventing", "broker.filter", "knative.dev/pkg/broker/filter"),
    "channel dispatcher": ("imc-dispatcher", "inmemorychannel-dispatcher", "knative.dev/eventing/pkg/kncloudevents"),
}


class Moment(NamedTuple):
    """`at` nanoseconds, after `before` and what took the time since."""

    at: int
    before: Moment | None = None
    label: str = ""
    what: What = "unattributed"

    def then(self, ns: int, label: str, what: What) -> Moment:
        return Moment(self.at + ns, self, label, what)

    def since(self, first: Moment, but: Meanwhile | None = None) -> Iterator[tuple[str, What, int]]:
        """What was done since, backwards; `but` one thing in place of all that was done meanwhile."""
        now: Moment = self
        while now is not first and (before := now.before) is not None:
            if but is not None and now is but.until:
                yield "", but.what, but.until.at - but.begun.at
                now = but.begun
                continue
            yield now.label, now.what, now.at - before.at
            now = before


class Meanwhile(NamedTuple):
    """While something was tried in vain, he who waits for it was at this."""

    begun: Moment
    until: Moment
    what: What


Step = tuple[
    str, object
]  # ("work", None), ("call", [Node…]), ("side by side", …), ("event", …), ("again", …), ("reply", …)


@dataclass(frozen=True)
class Node:
    """A function and what it does when a message arrives."""

    name: str
    steps: Sequence[Step] = ()


class Hop(NamedTuple):
    source: str
    to: str
    via: str
    message: str
    parts: Mapping[What, int]


class _Reply(NamedTuple):
    who: str
    sent: str
    message: str
    begun: Moment
    nodes: Sequence[Node]


@dataclass
class Played:
    """One call of a chain. `length` draws how long the next thing takes; `ahead` is how far hosts' clocks are (ns)."""

    length: Callable[[], int]
    generation: Generation | None = None
    gateway: bool = True
    activator: bool = True
    ahead: Mapping[str, int] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    ends: list[Moment] = field(default_factory=list)
    replied: list[_Reply] = field(default_factory=list)  # what a broker is just about to have back
    ids: int = 0

    def play(self, entry: Node) -> Moment:
        """The moment when the caller had its answer; `ends` are those when all that followed was over."""
        self.ends.append(self.call("caller", None, Moment(START), entry))
        return self.ends[-1]

    @property
    def last(self) -> Moment:
        return max(self.ends, key=lambda each: each.at)

    # functions

    def call(self, who: str, parent: str | None, begun: Moment, node: Node) -> Moment:
        own, message, label = self._id(), self._id(), f"{who} → {node.name} (call)"
        inside: list[Moment] = []

        def serve(above: str, arrived: Moment) -> Moment:
            inside.extend((arrived, self.handle(node, "SERVER", above, message, arrived)))
            return inside[1]

        now = self._through(node.name, own, begun.then(self.length(), label, "network"), label, serve)
        over = now.then(self.length(), label, "network")
        self._add(own, who, "CLIENT", node.name, parent, begun, over, message)
        parts = Counter[What]({"work": inside[1].at - inside[0].at})
        for _, what, ns in (*inside[0].since(begun), *over.since(inside[1])):
            parts[what] += ns
        self.hops.append(Hop(who, node.name, "call", message, parts))
        return over

    def handle(self, node: Node, kind: Kind, parent: str, message: str, now: Moment, origin: str = "") -> Moment:
        own, begun, replies = self._id(), now, list[Node]()
        for what, about in node.steps:
            now = now.then(self.length(), node.name, "work")
            nodes: Sequence[Node] = about  # type: ignore[assignment]
            if what == "call":
                now = self.call(node.name, own, now, nodes[0])
            elif what == "side by side":
                now = max((self.call(node.name, own, now, each) for each in nodes), key=lambda each: each.at)
            elif what == "event":
                now = self.emit(node.name, own, now, nodes)
            elif what == "again":
                now = self.emit(node.name, own, now, nodes, attempts=2)
            elif what == "reply":
                replies += nodes
        now = now.then(self.length(), node.name, "work")
        if replies:
            sent, message_of = self._id(), self._id()
            self._add(sent, node.name, "PRODUCER", "reply", own, now, now.then(1000, "", "network"), message_of)
            replied = _Reply(node.name, sent, message_of, now, replies)
            if self.generation is None:
                self._reply(replied, parent)
            else:
                self.replied.append(replied)
            now = now.then(1000, f"{node.name} → ? (event)", "network")
        self._add(own, node.name, kind, "handle", parent, begun, now, message, origin=origin)
        return now

    def emit(self, who: str, parent: str, begun: Moment, nodes: Sequence[Node], attempts: int = 1) -> Moment:
        """Publish; the moment when that is done. Each of `nodes` has it later."""
        own, message = self._id(), self._id()
        if self.generation is None:
            over = begun.then(self.length(), f"{who} → ? (event)", "network")
            for node in nodes:
                later = over.at - begun.at + self.length()
                now = begun.then(later, _event(who, node.name), "network")
                self._attempts(who, node, own, message, begun, now, attempts, own)
        else:
            sent = begun.then(self.length(), _event(who, nodes[0].name), "network")
            over = self._broker(who, own, message, begun, sent, nodes, attempts)
            over = over.then(self.length(), f"{who} → ? (event)", "network")
        self._add(own, who, "PRODUCER", "emit", parent, begun, over, message)
        return over

    def _attempts(
        self, who: str, node: Node, above: str, message: str, begun: Moment, now: Moment, attempts: int, origin: str
    ) -> Moment:
        """Deliver until it is taken; the last time all that follows from it follows."""
        first = now
        for attempt in range(attempts):
            if attempt:
                now = now.then(self.length(), _event(who, node.name), "network")
            self._hop(who, node.name, message, begun, now, Meanwhile(first, now, "network") if attempt else None)
            tried = node if attempt == attempts - 1 else Node(node.name)
            now = self.handle(tried, "CONSUMER", above, message, now, origin)
        self.ends.append(now)
        return now

    def _reply(self, reply: _Reply, above: str) -> None:
        """An event that was a reply: it is delivered below where the first one was, and names its own sending."""
        for node in reply.nodes:
            now = reply.begun.then(1000 + self.length(), _event(reply.who, node.name), "network")
            self._attempts(reply.who, node, above, reply.message, reply.begun, now, 1, reply.sent)

    def _hop(
        self, who: str, to: str, message: str, begun: Moment, arrived: Moment, but: Meanwhile | None = None
    ) -> None:
        parts = Counter[What]()
        for _, what, ns in arrived.since(begun, but):
            parts[what] += ns
        self.hops.append(Hop(who, to, "event", message, parts))

    # the platform

    def _through(
        self, to: str, parent: str, now: Moment, way: str, inner: Callable[[str, Moment], Moment], host: str = ""
    ) -> Moment:
        """A request to a function, by ingress, activator and queue-proxy."""
        if self.generation is None:
            return inner(parent, now)

        def user(above: str, begun: Moment) -> Moment:
            return self._layer("queue-proxy", "CLIENT", "POST", above, begun, inner, of=to)

        def proxied(above: str, begun: Moment) -> Moment:
            if self.generation == "1.18":
                waited = self._leaf("queue-proxy", "queue_wait", above, begun, "queue", of=to)
                return user(above, waited.then(self.length(), "queue-proxy (platform)", "proxy"))
            wait = self._id()
            waited = begun.then(self.length(), "queue-proxy (platform)", "queue")
            self._platform(wait, "queue-proxy", None, "kn.queueproxy.wait", above, begun, waited, of=to)
            return user(wait, waited.then(self.length(), way, "proxy"))

        def queue(above: str, begun: Moment) -> Moment:
            name = "queue_proxy" if self.generation == "1.18" else "kn.queueproxy.proxy"
            return self._layer("queue-proxy", None, name, above, begun, proxied, of=to)

        def pod(above: str, begun: Moment) -> Moment:
            return self._layer("queue-proxy", "SERVER", self._served("/", "queue"), above, begun, queue, of=to)

        def activated(above: str, begun: Moment) -> Moment:
            waited = self._leaf("activator", "throttler_try", above, begun, "cold wait")
            begun = waited.then(self.length(), "activator (platform)", "proxy")
            return self._layer("activator", None, "activator_proxy", above, begun, request)

        def request(above: str, begun: Moment) -> Moment:
            return self._layer("activator", "CLIENT", "POST /", above, begun, pod)

        def activator(above: str, begun: Moment) -> Moment:
            if not self.activator:
                return pod(above, begun)
            return self._layer("activator", "SERVER", self._served("/", "handle"), above, begun, activated)

        if not self.gateway:
            return activator(f"{0xFEED0000 + self.ids:016x}", now)  # Envoy's span, which it did not export
        return self._layer("gateway", "SERVER", "ingress", parent, now, activator)

    def _broker(
        self, who: str, own: str, message: str, begun: Moment, now: Moment, nodes: Sequence[Node], attempts: int,
        below: str = "",
    ) -> Moment:  # fmt: skip
        """Into the channel, which answers at once and delivers afterwards."""

        def accept(above: str, arrived: Moment) -> Moment:
            dispatcher = self._id()
            accepted = arrived.then(self.length(), "channel dispatcher (platform)", "dispatch")
            self._platform(
                dispatcher, "channel dispatcher", "SERVER", self._served("/", "post"), above, arrived, accepted
            )
            for node in nodes:
                held = accepted.then(self.length(), _event(who, node.name), "dispatch")
                self._subscription(who, node, dispatcher, message, begun, held, attempts, own)
            return accepted

        def send(above: str, arrived: Moment) -> Moment:
            return self._layer("broker ingress", "CLIENT", "POST /", above, arrived, accept)

        def broker(above: str, arrived: Moment) -> Moment:
            return self._layer("broker ingress", None, "broker:default.chain", above, arrived, send)

        return self._twice("broker ingress", below or own, now, broker)

    def _subscription(
        self, who: str, node: Node, above: str, message: str, begun: Moment, now: Moment, attempts: int, origin: str
    ) -> None:
        def consume(parent: str, arrived: Moment) -> Moment:
            self._hop(who, node.name, message, begun, arrived, in_vain[-1])
            over = self.handle(tries.pop(), "CONSUMER", parent, message, arrived, origin)
            self.ends.append(over)
            return over

        tries = [node, *(Node(node.name) for _ in range(attempts - 1))]
        in_vain: list[Meanwhile | None] = [None]

        def request(parent: str, arrived: Moment) -> Moment:
            def through(inside: str, started: Moment) -> Moment:
                return self._through(node.name, inside, started, _event(who, node.name), consume)

            first = arrived
            for attempt in range(attempts):
                if attempt:
                    arrived = arrived.then(self.length(), "broker filter (platform)", "filter")
                    in_vain.append(Meanwhile(first, arrived, "filter"))
                arrived = self._layer("broker filter", "CLIENT", "POST /", parent, arrived, through, to=node.name)
            while self.replied:
                arrived = arrived.then(self.length(), "broker filter (platform)", "filter")
                arrived = self._back(self.replied.pop(), parent, arrived)
            return arrived

        def trigger(parent: str, arrived: Moment) -> Moment:
            return self._layer("broker filter", None, "trigger:t.chain", parent, arrived, request)

        def filtered(parent: str, arrived: Moment) -> Moment:
            return self._twice("broker filter", parent, arrived, trigger)

        def send(parent: str, arrived: Moment) -> Moment:
            return self._layer("channel dispatcher", "CLIENT", "POST /", parent, arrived, filtered)

        self.ends.append(self._layer("channel dispatcher", None, "send http://filter", above, now, send))

    def _back(self, reply: _Reply, above: str, now: Moment) -> Moment:
        """What a function answered an event with, sent into the broker by its filter."""

        def enter(parent: str, begun: Moment) -> Moment:
            return self._broker(reply.who, reply.sent, reply.message, reply.begun, begun, reply.nodes, 1, parent)

        def send(parent: str, begun: Moment) -> Moment:
            return self._layer("broker filter", "CLIENT", "POST /", parent, begun, enter)

        return self._layer("broker filter", None, "send http://broker-ingress", above, now, send)

    def _twice(self, part: str, parent: str, now: Moment, inner: Callable[[str, Moment], Moment]) -> Moment:
        """A server that tells of one request twice, since Knative 1.19."""
        outer, begun, twin = self._id(), now, self.generation != "1.18"
        what: What = "filter" if part == "broker filter" else "broker ingress"
        if twin:
            now = now.then(self.length(), f"{part} (platform)", what)
        now = self._layer(part, "SERVER", "POST /default/chain", parent, now, inner)
        if twin:
            now = now.then(self.length(), f"{part} (platform)", what)
            self._platform(outer, part, "SERVER", self._served("/", "post"), parent, begun, now)
        return now

    def _layer(
        self, part: str, kind: Kind | None, name: str, parent: str, begun: Moment,
        inner: Callable[[str, Moment], Moment], *, of: str = "", to: str = "",
    ) -> Moment:  # fmt: skip
        own, what = self._id(), _what(part, kind)
        now = inner(own, begun.then(self.length(), f"{part} (platform)", what))
        over = now.then(self.length(), f"{part} (platform)", what)
        self._platform(own, part, kind, name, parent, begun, over, of=of, to=to)
        return over

    def _leaf(self, part: str, name: str, parent: str, begun: Moment, what: What, of: str = "") -> Moment:
        over = begun.then(self.length(), f"{part} (platform)", what)
        self._platform(self._id(), part, None, name, parent, begun, over, of=of)
        return over

    def _served(self, old: str, new: str) -> str:
        """Names of server spans, which change with the HTTP library."""
        return old if self.generation == "1.18" else new if self.generation == "1.22" else "POST"

    # spans

    def _id(self) -> str:
        self.ids += 1
        return f"{self.ids * 0x9E3779B97F4A7C15 % 2**64:016x}"  # in no order

    def _add(
        self, own: str, service: str, kind: Kind, name: str, parent: str | None, begun: Moment, over: Moment,
        message: str, origin: str = "",
    ) -> None:  # fmt: skip
        tags = {"toolkit.call": CALL, "toolkit.message": message, "toolkit.replica": f"{service}-0"}
        if origin:
            tags["cloudevents.traceparent"] = f"00-{TRACE}-{origin}-01"
        self._span(own, name, service, parent, kind, begun, over, tags, service)

    def _platform(
        self, own: str, part: str, kind: Kind | None, name: str, parent: str, begun: Moment, over: Moment,
        *, of: str = "", to: str = "",
    ) -> None:  # fmt: skip
        old = self.generation == "1.18"
        tags = {"url.full": f"http://{to}.chain.svc.cluster.local"} if to else {}
        if part == "queue-proxy":
            service = f"{of}-00001-deployment-6d4cf56db6-x7k2p" if old else of
            scope = "knative.dev/serving/pkg/queue"
        elif part == "gateway":
            service, scope = "kourier-knative", ""
            tags |= {"telemetry.sdk.name": "envoy"}
        else:
            service, scope = _SERVICES[part][not old], _SERVICES[part][2]
        if not old and part != "gateway":
            tags["otel.scope.name"] = scope if kind is None else _HTTP
            if part == "queue-proxy":
                tags["container.name"] = "queue-proxy"
        self._span(own, name, service, parent, kind, begun, over, tags, of or part)

    def _span(
        self, own: str, name: str, service: str, parent: str | None, kind: Kind | None, begun: Moment, over: Moment,
        tags: Mapping[str, str], host: str,
    ) -> None:  # fmt: skip
        ahead = self.ahead.get(host, 0)
        start, us = (begun.at + ahead) // 1000, max(1, (over.at - begun.at) // 1000)
        self.spans.append(Span(TRACE, own, name.lower(), service, parent, kind, start, us, None, tags))


def _what(part: str, kind: Kind | None) -> What:
    if kind == "CLIENT":
        return "network"
    known: dict[str, What] = {
        "gateway": "gateway", "broker ingress": "broker ingress", "channel dispatcher": "dispatch",
        "broker filter": "filter",
    }  # fmt: skip
    return known.get(part, "proxy")


def _event(who: str, to: str) -> str:
    return f"{who} → {to} (event)"


def told(end: Moment) -> list[tuple[int, int, str, What]]:
    """The path to this moment in the order of time (microseconds), with neighbours of one kind as one."""
    now, found = end, list[tuple[int, int, str, What]]()
    while now.before is not None:
        found.append((now.before.at // 1000, now.at // 1000, now.label, now.what))
        now = now.before
    return merged(reversed(found))


def merged(pieces: Iterable[tuple[int, int, str, What]]) -> list[tuple[int, int, str, What]]:
    """Neighbours of one kind as one. To whom an event goes is not compared where it has not parted yet."""
    whole: list[tuple[int, int, str, What]] = []
    for begin, end, label, what in pieces:
        label = f"{label.split(' → ')[0]} → (event)" if label.endswith("(event)") else label
        if whole and whole[-1][1:] == (begin, label, what):
            begin = whole.pop()[0]
        if begin < end:
            whole.append((begin, end, label, what))
    return whole


def microseconds(random: Random, most: int = 10**9) -> Callable[[], int]:
    """Lengths of whole microseconds, so different that no two things end at once."""
    return lambda: random.randrange(1, most) * 1000


def any_chain(random: Random, depth: int = 3) -> Node:
    """A function that does up to three things, below it the like."""
    names = iter(f"f{number}" for number in range(1000))

    def node(deep: int) -> Node:
        kinds = ["work", "call", "side by side", "event", "again"] if deep else ["work"]
        steps = [(random.choice(kinds), deep) for _ in range(random.randrange(3))]
        return Node(next(names), [(what, [node(deep - 1) for _ in range(_many(what, random))]) for what, _ in steps])

    return node(depth)


def _many(what: str, random: Random) -> int:
    return {"work": 0, "call": 1, "again": 1}.get(what, random.randrange(1, 4))


def with_replies(node: Node, random: Random) -> Node:
    """The same, with consumers that answer their events with an event."""
    steps = [
        (what, [_replying(each, random) if what == "event" else with_replies(each, random) for each in nodes])  # type: ignore[attr-defined]
        for what, nodes in node.steps
    ]
    return dataclasses.replace(node, steps=steps)


def _replying(node: Node, random: Random) -> Node:
    answered = with_replies(node, random)
    if random.random() < 0.5:
        return answered
    return dataclasses.replace(answered, steps=[*answered.steps, ("reply", [Node(f"{node.name}-replied")])])


def gave_up(spans: Sequence[Span], random: Random) -> list[Span]:
    """The same, but that some callers did not wait: a deadline was over, or they cancelled. Servers went on."""

    def end(span: Span) -> Span:
        if span.kind != "CLIENT" or "toolkit.message" not in span.tags or random.random() < 0.5:
            return span
        why = random.choice(["DEADLINE_EXCEEDED", "CANCELLED"])
        over = max(1, round((span.duration or 1) * random.random()))
        return dataclasses.replace(span, duration=over, tags={**span.tags, "error": why})

    return [end(span) for span in spans]
