"""How much of itself the store lets others use: connections, requests at once, bytes that wait, and time.

May live here: what stands between the listening socket and the requests' handler. Without it, peers that send slowly,
many at once, or nothing at all would take memory and connections from who sends spans. Who asks too much is told 429
with Retry-After, after which exporters send again; nothing is dropped without a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.engines.tracestore.bodies import Refusal
from toolkit.sdk import http1
from toolkit.sdk.http1 import Handler, Request, Response
from toolkit.sdk.http1.message import MAX_HEADERS, REASONS, write_head
from toolkit.sdk.http1.server import Connection

RETRY_AFTER_S = 1
RETRY_AFTER = (b"Retry-After", b"%d" % RETRY_AFTER_S)
_SMALL_ANSWER = 64 << 10  # bytes; so much of every connection's is no matter
_LINGER_S = 0.5  # in which a refused peer may go on sending, so that it gets to read why


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. What is sent counts in bytes from its arrival until it is answered."""

    connections: int = 1000
    posts: int = 128  # being read and stored at once
    questions: int = 256  # being answered at once
    waiting_bytes: int = 128 << 20  # of all requests together
    answer_bytes: int = 256 << 20  # of all large answers that have not been taken; one alone may be larger
    request_s: float = 30.0  # from a request's first byte to its last
    answer_s: float = 120.0  # from its last byte until the answer has been taken
    idle_s: float = 300.0  # between requests


@dataclass(slots=True)
class Usage:
    """What is in use now, and how often somebody was turned away."""

    connections: int = 0
    posts: int = 0
    questions: int = 0
    waiting_bytes: int = 0
    answer_bytes: int = 0
    refused: int = 0
    late: int = 0


@contextmanager
def room(usage: Usage, limits: Limits, size: int) -> Iterator[None]:
    """Within it, so many bytes more are waiting than came: what a body is once it is unpacked. Raises Refusal."""
    if usage.waiting_bytes + size > limits.waiting_bytes:
        usage.refused += 1
        raise Refusal(429, "too many bytes are waiting")
    usage.waiting_bytes += size
    try:
        yield
    finally:
        usage.waiting_bytes -= size


class Gate:
    """The handler in front of `handler`: turns away what is too much at once."""

    def __init__(self, handler: Handler, limits: Limits, usage: Usage) -> None:
        self._handler, self._limits, self._usage = handler, limits, usage

    async def __call__(self, request: Request) -> Response:
        usage, limits = self._usage, self._limits
        post = request.method == "POST"
        if usage.posts >= limits.posts if post else usage.questions >= limits.questions:
            usage.refused += 1
            return Response(429, (RETRY_AFTER, _TEXT), b"too many requests at once")
        self._count(1, post=post)
        try:
            return self._held(await self._handler(request))
        finally:
            self._count(-1, post=post)

    def _held(self, answer: Response) -> Response:
        """The answer, if there is room for it until its peer has taken it: that long, the request's task runs."""
        size, usage, task = len(answer.body), self._usage, asyncio.current_task()
        if size <= _SMALL_ANSWER or task is None:
            return answer
        if usage.answer_bytes and usage.answer_bytes + size > self._limits.answer_bytes:
            usage.refused += 1
            return Response(429, (RETRY_AFTER, _TEXT), b"too many answers are waiting to be taken; ask for less")

        def taken(_: object) -> None:
            usage.answer_bytes -= size

        usage.answer_bytes += size
        task.add_done_callback(taken)
        return answer

    def _count(self, change: int, *, post: bool) -> None:
        if post:
            self._usage.posts += change
        else:
            self._usage.questions += change


class Server(http1.Server):
    """An HTTP server within limits; made by `serve`."""

    def __init__(self, handler: Handler, max_body: int, limits: Limits, usage: Usage) -> None:
        self.limits, self.usage = limits, usage
        super().__init__(Gate(handler, limits, self.usage), max_body, MAX_HEADERS)

    def accepted(self) -> asyncio.Protocol:
        inner = super().accepted()
        assert isinstance(inner, Connection)
        return _Watched(inner, self.limits, self.usage)


async def serve(
    handler: Handler, host: str, port: int, *, max_body: int, limits: Limits, usage: Usage | None = None
) -> Server:
    """Listen on `host:port`, as `http1.serve` does; what is in use is counted in `usage`. Raises OSError."""
    server = Server(handler, max_body, limits, usage or Usage())
    await server.listen(host, port)
    return server


class _Watched(asyncio.Protocol):
    """One connection, on its way to `inner`, which knows HTTP: this knows bytes and time."""

    def __init__(self, inner: Connection, limits: Limits, usage: Usage) -> None:
        self._inner, self._limits, self._usage = inner, limits, usage
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watched: asyncio.Task[None] | None = None
        self._bytes = 0
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._usage.connections += 1
        self._inner.connection_made(transport)
        if self._usage.connections > self._limits.connections:
            self._refuse(429, "too many connections")
        else:
            self._within(self._limits.request_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._usage.connections -= 1
        self._release()
        self._within(None)
        self._inner.connection_lost(exc)

    def eof_received(self) -> None:
        self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if not self._bytes and self._watched is None:
            self._within(self._limits.request_s)
        self._bytes += len(data)
        self._usage.waiting_bytes += len(data)
        if self._usage.waiting_bytes > self._limits.waiting_bytes:
            self._refuse(429, "too many bytes are waiting")
            return
        self._inner.data_received(data)
        self._watch()

    def _watch(self) -> None:
        """Once the request is whole, its answer is what is waited for."""
        if self._watched is None and self._inner.task is not None:
            self._watched = self._inner.task
            self._watched.add_done_callback(self._answered)
            self._within(self._limits.answer_s)

    def _answered(self, _: object) -> None:
        self._watched = None
        if self._transport is None:
            return
        self._release()
        self._within(self._limits.idle_s)
        self._watch()

    def _release(self) -> None:
        self._usage.waiting_bytes -= self._bytes
        self._bytes = 0

    def _within(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._late)

    def _late(self) -> None:
        """Who has begun a request is told; who reads no answer, or sends nothing, is left."""
        self._usage.late += 1
        if self._transport is None:
            return
        if self._watched is not None:
            self._transport.abort()
        elif self._bytes:
            self._refuse(408, "the request did not come in time")
        else:
            self._transport.close()

    def _refuse(self, status: int, text: str) -> None:
        if self._transport is None:
            return
        self._refused = True
        self._usage.refused += status == 429
        self._release()
        if self._watched is not None:  # an answer to another request is on its way
            self._transport.abort()
            return
        headers = [_TEXT, (b"Content-Length", b"%d" % len(text)), (b"Connection", b"close")]
        if status == 429:
            headers.append(RETRY_AFTER)
        start = b"HTTP/1.1 %d %b" % (status, REASONS[status])
        self._transport.write(write_head(start, headers) + text.encode())
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._within(None)
        self._timer = asyncio.get_running_loop().call_later(_LINGER_S, self._transport.abort)


_TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
