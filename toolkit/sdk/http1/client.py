"""The HTTP/1.1 client: a keep-alive pool per address, as many connections at once as there are requests.

May live here: sockets and waiting. May not: redirects, retries by status, content coding; that is policy.

A request is sent twice only when the first sending cannot have been heard: nothing of it was written, or its
method changes nothing (GET, HEAD, OPTIONS, TRACE) and a *reused* connection closed before any byte of an answer.
A POST that was written and not answered raises: whether it was handled, only the caller's protocol can know.
(Go's transport does the same.)
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from toolkit.sdk.http1.message import (
    MAX_BODY,
    MAX_HEADERS,
    Head,
    Headers,
    MessageError,
    Parser,
    Response,
    find,
    write_head,
)

_IDLE_PER_ADDRESS = 256
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"})


class Address(NamedTuple):
    """Where a connection goes."""

    host: str
    port: int
    tls: bool = False


class NotSentError(ConnectionError):
    """The connection was gone before anything of the request was written."""


class UnansweredError(ConnectionError):
    """The connection closed after the request was written and before an answer began; it may have been handled."""


class TruncatedError(ConnectionError):
    """The connection closed in the middle of an answer. `status` and `reason` are None while not even they had come."""

    def __init__(self, status: int | None = None, reason: str | None = None) -> None:
        super().__init__("unexpected EOF")
        self.status, self.reason = status, reason


@lru_cache(maxsize=4096)
def split_url(url: str) -> tuple[Address, bytes, bytes]:
    """Address, Host header and request target of an absolute http(s) URL; raises ValueError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an absolute http:// or https:// URL")
    tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(character <= " " or character == "\x7f" for character in target):
        raise ValueError(f"{url!r} holds characters that must be percent-encoded")
    host = parts.netloc.rpartition("@")[2].encode("idna" if not parts.netloc.isascii() else "ascii")
    return Address(parts.hostname, port or (443 if tls else 80), tls), host, target.encode()


class Client:
    """A pool of connections. `tls` is for https URLs; None: the system's trust store."""

    def __init__(self, *, max_body: int = MAX_BODY, tls: ssl.SSLContext | None = None) -> None:
        self._max_body, self._tls = max_body, tls
        self._idle: dict[Address, list[_Connection]] = {}
        self._all: set[_Connection] = set()
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
    ) -> Response:
        """Send one request, wait for its answer. Host and Content-Length are added where `headers` lack them.

        Raises ConnectionError (of which NotSentError, UnansweredError, TruncatedError, MessageError), TimeoutError, and
        ValueError for a URL or header that cannot be sent. A cancelled or timed-out request closes its connection.
        """
        address, host, target = split_url(url)
        head = list(headers)
        fixed = [] if find(tuple(head), b"host") is not None else [(b"Host", host)]
        if (body or method not in _WITHOUT_BODY) and find(tuple(head), b"content-length") is None:
            fixed.append((b"Content-Length", b"%d" % len(body)))
        message = write_head(b"%b %b HTTP/1.1" % (method.encode("ascii"), target), fixed + head) + body
        return await self.exchange(address, method, message, timeout_s=timeout_s)

    async def exchange(
        self, address: Address, method: str, message: bytes, *, timeout_s: float | None = None
    ) -> Response:
        """Send ready-made bytes: `request` without the making, for those who send the same head often."""
        if timeout_s is None:
            return await self._exchange(address, method, message)
        async with asyncio.timeout(timeout_s):
            return await self._exchange(address, method, message)

    async def close(self) -> None:
        """Close every connection; requests under way fail with UnansweredError."""
        self._closed = True
        self._idle.clear()
        for connection in tuple(self._all):
            connection.abort()
        await asyncio.sleep(0)

    async def _exchange(self, address: Address, method: str, message: bytes) -> Response:
        while True:
            connection, reused = await self._connection(address)
            try:
                response = await connection.send(method, message)
            except NotSentError:
                if reused:
                    continue
                raise
            except UnansweredError:
                if reused and method in _REPEATABLE:
                    continue
                raise
            if connection.reusable:
                self._release(address, connection)
            return response

    async def _connection(self, address: Address) -> tuple[_Connection, bool]:
        if self._closed:
            raise ConnectionError("the client is closed")
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.alive():
                return connection, True
            connection.abort()
        return await self._connect(address), False

    async def _connect(self, address: Address) -> _Connection:
        context = (self._tls or ssl.create_default_context()) if address.tls else None
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._all, self._max_body), address.host, address.port, ssl=context
            )
        except ConnectionError:
            raise
        except OSError as error:  # name resolution, unreachable network, TLS
            raise ConnectionError(f"cannot connect to {address.host}:{address.port}: {error}") from error
        return connection

    def _release(self, address: Address, connection: _Connection) -> None:
        idle = self._idle.setdefault(address, [])
        if self._closed or len(idle) >= _IDLE_PER_ADDRESS:
            connection.abort()
        else:
            idle.append(connection)


class _Connection(asyncio.Protocol):
    __slots__ = ("_all", "_answer", "_begun", "_head", "_method", "_parser", "_poll", "_transport", "reusable")

    def __init__(self, everyone: set[_Connection], max_body: int) -> None:
        self._all = everyone
        self._parser = Parser(responses=True, max_body=max_body, max_headers=MAX_HEADERS)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._head: Head | None = None
        self._method = ""
        self._begun = False  # a byte of the answer has come
        self._poll = select.poll()
        self.reusable = False

    def alive(self) -> bool:
        """Whether an idle connection can still be used: open, and nothing (not even an end) waits to be read."""
        return self._transport is not None and not self._transport.is_closing() and not self._poll.poll(0)

    async def send(self, method: str, message: bytes) -> Response:
        if self._transport is None or self._transport.is_closing():
            raise NotSentError("the connection was closed")
        self._method, self._begun, self.reusable = method, False, False
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._answer = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._all.discard(self)
        if self._answer is None or self._answer.done():
            return
        if self._head is not None and self._head.length is None and exc is None:
            self._resolve(self._head, self._parser.rest())
            return
        problem: ConnectionError = UnansweredError("no answer came: EOF")
        if self._head is not None:
            problem = TruncatedError(int(self._head.start[1]), (self._head.start[2] or b"").decode("latin-1"))
        elif self._begun:
            problem = TruncatedError()
        problem.__cause__ = exc
        self._answer.set_exception(problem)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.abort()  # an answer nobody asked for: this connection cannot be trusted any more
            return
        self._begun = True
        self._parser.feed(data)
        try:
            self._read()
        except MessageError as problem:
            self._answer.set_exception(problem)
            self.abort()

    def _read(self) -> None:
        while (head := self._head or self._parser.head()) is not None:
            if head.start[1][:1] == b"1" and head.start[1] != b"101":
                continue  # 100 Continue, 103 Early Hints: the answer is still to come
            if self._method == "HEAD":
                head.length = 0
            body = self._parser.body(head.length)
            if body is None:
                self._head = head
                if head.length is None and self._parser.waiting > self._parser.max_body:
                    raise MessageError(502, "the answer is larger than allowed")
            else:
                self._resolve(head, body)
            return

    def _resolve(self, head: Head, body: bytes) -> None:
        assert self._answer is not None
        self._head = None
        self.reusable = not head.close and self._parser.empty and self._transport is not None
        if not self.reusable and self._transport is not None:
            self._transport.close()
        self._answer.set_result(Response(int(head.start[1]), _headers(head), body))


def _headers(head: Head) -> Headers:
    """What came, without the framing that is no longer true: the body is dechunked."""
    if head.length != -1:
        return head.headers
    return tuple(header for header in head.headers if header[0].lower() != b"transfer-encoding")
