"""What an HTTP/1.1 request of a load looks like: all of it the same each time, but for the trace context.

May live here: the head's bytes, and which headers may be in it. May not: sockets, clocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.errors import UsageError
from toolkit.load.http1.client import Client
from toolkit.load.sendable import Heads
from toolkit.load.share import MOST_CONNECTIONS
from toolkit.load.target import Url
from toolkit.results import Load

Header = tuple[bytes, bytes]
AT_FIRST = 8  # connections that an open loop has before it begins
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OURS = {
    "host": "write --authority",
    "content-length": "it follows from the body",
    "transfer-encoding": "a body is sent with its length",
    "traceparent": "each call has one of its own, drawn from --seed",
    "expect": "a body is sent at once",
    "upgrade": "nothing but HTTP/1.1 is spoken",
    "te": "trailers are not read",
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`headers` are beside those that HTTP itself needs; `authority` is asked for instead of the target's host."""

    target: Url
    method: str = "GET"
    body: bytes = b""
    headers: Sequence[Header] = ()
    authority: str | None = None

    def lines(self, load: Load, connections: int | None) -> Client:
        """`connections` None: as many as calls are open at once, whatever that comes to."""
        first, most = _connections(load, connections)
        return Client((self.target.host, self.target.port), self.method, first=first, most=most)

    def heads(self, load: Load) -> Heads:
        before = before_the_context(self, self.headers) + b"traceparent: "
        return lambda context: b"%b%b\r\n\r\n" % (before, context)


def before_the_context(request: HttpRequest, headers: Sequence[Header]) -> bytes:
    """The head up to these headers, without the empty line."""
    fields = [(b"Host", (request.authority or request.target.authority).encode())]
    if not any(name.lower() == b"user-agent" for name, _ in headers):
        fields.append((b"User-Agent", b"kn-bench"))
    if request.body or request.method not in WITHOUT_BODY:
        fields.append((b"Content-Length", b"%d" % len(request.body)))
    start = f"{request.method} {request.target.path} HTTP/1.1\r\n".encode()
    return start + b"".join(b"%b: %b\r\n" % field for field in (*fields, *headers))


def see_that_it_is_a_method(text: str) -> None:
    """Raises UsageError."""
    if not _TOKEN.fullmatch(text):
        raise UsageError(f"--method {text!a}: no name of a method", next_step="write GET, POST or the like")
    if text == "CONNECT":
        raise UsageError("--method CONNECT: makes a tunnel, of which nothing could be measured")


def see_that_it_is_a_header(name: str, value: str) -> None:
    """Raises UsageError for what would break the head apart, and for what only the sender can say."""
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"--header {name[:60]!a}: no name of a header", next_step="write --header name=value")
    if not value.isascii() or not (value.isprintable() or not value):
        what = "holds more than printable ASCII"
        raise UsageError(f"--header {name}: its value {what}", next_step="write --header name=value")
    if (why := _OURS.get(name.lower())) is not None:
        raise UsageError(f"--header {name}: not to be set: {why}")
    if name.lower() == "connection" and value.lower() not in ("close", "keep-alive"):
        raise UsageError(f"--header connection={value}: close is the only word that means something here")


def _connections(load: Load, asked: int | None) -> tuple[int, int]:
    """At first, and at most."""
    if asked is not None:
        return asked, asked
    if load.concurrency is not None:
        most = min(load.concurrency, MOST_CONNECTIONS)
        return most, most
    return AT_FIRST, MOST_CONNECTIONS
