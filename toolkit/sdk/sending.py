"""One message over one edge, once: its span, its place in the receipt, and what is on the wire beside its data.

May live here: attempts, events, and what they are called on the wire. May not: which edge, and what happens when it
fails (`patterns`), sockets (`calls` and `sink` have them).
"""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from toolkit import contract
from toolkit.contract import Outgoing
from toolkit.sdk import bounds, methods, tags
from toolkit.sdk.arrival import Received
from toolkit.sdk.cloudevents import Event, check, encode_binary
from toolkit.sdk.failures import CallFailed, EmitFailed, Refused, described
from toolkit.sdk.logs import rfc3339
from toolkit.sdk.message import Message
from toolkit.sdk.propagation import B3, TRACEPARENT, TRACESTATE, Position
from toolkit.sdk.tracing import AnySpan, Span
from toolkit.sdk.transfers import carrying
from toolkit.sdk.transfers.carrying import Parcel

if TYPE_CHECKING:
    from toolkit.sdk.handling import Handling

CANCELLED = "CANCELLED"

DIGEST, SIZE, ACCEPTED, REPLY, REPLY_SIZE, LEFT_S = 2, 3, 7, 8, 9, 10  # of a record of something sent
_ATTRIBUTES = ("id", "source", "specversion", "type", "time", "datacontenttype", TRACEPARENT, TRACESTATE)
# What an event says of its own way: a message that is handed on as it came does not say it of the next hop.
_OWN = frozenset(
    (
        *_ATTRIBUTES,
        contract.LOOPS_EXTENSION,
        contract.TASK_EXTENSION,
        contract.DEPTH_EXTENSION,
        contract.PART_EXTENSION,
        contract.PARTS_EXTENSION,
        contract.SCATTER_EXTENSION,
        contract.OUTER_EXTENSION,
        contract.STATUS_EXTENSION,
    )
)
Extensions = Mapping[str, str]


async def call(handling: Handling, edge: Outgoing, request: Any, timeout_s: float, message: str) -> Any:
    """One attempt over a call edge; the reply. Raises CallFailed, LoopBound, and TypeError for another type."""
    method = methods.find(edge.method or contract.GENERIC_METHOD)
    loops = bounds.beyond(handling.loops, handling.wiring, (edge,))
    request, parcel = await _carried(handling, edge, request, message)
    received = Received() if method.streams else None
    raw = method.request.serialize(request) if received is None else b""
    record = handling.open("call", message, raw, edge.address or "", to=edge.to)
    span = handling.start("CLIENT", method.path)
    if span.recorded:
        span.tags = tags.of_call(handling.arrival, edge.to, message)
    metadata = _metadata(handling, message, span, loops)
    code = CANCELLED
    failure: tuple[str, str] | None = None
    try:
        if parcel is not None:
            timeout_s = await handling.put(parcel, span, timeout_s)
        body = raw if received is None else _serialized(request, method.request, received)
        reply = await _exchanged(handling, edge, method.path, body, metadata, timeout_s)
        code, record[ACCEPTED] = "OK", True
        record[REPLY], record[REPLY_SIZE] = contract.digest(reply), len(reply)
        return method.reply.parse(reply)
    except Exception as failed:
        code, failure = failed.code if isinstance(failed, (CallFailed, Refused)) else code, _failure(failed)
        raise
    except BaseException:
        code, failure = _cancelled(handling)
        raise
    finally:
        if parcel is not None:
            handling.around.transfers.discard(parcel)
        if received is not None:
            record[DIGEST], record[SIZE] = received.digest, received.size
        if span.recorded:
            tags.called(span.tags, record[SIZE], record[REPLY_SIZE], code)
            _end(span, failure)


async def _carried(handling: Handling, edge: Outgoing, request: Any, message: str) -> tuple[Any, Parcel | None]:
    """What travels in place of the request, and the parcel that it refers to."""
    if edge.transfer == "stream" and edge.method == contract.GENERIC_STREAM:
        return carrying.pieces(Message.of(request)), None
    parcel = await handling.packed(edge.transfer, request)
    if parcel is None:
        return request, None
    parcel = parcel.addressed(handling.wiring, handling.arrival.call, message)
    return parcel.reference, parcel


async def _exchanged(
    handling: Handling, edge: Outgoing, path: str, body: bytes | AsyncIterator[bytes], metadata: Any, timeout_s: float
) -> bytes:
    calls, address = handling.around.calls, edge.address or ""
    if isinstance(body, bytes):
        return await calls.call(edge.to, address, path, body, metadata, timeout_s)
    return await calls.stream(edge.to, address, path, body, metadata, timeout_s)


async def emit(handling: Handling, message: Message, kind: str, identity: str, more: Extensions) -> None:
    """To the sink; returns once it took the event. `more` are extensions of ours, which go before the message's own."""
    sink = handling.around.sink
    more = {**_on_its_way(handling, kind), **more}
    parcel = await handling.packed(carrying.of_event(handling.wiring, kind), message)
    if parcel is not None:
        parcel = parcel.addressed(handling.wiring, handling.arrival.call, identity)
        message = parcel.reference
    span = handling.start("PRODUCER", f"emit {kind}")
    event = _event(handling, message, kind, identity, span.position, more)
    headers, body = encode_binary(event)  # an event that cannot be said leaves neither a span nor a receipt
    record = handling.open("event", event.id, message.data, sink.url or "", type=kind)
    if span.recorded:
        span.tags = tags.of_event(handling.arrival, kind, event.id, len(message.data))
    hop = tuple((name.encode(), value.encode()) for name, value in _position(span.position))
    status: int | None = None
    failure: tuple[str, str] | None = None
    timeout_s = handling.timeout(None)
    try:
        if parcel is not None:
            timeout_s = await handling.put(parcel, span, timeout_s)
        status = await sink.post((*headers, *hop), body, timeout_s)
        record[ACCEPTED] = True
    except Exception as failed:
        status, failure = failed.status if isinstance(failed, EmitFailed) else None, _failure(failed)
        raise
    except BaseException:
        _, failure = _cancelled(handling)
        raise
    finally:
        if span.recorded:
            if status is not None:
                span.annotate(tags.HTTP_STATUS, status)
            _end(span, failure)


def reply(handling: Handling, message: Message, kind: str, identity: str) -> Event:
    """The event that answers an event; recorded as sent."""
    more = _on_its_way(handling, kind)
    span = handling.start("PRODUCER", f"emit {kind}")
    event = _event(handling, message, kind, identity, span.position, more)
    check(event.attributes)  # an event that cannot be said leaves neither a span nor a receipt
    handling.open("event", event.id, message.data, contract.REPLY, type=kind)[ACCEPTED] = True
    if span.recorded:
        span.tags = tags.of_event(handling.arrival, kind, event.id, len(message.data))
        span.end()
    return event


def _on_its_way(handling: Handling, kind: str) -> dict[str, str]:
    """What an event says of the way that led to it: its loops, and the part that it is of what was scattered."""
    same = tuple(edge for edge in handling.wiring.outgoing if edge.via == "event" and edge.type == kind)
    loops = bounds.beyond(handling.loops, handling.wiring, same)
    found = {contract.LOOPS_EXTENSION: loops} if loops else {}
    return {**found, **handling.part}


def _event(
    handling: Handling, message: Message, kind: str, identity: str, position: Position, more: Extensions
) -> Event:
    attributes = {
        "specversion": "1.0",
        "id": identity,
        "source": handling.wiring.function,
        "type": kind,
        "time": rfc3339(time.time_ns()),
    }
    if message.content_type:
        attributes["datacontenttype"] = message.content_type
    attributes.update((name, value) for name, value in message.extensions.items() if name not in _OWN)
    if message.status is not None:
        attributes[contract.STATUS_EXTENSION] = str(message.status)
    attributes.update(more)
    attributes[contract.METADATA_EXTENSION] = base64.b64encode(handling.arrival.metadata).decode()
    attributes.update(_position(position))
    overrides = handling.around.sink.overrides
    attributes.update((name, value) for name, value in overrides.items() if name not in _ATTRIBUTES[:4])
    return Event(attributes, message.data)


def _metadata(handling: Handling, message: str, span: AnySpan, loops: str) -> list[tuple[str, str | bytes]]:
    position = span.position
    metadata: list[tuple[str, str | bytes]] = [
        (contract.METADATA_KEY, handling.arrival.metadata),
        (contract.MESSAGE_KEY, message),
        (contract.SENDER_KEY, handling.wiring.function),
        *_position(position),
        (B3, position.b3),
    ]
    if loops:
        metadata.append((contract.LOOPS_KEY, loops))
    return metadata


def _position(position: Position) -> list[tuple[str, str]]:
    headers = [(TRACEPARENT, position.traceparent)]
    return [*headers, (TRACESTATE, position.state)] if position.state else headers


def _cancelled(handling: Handling) -> tuple[str, tuple[str, str]]:
    """The status of something sent for a handler that was cancelled meanwhile, and `_failure` of it."""
    code = "DEADLINE_EXCEEDED" if handling.arrival.overdue else CANCELLED
    return code, (f"{code}: its handler ended first", code)


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
