"""Stands where a function is called, starts it when a request comes, and passes the bytes on: an activator, emulated.

May live here: one port's connections. May not: how a function is started (`sleeper`).

Like a platform's ingress it takes connections while nobody is behind it. A gRPC client holds a connection for ready
once it has the server's SETTINGS (RFC 9113, 3.4), so it gets empty ones; the client's answer to those is none of the
function's business and is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from toolkit.engines.local.layout import LOOPBACK
from toolkit.errors import EngineError

PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
EMPTY_SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
FRAME_HEADER = 9
SETTINGS, HEADERS, ACK = 4, 1, 1
CHUNK = 64 << 10

Wake = Callable[[], Awaitable[None]]


class Opening:
    """How an HTTP/2 client begins, without its answer to our SETTINGS. `requested` once a request has begun."""

    def __init__(self) -> None:
        self._rest, self._skip, self._answered = b"", PREFACE, False
        self.requested = False

    def feed(self, data: bytes) -> bytes:
        """What of it the function is to get."""
        if self.requested and self._answered and not self._rest:
            return data
        self._rest += data
        passed = b""
        while (frame := self._next()) is not None:
            kind, flags = (frame[3], frame[4]) if not self._skip else (None, 0)
            self._skip = 0
            if kind == SETTINGS and flags & ACK and not self._answered:
                self._answered = True
                continue
            self.requested = self.requested or kind == HEADERS
            passed += frame
        return passed

    def _next(self) -> bytes | None:
        """The preface, then frame by frame; None until it is whole."""
        if self._skip:
            length = self._skip
        elif len(self._rest) < FRAME_HEADER:
            return None
        else:
            length = FRAME_HEADER + int.from_bytes(self._rest[:3], "big")
        if len(self._rest) < length:
            return None
        frame, self._rest = self._rest[:length], self._rest[length:]
        return frame


class AtOnce:
    """An HTTP/1.1 client's first bytes are a request."""

    requested = False

    def feed(self, data: bytes) -> bytes:
        self.requested = True
        return data


class Activator:
    """`wake` returns once the function is ready at the port `own` of loopback. Raises EngineError when it never is."""

    def __init__(self, own: int, wake: Wake, *, grpc: bool) -> None:
        self._own, self._wake, self._grpc = own, wake, grpc
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, public: int) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, public)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        with contextlib.suppress(OSError, EngineError, asyncio.CancelledError):  # the client is told by the end of it
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opening: Opening | AtOnce = Opening() if self._grpc else AtOnce()
        if self._grpc:
            writer.write(EMPTY_SETTINGS)
        held = b""
        while not opening.requested:
            if not (data := await reader.read(CHUNK)):
                return
            held += opening.feed(data)
        await self._wake()
        answers, behind = await asyncio.open_connection(LOOPBACK, self._own)
        behind.write(held)
        ways = (_pump(reader, behind, opening.feed), _pump(answers, writer, bytes))
        pumps = [asyncio.create_task(each) for each in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            behind.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, through: Callable[[bytes], bytes]) -> None:
    while data := await reader.read(CHUNK):
        writer.write(through(data))
        await writer.drain()
