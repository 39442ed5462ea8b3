"""The door: which request is an event for which broker, in which order that is asked, and what is answered.

May live here: the ingress handler and the fan-out to all Triggers (eventing `broker/ingress`, `channel/fanout`).
Verb, path, decode, validate, broker, hop count: in this order, as recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import gmtime, time_ns

from toolkit.engines.local.broker import event, golang, policy, tracing
from toolkit.engines.local.broker.config import BrokerConfig
from toolkit.engines.local.broker.delivery import Dispatcher, Leg, Trigger, prepare
from toolkit.engines.local.broker.event import ARRIVAL, TTL, Message
from toolkit.engines.local.broker.filters import NotBooleanError
from toolkit.engines.local.broker.incidents import Incidents
from toolkit.engines.local.broker.tracing import NOTHING, Carried
from toolkit.engines.local.broker.under_way import UnderWay
from toolkit.sdk.cloudevents import EventError
from toolkit.sdk.http1 import Client, MessageError, Request, Response

FAN_OUT_LIMIT_S = 900.0  # eventing `channel/fanout`: the longest a synchronous answer waits

_ALLOW = (b"Allow", b"POST, OPTIONS")
_ANSWERS = {status: Response(status, (_ALLOW,)) for status in (202, 400, 404, 405, 500)}
_OPTIONS = Response(200, (_ALLOW, (b"Webhook-Allowed-Origin", b"*"), (b"Webhook-Allowed-Rate", b"*")))
_OPTIONS_STAR = Response(200, ((b"Content-Length", b"0"),))

# What to do with a header, by its name as it came: (0, attribute), (1, -) Content-Type, (2, canonical) pass through,
# (3, -) traceparent, (4, -) tracestate, (5, -) baggage, (9, -) nothing.
_KINDS: dict[bytes, tuple[int, bytes]] = {}
_NOTED = {b"content-type": 1, b"traceparent": 3, b"tracestate": 4, b"baggage": 5}


class Broker:
    """One broker: its Triggers, made ready."""

    def __init__(self, config: BrokerConfig, client: Client, incidents: Incidents, under_way: UnderWay) -> None:
        self.config = config
        self.subject = f"{config.namespace}/{config.name}"
        self.address = ""  # `http://host:port`, once there is one
        self.triggers: list[Trigger] = [prepare(config, trigger) for trigger in config.triggers]
        self.background: set[asyncio.Task[bool]] = set()
        self._answers_first = config.acknowledge == "async"
        self._incidents, self._under_way = incidents, under_way
        self._dispatcher = Dispatcher(client, incidents, self.take_reply, lambda: self.address + config.path)

    async def take_reply(self, message: Message, carried: Carried) -> int:
        """A reply comes in again, as any event does; the HTTP status the ingress answers."""
        try:
            found = event.from_parts(message.attributes, message.content_type, message.body)
            if found is None:
                return 400
            event.validate(found)
        except EventError:
            return 400
        return await self.accept(found, carried)

    async def accept(self, message: Message, carried: Carried) -> int:
        """A valid event: count its hops, stamp it, hand it to every Trigger that wants it; the status to answer."""
        attributes = message.attributes
        ttl = policy.next_ttl(attributes.pop(TTL, None))
        if ttl <= 0:
            self._incidents.warn(self.subject, "an event had no hops left and was refused with 400 (a loop?)")
            return 400
        attributes[ARRIVAL] = _now()
        try:
            event.check_sendable(message)
        except event.Unsendable as error:
            self._incidents.undelivered(self.subject, f"{message.describe()} is lost: {error}", message.id)
            return 500
        if self._answers_first:
            carried = carried.without_baggage()
        legs = [leg for trigger in self.triggers if (leg := self._leg(trigger, message, ttl, carried)) is not None]
        if not legs:
            return 202
        self._under_way.begin(legs)
        if not self._answers_first:
            return 202 if await self._fan_out(message, legs) else 500
        task = asyncio.ensure_future(self._fan_out(message, legs))
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return 202

    async def _fan_out(self, message: Message, legs: Sequence[Leg]) -> bool:
        """To all Triggers at once; True when none of them lost it. Waits for all, also after the first failure."""
        try:
            async with asyncio.timeout(FAN_OUT_LIMIT_S):
                if len(legs) == 1:
                    return await self._dispatcher.deliver(legs[0])
                return all(await asyncio.gather(*map(self._dispatcher.deliver, legs)))
        except TimeoutError:
            self._incidents.undelivered(
                self.subject, f"{message.describe()} was not through after 15 minutes", message.id
            )
            return False
        finally:
            self._under_way.end(legs)

    def _leg(self, trigger: Trigger, message: Message, ttl: int, carried: Carried) -> Leg | None:
        """The event's way to the Trigger; None when its filter does not want it."""
        try:
            if trigger.matches is not None and not trigger.matches(message):
                return None
        except NotBooleanError as error:
            text = f"{error}: Knative's filter dies of it, each time, and the event is retried and lost"
            self._incidents.warn(trigger.name, text)
            return Leg(trigger, message, ttl, carried, str(error))
        return Leg(trigger, message, ttl, carried)


class Ingress:
    """The HTTP handler in front of all brokers."""

    def __init__(self, brokers: Mapping[str, Broker], incidents: Incidents, under_way: UnderWay) -> None:
        self._brokers, self._incidents, self._under_way = brokers, incidents, under_way

    async def handle(self, request: Request) -> Response:
        """Answer one request; cancelled when the producer leaves, which cancels the deliveries of a sync broker."""
        if request.method != "POST":
            return _other_verb(request)
        target = request.target
        broker = self._brokers.get(target)
        if broker is None:
            refusal, broker = self._find(target)
            if refusal is not None:
                return refusal
        parts, carried = _sort(request)
        subject = broker.subject if broker is not None else target
        try:
            found = event.from_parts(*parts)
            if found is None:
                self._incidents.warn(subject, "a request that is no CloudEvent was refused with 400")
                return _ANSWERS[400]
            for doubt in found.doubts:
                self._incidents.warn(subject, doubt)
            event.validate(found)
        except EventError as error:
            self._doubt(subject, parts[0])
            self._incidents.warn(subject, f"an event was refused with 400: {error}")
            return _ANSWERS[400]
        if broker is None:
            self._incidents.warn(subject, "there is no such broker; an event was refused with 404")
            return _ANSWERS[404]
        try:
            return _ANSWERS[await broker.accept(found, carried)]
        except asyncio.CancelledError:
            if not self._under_way.cutting:
                text = "a producer left before its answer: its deliveries were cancelled, the rest of them lost"
                self._incidents.warn(broker.subject, text)
            raise

    def _find(self, target: str) -> tuple[Response | None, Broker | None]:
        """The raw target decides: no decoding, no cleaning, one slash more at the end is forgiven."""
        if not golang.valid_request_target(target):
            raise MessageError(400)
        if target == "/":
            return _ANSWERS[404], None
        parts = target.removesuffix("/").split("/")
        if len(parts) != 3:
            return _ANSWERS[400], None
        return None, self._brokers.get(f"/{parts[1]}/{parts[2]}") if not parts[0] else None

    def _doubt(self, subject: str, attributes: Mapping[bytes, bytes]) -> None:
        if b"" in attributes:
            text = "a header named 'ce-' kills the handler of the real ingress, which answers nothing; here: 400"
            self._incidents.warn(subject, text)


def _other_verb(request: Request) -> Response:
    if request.method != "OPTIONS":
        return _ANSWERS[405]
    return _OPTIONS_STAR if request.target == "*" else _OPTIONS


def _sort(request: Request) -> tuple[tuple[dict[bytes, bytes], bytes | None, bytes], Carried]:
    """One pass over the headers: the event's parts, and what travels with it."""
    attributes: dict[bytes, bytes] = {}
    content_type: bytes | None = None
    passed: list[tuple[bytes, bytes]] = []
    parent: bytes | None = None
    state: bytes | None = None
    baggage: list[bytes] = []
    for name, value in request.headers:
        kind, text = _KINDS.get(name) or _kind(name)
        if kind == 0:
            if text not in attributes:
                attributes[text] = value
        elif kind == 1:
            if content_type is None:
                content_type = value
        elif kind == 2:
            passed.append((text, value))
        elif kind == 3:
            parent = value if parent is None else parent
        elif kind == 4:
            state = value if state is None else state
        elif kind == 5:
            baggage.append(value)
    parts = attributes, content_type, request.body
    if not passed and parent is None and not baggage:
        return parts, NOTHING
    return parts, Carried(tuple(passed), tracing.trace_headers(parent, state, baggage))


def _kind(name: bytes) -> tuple[int, bytes]:
    lower = name.lower()
    if lower.startswith(b"ce-"):
        found = (0, lower[3:])
    elif lower in _NOTED:
        found = (_NOTED[lower], b"")
    elif tracing.passes(lower):
        found = (2, tracing.canonical(name))
    else:
        found = (9, b"")
    if len(_KINDS) < 1024 and len(name) < 64:
        _KINDS[name] = found
    return found


_second: tuple[int, bytes] = (0, b"")


def _now() -> bytes:
    """RFC 3339 in UTC with nanoseconds, without trailing zeros."""
    global _second
    seconds, nanos = divmod(time_ns(), 1_000_000_000)
    if _second[0] != seconds:
        _second = (seconds, b"%04d-%02d-%02dT%02d:%02d:%02d" % gmtime(seconds)[:6])
    if not nanos:
        return _second[1] + b"Z"
    return _second[1] + (b".%09d" % nanos).rstrip(b"0") + b"Z"
