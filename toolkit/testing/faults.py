"""Faults that stand on the wire between two functions and pass on what they are given, changed.

Each fault is a pure function from one message to the messages that go on; `between_calls` and `between_events` put it
in front of a function of the local engine: `LocalEngine(intercept={"consumer": between_calls(corrupt)})`. Answers
can be changed on their way back: `between_calls(untouched, answers=padded)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import grpc
import grpc.aio

from toolkit.engines.local.engine import Intercept
from toolkit.sdk import http1

LOOPBACK = "127.0.0.1"
TRACE_HEADERS = ("traceparent", "tracestate", "ce-traceparent", "ce-tracestate", "b3", "x-b3-")
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0))


@dataclass(frozen=True, slots=True)
class Passing:
    """One message on its way: headers (gRPC metadata or HTTP headers, names in lower case) and body."""

    headers: tuple[tuple[str, str | bytes], ...]
    body: bytes


Fault = Callable[[Passing], Sequence[Passing]]


def untouched(passing: Passing) -> Sequence[Passing]:
    """Nothing happens to it."""
    return [passing]


def padded(passing: Passing) -> Sequence[Passing]:
    """Adds a field that no message of ours has (number 2047, zero): it still parses, and means the same."""
    return [replace(passing, body=passing.body + b"\xf8\x7f\x00")]


def corrupt(passing: Passing) -> Sequence[Passing]:
    """Flips one bit of the last byte."""
    if not passing.body:
        return [passing]
    return [replace(passing, body=passing.body[:-1] + bytes([passing.body[-1] ^ 1]))]


def twice(passing: Passing) -> Sequence[Passing]:
    """Delivers it a second time."""
    return [passing, passing]


def without_trace(passing: Passing) -> Sequence[Passing]:
    """Drops everything that carries the trace context."""
    return [replace(passing, headers=tuple(each for each in passing.headers if not each[0].startswith(TRACE_HEADERS)))]


def between_calls(fault: Fault, answers: Fault = untouched) -> Intercept:
    """A gRPC proxy for every unary method, on loopback; the last answer of the far side is given back.

    `answers` is what happens to that answer (it has no headers); the last message that it makes is what goes back.
    """

    async def start(listen: int, backend: int) -> _CallProxy:
        proxy = _CallProxy(fault, answers, backend)
        await proxy.start(listen)
        return proxy

    return start


def between_events(fault: Fault) -> Intercept:
    """An HTTP/1.1 proxy on loopback; the last answer of the far side is given back."""

    async def start(listen: int, backend: int) -> _EventProxy:
        proxy = _EventProxy(fault, backend)
        await proxy.start(listen)
        return proxy

    return start


class _CallProxy(grpc.GenericRpcHandler):
    def __init__(self, fault: Fault, answers: Fault, backend: int) -> None:
        self._fault, self._answers = fault, answers
        self._channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{backend}", options=UNLIMITED)
        self._server = grpc.aio.server(options=UNLIMITED)

    async def start(self, port: int) -> None:
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"{LOOPBACK}:{port}")
        await self._server.start()

    async def close(self) -> None:
        await self._server.stop(None)
        await self._channel.close()

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method

        async def pass_on(request: bytes, context: Any) -> bytes:
            headers = tuple((key, value) for key, value in context.invocation_metadata() if key != "user-agent")
            answer = b""
            for passing in self._fault(Passing(headers, request)):
                answer = await self._call(method, passing, context)
            return self._answers(Passing((), answer))[-1].body

        return grpc.unary_unary_rpc_method_handler(pass_on)

    async def _call(self, method: str, passing: Passing, context: Any) -> bytes:
        call: Any = self._channel.unary_unary(method)
        try:
            answer: bytes = await call(passing.body, metadata=passing.headers, timeout=context.time_remaining())
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")
        return answer


class _EventProxy:
    def __init__(self, fault: Fault, backend: int) -> None:
        self._fault, self._backend = fault, backend
        self._client = http1.Client()
        self._server: http1.Server | None = None

    async def start(self, port: int) -> None:
        self._server = await http1.serve(self._pass_on, LOOPBACK, port)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close(0.0)
        await self._client.close()

    async def _pass_on(self, request: http1.Request) -> http1.Response:
        headers = tuple((name.decode("latin-1").lower(), value) for name, value in request.headers)
        kept = tuple(each for each in headers if each[0] not in ("host", "content-length", "connection"))
        answer = http1.Response(502)
        for passing in self._fault(Passing(kept, request.body)):
            answer = await self._send(request, passing)
        return answer

    async def _send(self, request: http1.Request, passing: Passing) -> http1.Response:
        url = f"http://{LOOPBACK}:{self._backend}{request.target}"
        headers = [(name.encode("latin-1"), _bytes(value)) for name, value in passing.headers]
        answer = await self._client.request(request.method, url, headers, passing.body)
        kept = tuple(each for each in answer.headers if each[0].lower() not in (b"content-length", b"connection"))
        return http1.Response(answer.status, kept, answer.body)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


class BlackHole:
    """An HTTP server that takes every event, says 202, and does nothing: a sink that is somebody else's."""

    def __init__(self) -> None:
        self._server: http1.Server | None = None
        self.taken = 0

    async def __aenter__(self) -> BlackHole:
        self._server = await http1.serve(self._take, LOOPBACK, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.close(0.0)

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the black hole is used before it was entered")
        return f"http://{LOOPBACK}:{self._server.port}/"

    async def _take(self, request: http1.Request) -> http1.Response:
        self.taken += 1
        return http1.Response(202)
