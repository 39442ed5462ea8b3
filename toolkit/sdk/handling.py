"""One message being handled: its place in the trace, and every message sent on its behalf.

May live here: ids, spans and receipts of what is sent. May not: sockets; `calls` and `sink` have them.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from toolkit import contract
from toolkit.contract import Outgoing, Sent, Wiring
from toolkit.sdk import edges, methods, tags
from toolkit.sdk.arrival import Arrival, Incoming, Received
from toolkit.sdk.cloudevents import Event, Headers, check, encode_binary
from toolkit.sdk.failures import CallFailed, EmitFailed, Refused, described
from toolkit.sdk.logs import rfc3339
from toolkit.sdk.message import Message
from toolkit.sdk.propagation import B3, TRACEPARENT, TRACESTATE, Position
from toolkit.sdk.tracing import AnySpan, Kind, Span, Tracing
from toolkit.sdk.transfers import STORES, carrying
from toolkit.sdk.transfers.carrying import Parcel, Transfers

if TYPE_CHECKING:
    from toolkit.sdk.tasks import Memory, Task

DEFAULT_DEADLINE_S = 30.0  # of what is sent on behalf of a message that came without a deadline

CANCELLED = "CANCELLED"

_DIGEST, _SIZE, _ACCEPTED, _REPLY, _REPLY_SIZE = 2, 3, 7, 8, 9  # of a record of something sent
_OWN = ("id", "source", "specversion", "type", "time", "datacontenttype", TRACEPARENT, TRACESTATE)
_OF_TASKS = (contract.TASK_EXTENSION, contract.DEPTH_EXTENSION)  # said by `post` alone: a message passed on is no task


class Calls(Protocol):
    """The client side of call edges; `Channels` is the real one."""

    async def call(
        self, to: str, address: str, path: str, request: bytes, metadata: Any, timeout_s: float
    ) -> bytes: ...

    async def stream(
        self, to: str, address: str, path: str, requests: AsyncIterable[bytes], metadata: Any, timeout_s: float
    ) -> bytes: ...


class Sinks(Protocol):
    """The client side of event edges; `Sink` is the real one."""

    url: str | None
    overrides: Mapping[str, str]

    async def post(self, headers: Headers, body: bytes, timeout_s: float) -> int: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every handling of a function has in common."""

    wiring: Wiring
    replica: str
    tracing: Tracing
    calls: Calls
    sink: Sinks
    transfers: Transfers = field(default_factory=Transfers)
    memory: Memory | None = None  # of tasks and joins


class Handling:
    """The state of one message. Its ids are derived, so that a redelivered message sends what it sent before."""

    __slots__ = (
        *("_around", "_sent", "answer", "arrival", "span", "wiring"),
        *("joined", "leaving", "spawned", "task", "waits"),
    )

    def __init__(self, around: Surroundings, arrival: Arrival, span: AnySpan) -> None:
        self._around, self.wiring = around, around.wiring
        self.arrival, self.span = arrival, span
        self.answer: bytes | None = None  # of a call, as it is about to leave
        self._sent: list[list[Any]] = []  # the fields of `Sent`, in the order in which sending began
        self.task: Task | None = None  # that is being done
        self.spawned: set[str] = set()  # tasks
        self.leaving: list[
            tuple[Message, str, str, Mapping[str, str]]
        ] = []  # what is posted once the handler is through
        self.joined: tuple[str, ...] = ()  # messages that are handled with this one
        self.waits = False  # the handler does not run: others are missing, or it ran before

    @property
    def replica(self) -> str:
        return self._around.replica

    @property
    def memory(self) -> Memory:
        """Raises Refused where no ledger is wired."""
        if self._around.memory is None:
            raise Refused("FAILED_PRECONDITION", f"{self.wiring.function} has no ledger: its chain spawns no tasks")
        return self._around.memory

    @property
    def sent(self) -> tuple[Sent, ...]:
        """What left so far; what is still under way counts as not accepted."""
        return tuple(Sent(*fields) for fields in self._sent)

    async def call(self, request: Any, to: str | None, timeout_s: float | None) -> Any:
        """Over a call edge; the reply. Raises CallFailed, NoSuchEdge, and TypeError for a request of another type."""
        return await self._call(edges.to(self.wiring, to), request, timeout_s)

    async def emit(self, data: Any, type: str | None, content_type: str | None) -> None:  # noqa: A002 - the event's word
        """To the sink; returns once it took the event. Raises EmitFailed, NoSink, NoSuchEdge, and TypeError."""
        message = Message.of(data, content_type=content_type)
        await self.post(message, edges.event_type(self.wiring, type, message.type))

    async def forward(self, value: Any) -> list[Any]:
        """Over every edge at once; the replies of the calls. Raises the first failure after all have ended."""
        outgoing = self.wiring.outgoing
        calls = [self._call(edge, value, None) for edge in outgoing if edge.via == "call"]
        # Consumers of one type share one event: the broker makes the copies.
        types = edges.event_types(self.wiring)
        message = Message.of(value) if types else Message()
        events = [self.post(message, each) for each in types]
        results = await asyncio.gather(*calls, *events, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return list(results[: len(calls)])

    def reply(self, value: Any) -> Event:
        """The event that answers an event; recorded as sent."""
        message = Message.of(value)
        kind = edges.reply_type(self.wiring, message.type)
        span = self._start("PRODUCER", f"emit {kind}")
        event = self._event(message, kind, self._next_id(), span.position)
        check(event.attributes)  # an event that cannot be said leaves neither a span nor a receipt
        self._open("event", event.id, message.data, contract.REPLY, type=kind)[_ACCEPTED] = True
        if span.recorded:
            span.tags = tags.of_event(self.arrival, kind, event.id, len(message.data))
            span.end()
        return event

    def timeout(self, timeout_s: float | None) -> float:
        """Seconds for something sent now: what was asked for, within what the sender of our message left us."""
        remaining = self.arrival.remaining_s()
        if remaining is None:
            return DEFAULT_DEADLINE_S if timeout_s is None else timeout_s
        return max(0.0, remaining if timeout_s is None else min(timeout_s, remaining))

    async def _call(self, edge: Outgoing, request: Any, timeout_s: float | None) -> Any:
        method = methods.find(edge.method or contract.GENERIC_METHOD)
        address = edge.address or ""
        parcel = await self._packed(edge.transfer, request)
        if edge.transfer == "stream" and method.path == contract.GENERIC_STREAM:
            request = carrying.pieces(Message.of(request))
        message = self._next_id()
        if parcel is not None:
            parcel = parcel.addressed(self.wiring, self.arrival.call, message)
            request = parcel.reference
        if method.streams:
            raw, received = b"", Received()
        else:
            raw, received = method.request.serialize(request), None
        record = self._open("call", message, raw, address, to=edge.to)
        span = self._start("CLIENT", method.path)
        if span.recorded:
            span.tags = tags.of_call(self.arrival, edge.to, message)
        metadata, timeout_s, calls = self._metadata(message, span), self.timeout(timeout_s), self._around.calls
        code = CANCELLED
        failure: tuple[str, str] | None = None
        try:
            if parcel is not None:
                timeout_s = await self._put(parcel, span, timeout_s)
            if received is None:
                reply = await calls.call(edge.to, address, method.path, raw, metadata, timeout_s)
            else:
                stream = _serialized(request, method.request, received)
                reply = await calls.stream(edge.to, address, method.path, stream, metadata, timeout_s)
            code, record[_ACCEPTED] = "OK", True
            record[_REPLY], record[_REPLY_SIZE] = contract.digest(reply), len(reply)
            return method.reply.parse(reply)
        except Exception as failed:
            code, failure = failed.code if isinstance(failed, (CallFailed, Refused)) else code, _failure(failed)
            raise
        except BaseException:
            code, failure = self._cancelled()
            raise
        finally:
            if parcel is not None:
                self._around.transfers.discard(parcel)
            if received is not None:
                record[_DIGEST], record[_SIZE] = received.digest, received.size
            if span.recorded:
                tags.called(span.tags, record[_SIZE], record[_REPLY_SIZE], code)
                _end(span, failure)

    async def post(
        self, message: Message, kind: str, identity: str | None = None, said: Mapping[str, str] | None = None
    ) -> None:
        """As an event of a type that is known to be right; `identity` is its id, `said` are extensions of its own."""
        sink = self._around.sink
        parcel = await self._packed(carrying.of_event(self.wiring, kind), message)
        identity = identity or self._next_id()
        if parcel is not None:
            parcel = parcel.addressed(self.wiring, self.arrival.call, identity)
            message = parcel.reference
        span = self._start("PRODUCER", f"emit {kind}")
        event = self._event(message, kind, identity, span.position, said)
        headers, body = encode_binary(event)  # an event that cannot be said leaves neither a span nor a receipt
        record = self._open("event", event.id, message.data, sink.url or "", type=kind)
        if span.recorded:
            span.tags = tags.of_event(self.arrival, kind, event.id, len(message.data))
        hop = tuple((name.encode(), value.encode()) for name, value in _position(span.position))
        status: int | None = None
        failure: tuple[str, str] | None = None
        timeout_s = self.timeout(None)
        try:
            if parcel is not None:
                timeout_s = await self._put(parcel, span, timeout_s)
            status = await sink.post((*headers, *hop), body, timeout_s)
            record[_ACCEPTED] = True
        except Exception as failed:
            status, failure = failed.status if isinstance(failed, EmitFailed) else None, _failure(failed)
            raise
        except BaseException:
            _, failure = self._cancelled()
            raise
        finally:
            if span.recorded:
                if status is not None:
                    span.annotate(tags.HTTP_STATUS, status)
                _end(span, failure)

    async def whole(self, message: Any) -> Any:
        """`message` with its data, if that lies in a store or comes in pieces. Raises TransferFailed, and Refused."""
        if isinstance(message, list):  # of a join
            return list(await asyncio.gather(*(self.whole(each) for each in message)))
        if isinstance(message, Incoming):
            streamed = self.arrival.method == contract.GENERIC_STREAM and "stream" in self.wiring.takes
            return await carrying.joined(message) if streamed else message
        found = carrying.referred(self.wiring, self.arrival.call, message)
        if found is None:
            return message
        carrying.told(self.span, found.transfer, found.size)
        work = self._around.transfers.get(found, self.timeout(None))
        data = await carrying.noted(self._start(None, f"get {found.transfer}"), found.transfer, found.size, work)
        return dataclasses.replace(message, data=data, content_type=found.content_type)

    async def _packed(self, transfer: str, value: Any) -> Parcel | None:
        return await carrying.pack(transfer, Message.of(value)) if transfer in STORES else None

    async def _put(self, parcel: Parcel, sending: AnySpan, timeout_s: float) -> float:
        """Puts the data where the receiver will look for it; the seconds that are left. Raises TransferFailed."""
        clock = asyncio.get_running_loop().time
        began = clock()
        carrying.told(sending, parcel.transfer, parcel.size)
        work = self._around.transfers.put(parcel, timeout_s)
        await carrying.noted(self._start(None, f"put {parcel.transfer}"), parcel.transfer, parcel.size, work)
        return max(0.0, timeout_s - (clock() - began))

    def _cancelled(self) -> tuple[str, tuple[str, str]]:
        """The status of something sent for a handler that was cancelled meanwhile, and `_failure` of it."""
        code = "DEADLINE_EXCEEDED" if self.arrival.overdue else CANCELLED
        return code, (f"{code}: its handler ended first", code)

    def _start(self, kind: Kind | None, name: str) -> AnySpan:
        tracing = self._around.tracing
        return tracing.start(kind, name, tracing.current(self.span))

    def _next_id(self) -> str:
        return contract.child_id(self.arrival.message, self.wiring.function, len(self._sent))

    def _open(
        self,
        via: str,
        message: str,
        data: bytes,
        address: str,
        to: str | None = None,
        type: str | None = None,  # noqa: A002
    ) -> list[Any]:
        record = [via, message, contract.digest(data), len(data), address, to, type, False, None, None]
        self._sent.append(record)
        return record

    def _metadata(self, message: str, span: AnySpan) -> list[tuple[str, str | bytes]]:
        position = span.position
        metadata: list[tuple[str, str | bytes]] = [
            (contract.METADATA_KEY, self.arrival.metadata),
            (contract.MESSAGE_KEY, message),
            (contract.SENDER_KEY, self.wiring.function),
            *_position(position),
            (B3, position.b3),
        ]
        return metadata

    def _event(
        self, message: Message, kind: str, identity: str, position: Position, said: Mapping[str, str] | None = None
    ) -> Event:
        attributes = {
            "specversion": "1.0",
            "id": identity,
            "source": self.wiring.function,
            "type": kind,
            "time": rfc3339(time.time_ns()),
        }
        if message.content_type:
            attributes["datacontenttype"] = message.content_type
        kept = ((name, value) for name, value in message.extensions.items() if name not in (*_OWN, *_OF_TASKS))
        attributes.update(kept)
        attributes.update(said or {})
        attributes[contract.METADATA_EXTENSION] = base64.b64encode(self.arrival.metadata).decode()
        attributes.update(_position(position))
        overrides = self._around.sink.overrides
        attributes.update((name, value) for name, value in overrides.items() if name not in _OWN[:4])
        return Event(attributes, message.data)


def _position(position: Position) -> list[tuple[str, str]]:
    headers = [(TRACEPARENT, position.traceparent)]
    return [*headers, (TRACESTATE, position.state)] if position.state else headers


def _end(span: Span, failure: tuple[str, str] | None) -> None:
    if failure is not None:
        span.fail(*failure)
    span.end()


def _failure(error: Exception) -> tuple[str, str]:
    """What a span says of it, and what such failures are counted by."""
    if isinstance(error, CallFailed):
        return f"{error.code}: {error.details}", error.code
    name = type(error).__name__
    if isinstance(error, EmitFailed):
        return str(error), name if error.status is None else str(error.status)
    return described(error), name


async def _serialized(requests: Any, kind: methods.Kind, received: Received) -> AsyncIterator[bytes]:
    """The stream on the wire, hashed on its way. Takes any iterable, asynchronous or not."""
    if isinstance(requests, AsyncIterable):
        async for each in requests:
            yield _counted(kind.serialize(each), received)
    elif isinstance(requests, Iterable) and not isinstance(requests, (bytes, str)):
        for each in requests:
            yield _counted(kind.serialize(each), received)
    else:
        raise TypeError(f"this method takes a stream: an iterable of {kind.name}, not a {type(requests).__name__}")


def _counted(raw: bytes, received: Received) -> bytes:
    received.add(raw)
    return raw
