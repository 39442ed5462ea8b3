"""The server side of call edges: gRPC over h2c, with health and reflection.

May live here: grpc.aio servers. May not: what happens to a message (`toolkit.sdk.function`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio

from toolkit import contract
from toolkit.sdk import methods
from toolkit.sdk.arrival import Arrival, Incoming, Received, fresh_identity, identity, usable_id
from toolkit.sdk.function import Function, HandlingFailed
from toolkit.sdk.handling import Handling
from toolkit.sdk.health import NAME, Health
from toolkit.sdk.message import Message
from toolkit.sdk.methods import Method
from toolkit.sdk.propagation import extract

OPTIONS = (
    ("grpc.so_reuseport", 0),  # two processes must not share a port in silence
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A burst waits its turn: gRPC's own limits (1,000 and 3,000) would cancel calls that no handler ever saw.
    ("grpc.server.max_pending_requests", 1 << 20),
    ("grpc.server.max_pending_requests_hard_limit", 1 << 20),
)
_CODES = {code.name: code for code in grpc.StatusCode}
_REFLECTION = ("/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/")

Headers = dict[str, Any]


class GrpcServer:
    """Serves a function's methods. `port` is what it listens on once `start` returned."""

    def __init__(self, function: Function, host: str | None, port: int) -> None:
        self._methods = [methods.find(path) for path in function.wiring.serves]
        self._server = grpc.aio.server(options=OPTIONS)
        services = sorted({method.service for method in self._methods})
        self._health = Health(services)
        for service in services:
            handlers = {
                each.path.partition("/")[2]: _handler(function, each)
                for each in self._methods
                if each.service == service
            }
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._server.add_generic_rpc_handlers((self._health.handler(), _Reflection([*services, NAME])))
        self.port = self._bind(host, port)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Say NOT_SERVING, take no new call, let those under way finish for up to `grace_s` seconds."""
        self._health.stop()
        await self._server.stop(grace_s)

    def _bind(self, host: str | None, port: int) -> int:
        """Raises OSError when the address cannot be had; gRPC itself does not say why."""
        address = f"[{host}]:{port}" if host and ":" in host else f"{host or '[::]'}:{port}"
        try:
            return self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(str(error)) from error


class _Reflection(grpc.GenericRpcHandler):
    """Reflection, loaded when somebody asks for it: it would be a third of the start-up time."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = services
        self._found: grpc.RpcMethodHandler[Any, Any] | None = None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        if not handler_call_details.method.startswith(_REFLECTION):
            return None
        if self._found is None:
            from grpc_reflection.v1alpha import reflection, reflection_pb2

            servicer = reflection.aio.ReflectionServicer([*self._services, reflection.SERVICE_NAME])
            self._found = grpc.stream_stream_rpc_method_handler(
                servicer.ServerReflectionInfo,
                request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
                response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
            )
        return self._found


def _handler(function: Function, method: Method) -> grpc.RpcMethodHandler[bytes, bytes]:
    """The method's handler on raw bytes: a receipt hashes what came, not what parsing and printing makes of it."""

    entry = _entry_of(function.wiring.serves) if method.path == contract.GENERIC_METHOD else None

    async def unary(raw: bytes, context: Any) -> bytes:
        try:
            arrival = _arrival(function, method, context, method.request.parse(raw), Received(raw))
            # From outside the chain a message has the call's id; over an edge it has one of its own.
            twin = entry if arrival.message == arrival.call else None
            if twin is not None:
                arrival.request = _asked(twin, arrival.request)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        arrival.raw = raw
        return await _answered(function, method, arrival, context, twin)

    async def stream(requests: AsyncIterator[bytes], context: Any) -> bytes:
        received = Received()
        incoming = Incoming(requests, method.request.parse, received)
        return await _answered(function, method, _arrival(function, method, context, incoming, received), context)

    return (
        grpc.stream_unary_rpc_method_handler(stream) if method.streams else grpc.unary_unary_rpc_method_handler(unary)
    )


def _entry_of(serves: Sequence[str]) -> Method | None:
    """The entry's method, if this is the entry: its handler takes that one's request, however it is asked."""
    return methods.find(contract.ENTRY_METHOD) if contract.ENTRY_METHOD in serves else None


def _asked(entry: Method, message: Message) -> Any:
    """The entry's request that says what a generic one does. Raises ValueError for what is no text."""
    try:
        return entry.request.proto(message)
    except TypeError as error:
        raise ValueError(str(error)) from error


async def _answered(
    function: Function, method: Method, arrival: Arrival, context: Any, twin: Method | None = None
) -> bytes:
    """`twin` is the entry's own method, where its handler was asked by the generic one."""

    def answer(handling: Handling, value: Any) -> bytes:
        if twin is not None and isinstance(value, twin.reply.make):
            value = twin.reply.content(value.SerializeToString())
        handling.answer = method.reply.serialize(value)
        said = value if isinstance(value, Message) else None
        if said is not None and said.status is not None and method.reply.name != methods.GENERIC:
            context.set_trailing_metadata(((contract.STATUS_KEY, str(said.status)),))
        pending = said is not None and said.content_type == contract.PENDING
        if (twin is not None or arrival.via == "entry") and value is not None and not pending:
            handling.replied(method.reply.content(handling.answer))
        return handling.answer

    try:
        return await function.handle(arrival, answer)
    except HandlingFailed as failed:
        # Said, not aborted: abort raises a second time through grpc, and costs more.
        context.set_code(_CODES[failed.code])
        context.set_details(failed.details)
        return b""


def _arrival(function: Function, method: Method, context: Any, request: Any, received: Received) -> Arrival:
    headers: Headers = dict(context.invocation_metadata() or ())
    sender = usable_id(headers.get(contract.SENDER_KEY)) or contract.CALLER
    told = request.vHiveMetadata if method.request.metadata and not method.streams else None
    known = identity(told) or identity(_bytes(headers.get(contract.METADATA_KEY)))
    call, metadata = known or fresh_identity(function.wiring.chain)
    # A function may call another's entry method, as vSwarm's driver does: that is an edge like any other.
    entry = method.path == contract.ENTRY_METHOD and sender == contract.CALLER
    return Arrival(
        via="entry" if entry else "call",
        call=call,
        message=call if entry else usable_id(headers.get(contract.MESSAGE_KEY)) or call,
        sender=sender,
        metadata=metadata,
        request=request,
        received=received,
        position=extract(headers),
        remaining_s=context.time_remaining,
        method=method.path,
        headers=headers,
    )


def _bytes(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) else None
