"""Streams of gRPC messages, through grpc.aio: what a call looks like, and what carries it.

May live here: server-, client- and bidirectional streaming as `Lines`, so that the loop of every load drives them.
May not: unary calls (`client`), schedules, records.

A call sends all its messages, as fast as flow control lets it, and is over with the last one that comes back; its first
byte is the first message. grpc.aio needs an event loop: it runs here only while the load's loop waits in `step`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import grpc
import grpc.aio

from toolkit.load.http2.stream import Ended
from toolkit.load.sendable import Heads
from toolkit.load.target import Target
from toolkit.load.timer import Timer
from toolkit.results import Load

Kind = Literal["server", "client", "bidi"]
Metadata = Sequence[tuple[str, str | bytes]]
SECOND = 1_000_000_000
DIAL_S = 5.0
EARLY_NS = 150_000  # yielded away behind a timerfd
MOST_REPLY = 64 * 1024 * 1024  # bytes of all messages of an answer; a longer one ends its call
OPTIONS = (
    ("grpc.enable_retries", 0),  # a retried call would hide a failed one
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # each channel has a connection of its own
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),
)


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A call of a streaming method: `messages` as protobuf bytes, of which a server stream takes exactly one."""

    target: Target
    kind: Kind
    messages: Sequence[bytes]
    headers: Metadata = ()
    authority: str | None = None

    @property
    def body(self) -> bytes:
        """Nothing: `Streams` knows the messages, which may be larger together than memory."""
        return b""

    @property
    def size(self) -> int:
        return sum(map(len, self.messages))

    def lines(self, load: Load, connections: int | None) -> Streams:
        return Streams(self, connections or 1)

    def heads(self, load: Load) -> Heads:
        return lambda context: context


class Streams:
    """Calls of one streaming method over some connections. `received` is how many messages came back. To be closed."""

    def __init__(self, request: StreamRequest, connections: int) -> None:
        self._request, self._connections, self._clock = request, connections, time.monotonic_ns
        self._loop = asyncio.new_event_loop()
        self._channels: list[grpc.aio.Channel] = []
        self._methods: list[Any] = []  # a multi-callable of each channel: their types are grpc's own
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._ended: list[Ended] = []
        self._timer = Timer()
        self._woken: asyncio.Future[None] | None = None
        if self._timer.descriptor is not None:
            self._loop.add_reader(self._timer.descriptor, self._ring)
        self._turn = self.received = 0

    @property
    def in_flight(self) -> int:
        """Calls that were submitted and have not ended."""
        return len(self._flying)

    def dial(self) -> str | None:
        """Connects; None once every connection stands, or the reason."""
        target = self._request.target
        try:
            socket.create_connection((target.host, target.port), DIAL_S).close()  # grpc.aio does not tell why
        except OSError as error:
            return error.strerror or str(error)
        if self._loop.run_until_complete(self._dial()):
            return None
        return f"{target.authority} speaks no HTTP/2, or not in time"

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        """Begins a call with this trace context; `message` is left aside: what is sent is the request's messages."""
        method = self._methods[self._turn]
        self._turn = (self._turn + 1) % len(self._methods)
        self._flying[token] = self._loop.create_task(self._call(token, method, block.decode(), deadline_ns))

    def step(self, until_ns: int) -> list[Ended]:
        """Works until something ended or `until_ns` has come; what ended."""
        self._loop.run_until_complete(self._wait(until_ns))
        ended, self._ended = self._ended, []
        return ended

    def give_up(self, status: str, why: str) -> list[Ended]:
        """Ends everything that is under way."""
        now_ns, tasks = self._clock(), list(self._flying.values())
        self._ended += [Ended(token, status, why, None, None, now_ns) for token in self._flying]
        self._flying.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        if self._flying:
            self.give_up("CANCELLED", "closed")
        for channel in self._channels:
            self._loop.run_until_complete(channel.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        if self._timer.descriptor is not None:
            self._loop.remove_reader(self._timer.descriptor)
        self._timer.close()
        self._loop.close()

    async def _dial(self) -> bool:
        request = self._request
        options: list[tuple[str, int | str]] = list(OPTIONS)
        if request.authority is not None:
            options.append(("grpc.default_authority", request.authority))
        for _ in range(self._connections):
            channel = grpc.aio.insecure_channel(request.target.authority, options)
            self._channels.append(channel)
            make: dict[Kind, Callable[[str], Any]] = {
                "server": channel.unary_stream,
                "client": channel.stream_unary,
                "bidi": channel.stream_stream,
            }
            self._methods.append(make[request.kind](request.target.method))
        try:
            async with asyncio.timeout(DIAL_S):
                for channel in self._channels:
                    await channel.channel_ready()
        except TimeoutError:
            return False
        return True

    async def _call(self, token: int, method: Any, context: str, deadline_ns: int) -> None:
        pieces: list[bytes] = []
        first_ns = None
        status, words = "OK", ""
        try:
            async with contextlib.aclosing(self._messages(method, context, deadline_ns)) as messages:
                async for message in messages:
                    first_ns = first_ns or self._clock()
                    pieces.append(message)
        except grpc.aio.AioRpcError as error:
            status, words = error.code().name, error.details() or ""
        except _TooMuch:
            status, words = "RESOURCE_EXHAUSTED", f"an answer of more than {MOST_REPLY} bytes"
        except Exception as error:  # one call becomes one record, whatever it was that failed
            status, words = "INTERNAL", f"{type(error).__name__}: {error}"
        if self._flying.pop(token, None) is not None:
            reply = b"".join(pieces) if status == "OK" else None
            self._ended.append(Ended(token, status, words, reply, first_ns, self._clock(), messages=len(pieces)))
            self._wake()

    async def _messages(self, method: Any, context: str, deadline_ns: int) -> AsyncGenerator[bytes, None]:
        request = self._request
        sent = request.messages[0] if request.kind == "server" else iter(request.messages)
        metadata = (*request.headers, ("traceparent", context))
        call = method(sent, timeout=max(0.0, (deadline_ns - self._clock()) / SECOND), metadata=metadata)
        size = 0
        try:
            async for message in _answers(request.kind, call):
                size += len(message)
                if size > MOST_REPLY:
                    raise _TooMuch
                self.received += 1
                yield message
        finally:
            call.cancel()  # nothing happens once it is over

    async def _wait(self, until_ns: int) -> None:
        await asyncio.sleep(0)  # what was submitted begins
        if not self._ended and until_ns - EARLY_NS > self._clock():
            self._woken = self._loop.create_future()
            handle = None
            if not self._timer.set(until_ns - EARLY_NS):
                handle = self._loop.call_later((until_ns - self._clock()) / SECOND, self._wake)
            await self._woken
            self._woken = None
            if handle is not None:
                handle.cancel()
        while not self._ended and self._clock() < until_ns:  # noqa: ASYNC110 - for a moment, which no Event tells
            await asyncio.sleep(0)

    def _ring(self) -> None:
        self._timer.ring()
        self._wake()

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)


class _TooMuch(Exception):
    """More came back than is kept."""


async def _answers(kind: Kind, call: Any) -> AsyncGenerator[bytes, None]:
    if kind == "client":
        yield await call
        return
    async for message in call:
        yield message
