"""The HTTP/1.1 server: one handler, one task per request, one request at a time per connection.

May live here: sockets and tasks. May not: routing, content, anything a handler can say itself.
A peer that leaves cancels its handler's task; a pipelined request waits for the answer before it.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import gmtime, time

from toolkit.sdk.http1.message import (
    MAX_BODY,
    MAX_HEADERS,
    REASONS,
    Head,
    MessageError,
    Parser,
    Request,
    Response,
    write_head,
)

Handler = Callable[[Request], Awaitable[Response]]

_STATUS_LINES = {status: b"HTTP/1.1 %d %b" % (status, reason) for status, reason in REASONS.items()}
_LINGER_S = 0.5  # as net/http's server: how long a refused peer may go on sending
_READ_AHEAD = 1 << 18  # bytes of pipelined requests that may wait before reading stops
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_date: tuple[int, bytes] = (0, b"")


def date() -> bytes:
    """Now, as a Date header says it; made once a second."""
    global _date
    now = int(time())
    if _date[0] != now:
        t = gmtime(now)
        day = f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year}"
        _date = (now, f"{day} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT".encode())
    return _date[1]


class Server:
    """A listening server; made by `serve`."""

    def __init__(self, handler: Handler, max_body: int, max_headers: int, patience_s: float | None = None) -> None:
        self.handler, self.max_body, self.max_headers = handler, max_body, max_headers
        self.patience_s = patience_s
        self.connections: set[Connection] = set()
        self.closing = False
        self.host, self.port = "", 0
        self._listener: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        # No reuse_port: a second server on the port must fail, not share it. (asyncio sets TCP_NODELAY by itself.)
        self._listener = await loop.create_server(
            self.accepted, host, port, backlog=1024, reuse_address=True, reuse_port=False
        )
        self.host, self.port = self._listener.sockets[0].getsockname()[:2]

    def accepted(self) -> asyncio.Protocol:
        """What serves a connection that came; a subclass may stand between it and the peer."""
        return Connection(self)

    async def drain(self) -> None:
        """Stop listening and taking requests, and wait until the running handlers have answered."""
        await self._stop_listening()
        for connection in tuple(self.connections):
            connection.finish()
        if running := self._running():
            await asyncio.wait(running)

    async def close(self, grace_s: float = 0.0) -> None:
        """Stop listening, let running handlers answer for up to `grace_s` seconds, then cancel them."""
        await self._stop_listening()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self.drain()
        running = self._running()
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        for connection in tuple(self.connections):
            connection.abort()

    async def _stop_listening(self) -> None:
        """A connection that asyncio has just accepted must become ours first: closed under it, it would leak."""
        self.closing = True
        listener = self._listener
        if listener is None or not listener.is_serving():
            return
        for each in listener.sockets:
            asyncio.get_running_loop().remove_reader(each)
        await asyncio.sleep(0)  # it is made
        await asyncio.sleep(0)  # and `connection_made`
        listener.close()

    def _running(self) -> list[asyncio.Task[None]]:
        return [connection.task for connection in self.connections if connection.task is not None]


async def serve(
    handler: Handler,
    host: str,
    port: int,
    *,
    max_body: int = MAX_BODY,
    max_headers: int = MAX_HEADERS,
    patience_s: float | None = None,
) -> Server:
    """Listen on `host:port` (port 0: any free one; see `Server.port`); raises OSError when that cannot be had.

    A handler that raises is answered for with 500 and named on stderr; larger bodies and heads get 413 and 431, and a
    request that has not come whole `patience_s` seconds after it began 408 (None: it may take for ever, as net/http's).
    """
    server = Server(handler, max_body, max_headers, patience_s)
    await server.listen(host, port)
    return server


class Connection(asyncio.Protocol):
    __slots__ = (
        *("_continued", "_head", "_parser", "_paused", "_refused", "_resumed", "_server", "_transport", "task"),
        "_deadline",
    )

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = Parser(responses=False, max_body=server.max_body, max_headers=server.max_headers)
        self._transport: asyncio.Transport | None = None
        self._head: Head | None = None  # of a request whose body is still coming
        self._continued = False
        self._paused = False
        self._refused = False
        self._resumed: asyncio.Event | None = None  # set while the peer takes what we write
        self._deadline: asyncio.TimerHandle | None = None  # of a request that has come in part
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._in_time()
        self._server.connections.discard(self)
        self.resume_writing()
        if self.task is not None:
            self.task.cancel()

    def eof_received(self) -> None:
        """The peer is gone, as net/http sees it: asyncio closes the transport, which cancels the handler."""

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._parser.feed(data)
        if self.task is None:
            self._next()
        elif self._parser.waiting > _READ_AHEAD and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True

    def pause_writing(self) -> None:
        self._resumed = asyncio.Event()

    def resume_writing(self) -> None:
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    def finish(self) -> None:
        """Take no further request; close now if none is running."""
        if self.task is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        """Start the next request if all of it is there."""
        try:
            head = self._head or self._parser.head()
            if head is None:
                self._hurry()
                return
            body = self._parser.body(head.length)
        except MessageError as problem:
            self._refuse(problem)
            return
        if body is None:
            self._hurry()
            self._head = head
            if head.expects_continue and not self._continued and self._transport is not None:
                self._continued = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._in_time()
        self._head, self._continued = None, False
        request = Request(head.start[0].decode("ascii"), head.start[1].decode("latin-1"), head.headers, body)
        self.task = asyncio.get_running_loop().create_task(self._answer(request, head.close, head.minor))

    def _hurry(self) -> None:
        """The rest of the request has to come in time."""
        patience_s = self._server.patience_s
        if patience_s is not None and self._deadline is None:
            late = MessageError(408)
            self._deadline = asyncio.get_running_loop().call_later(patience_s, self._refuse, late)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    async def _answer(self, request: Request, close: bool, minor: int) -> None:
        try:
            response = await self._server.handler(request)
        except asyncio.CancelledError:
            self.abort()
            raise
        except MessageError as problem:
            self._refuse(problem)
            return
        except Exception:  # the boundary: a handler's bug is one failed request, named, not a dead server
            traceback.print_exc(file=sys.stderr)
            response, close = Response(500), True
        if self._transport is None:
            return
        close = close or self._server.closing
        self._write(request.method, minor, response, close)
        del response  # the transport has it: a slow peer's is held once
        if self._resumed is not None:
            with suppress(asyncio.CancelledError):
                await self._resumed.wait()
        self.task = None
        if self._refused:
            return
        if close:
            if self._transport is not None:
                self._transport.close()
            return
        if self._paused and self._transport is not None:
            self._transport.resume_reading()
            self._paused = False
        if not self._parser.empty:
            self._next()

    def _write(self, method: str, minor: int, response: Response, close: bool) -> None:
        assert self._transport is not None
        status, body = response.status, response.body
        start = _STATUS_LINES.get(status) or b"HTTP/1.1 %d status code %d" % (status, status)
        headers = [*response.headers, (b"Date", date())]
        if status == 204 or status == 304 or status < 200:
            body = b""
        elif (body or method != "HEAD") and response.header(b"content-length") is None:
            headers.append((b"Content-Length", b"%d" % len(body)))
        if minor == 0:
            start = start.replace(b"HTTP/1.1", b"HTTP/1.0", 1)  # it ends with the connection; no need to say so
        elif close:
            headers.append((b"Connection", b"close"))
        try:
            head = write_head(start, headers)
        except ValueError:
            traceback.print_exc(file=sys.stderr)
            self._refuse(MessageError(500))
            return
        self._transport.write(head if method == "HEAD" else head + body)

    def _refuse(self, problem: MessageError) -> None:
        """Answer as net/http does for a request that never reaches a handler, and part."""
        if self._transport is None:
            return
        reason = REASONS[problem.status] + (b": " + problem.text.encode() if problem.text else b"")
        fixed = ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Connection", b"close"))
        text = b"%d %b" % (problem.status, reason)
        self._transport.write(write_head(b"HTTP/1.1 " + text, fixed) + text)
        # Go on reading for a moment: closing on unread bytes would reset the connection under the answer.
        self._refused = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_S, self.abort)
