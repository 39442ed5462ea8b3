"""HTTP/1.1 messages: the two values everybody passes along, and the bytes they are on the wire.

May live here: parsing and writing heads and bodies, without a socket. What a receiver must see exactly is kept exactly:
the raw target, the bytes of every header, their case, order and repetition. Source: RFC 9112; where it leaves a
choice, the choice is Go's net/http, because that is what Knative's data plane is made of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Headers = tuple[tuple[bytes, bytes], ...]

MAX_HEADERS = 1 << 20  # bytes of a head; Go's http.DefaultMaxHeaderBytes
MAX_BODY = 256 << 20  # bytes; the real ingress has no limit, a process on one machine needs one

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# Possessive: a blank may separate or be the value's own; trying both for each is quadratic where a line ends badly.
_FIELDS = re.compile(rb"(?m)^(" + _TOKEN + rb"):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)\r\n")
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([^ \r\n\x00-\x1f\x7f]+) HTTP/1\.([01])\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n]*))?\r\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?")

REASONS = {
    100: b"Continue", 101: b"Switching Protocols", 200: b"OK", 201: b"Created", 202: b"Accepted",
    203: b"Non-Authoritative Information", 204: b"No Content", 205: b"Reset Content", 206: b"Partial Content",
    300: b"Multiple Choices", 301: b"Moved Permanently", 302: b"Found", 303: b"See Other", 304: b"Not Modified",
    307: b"Temporary Redirect", 308: b"Permanent Redirect", 400: b"Bad Request", 401: b"Unauthorized",
    402: b"Payment Required", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed",
    406: b"Not Acceptable", 408: b"Request Timeout", 409: b"Conflict", 410: b"Gone", 411: b"Length Required",
    412: b"Precondition Failed", 413: b"Request Entity Too Large", 414: b"Request URI Too Long",
    415: b"Unsupported Media Type", 417: b"Expectation Failed", 418: b"I'm a teapot", 422: b"Unprocessable Entity",
    425: b"Too Early", 429: b"Too Many Requests", 431: b"Request Header Fields Too Large",
    500: b"Internal Server Error", 501: b"Not Implemented", 502: b"Bad Gateway", 503: b"Service Unavailable",
    504: b"Gateway Timeout", 505: b"HTTP Version Not Supported",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in. `target` is the raw request target (latin-1), `headers` are as on the wire."""

    method: str
    target: str
    headers: Headers
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, in whatever case."""
        return find(self.headers, name)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. A server adds Date, Content-Length and Connection; a client hands over what came, body dechunked."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, in whatever case."""
        return find(self.headers, name)


class MessageError(ConnectionError):
    """The peer did not speak HTTP/1.1 that we understand; `status` is what a server answers it with.

    A handler may raise it, too, for a request it finds malformed: it is answered as one that never reached a handler.
    """

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text or REASONS[status].decode())
        self.status, self.text = status, text


def find(headers: Headers, name: bytes) -> bytes | None:
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


@dataclass(slots=True)
class Head:
    """A parsed head and what it says about the body: `length` in bytes, None until the peer closes, -1 chunked."""

    start: tuple[bytes, ...]  # request: method, target, minor version; response: minor version, status, reason
    headers: Headers
    length: int | None = 0
    close: bool = False
    minor: int = 1  # of the version: HTTP/1.0 or HTTP/1.1
    expects_continue: bool = False


class Parser:
    """Makes messages out of bytes as they come; `feed`, then ask `head` and, once there is one, `body`.

    Bytes of a next message stay inside for the next round. Holds nothing but bytes: no socket, no clock.
    """

    __slots__ = ("_at", "_chunk", "_parts", "_pending", "_seen", "_size", "max_body", "max_headers", "responses")

    def __init__(self, *, responses: bool, max_body: int = MAX_BODY, max_headers: int = MAX_HEADERS) -> None:
        self.responses, self.max_body, self.max_headers = responses, max_body, max_headers
        self._pending: bytes | bytearray = b""
        self._at = 0  # read so far
        self._seen = 0  # searched for the end of a head so far
        self._parts: list[bytes] = []  # the chunks of a body so far
        self._size = 0  # bytes of them, with the current one
        self._chunk = -1  # bytes left of the current chunk; -1 a size line comes next, -2 the trailer

    @property
    def empty(self) -> bool:
        """Nothing is waiting: the peer is between two messages."""
        return self._at >= len(self._pending)

    @property
    def waiting(self) -> int:
        """Bytes held that no message has taken yet."""
        return len(self._pending) - self._at

    def feed(self, data: bytes) -> None:
        if self._at >= len(self._pending):
            self._pending, self._at, self._seen = data, 0, 0
            return
        if not isinstance(self._pending, bytearray):
            self._pending = bytearray(self._pending)
        if self._at > 65536:  # amortised: what was read goes away before what comes is put behind it
            del self._pending[: self._at]
            self._seen, self._at = max(0, self._seen - self._at), 0
        self._pending += data

    def head(self) -> Head | None:
        """The next head, or None when it is not complete yet; raises MessageError."""
        pending = self._pending
        while pending[self._at : self._at + 2] == b"\r\n":  # RFC 9112 2.2: empty lines before a message
            self._at += 2
        end = pending.find(b"\r\n\r\n", max(self._at, self._seen - 3))
        if (len(pending) if end < 0 else end) - self._at > self.max_headers + 4096:  # Go's slop
            raise MessageError(431)
        if end < 0:
            self._seen = len(pending)
            return None
        text = bytes(pending[self._at : end + 2])
        self._at, self._seen = end + 4, 0
        return (_response_head if self.responses else _request_head)(text)

    def body(self, length: int | None) -> bytes | None:
        """The body of the head just taken, or None when it is not complete yet (always, while `length` is None)."""
        if length == 0:
            return b""
        if length == -1:
            return self._chunked()
        if length is None:
            return None
        if length > self.max_body:
            raise MessageError(413)
        if len(self._pending) - self._at < length:
            return None
        return self._take(length)

    def rest(self) -> bytes:
        """Everything that is there: the body of a response that ends with its connection."""
        return self._take(len(self._pending) - self._at)

    def _take(self, size: int) -> bytes:
        found = bytes(self._pending[self._at : self._at + size])
        self._at += size
        return found

    def _chunked(self) -> bytes | None:
        while True:
            if self._chunk >= 0:
                if len(self._pending) - self._at < self._chunk + 2:
                    return None
                self._parts.append(self._take(self._chunk))
                if self._take(2) != b"\r\n":
                    raise MessageError(400, "malformed chunked encoding")
                self._chunk = -1
            line = self._line()
            if line is None:
                return None
            if self._chunk == -2:  # trailers are read and dropped
                if line:
                    continue
                body = b"".join(self._parts)
                self._parts, self._size, self._chunk = [], 0, -1
                return body
            self._open_chunk(line)

    def _open_chunk(self, line: bytes) -> None:
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise MessageError(400, "malformed chunked encoding")
        size = int(found[1], 16)
        self._size += size
        self._chunk = size or -2
        if self._size > self.max_body:
            raise MessageError(413)

    def _line(self) -> bytes | None:
        end = self._pending.find(b"\r\n", self._at)
        if (len(self._pending) if end < 0 else end) - self._at > 4096:  # Go's limit for a chunk's line
            raise MessageError(400, "malformed chunked encoding")
        if end < 0:
            return None
        line = self._take(end - self._at)
        self._at = end + 2
        return line


def _fields(text: bytes, start: int) -> Headers:
    found = _FIELDS.findall(text, start)
    if len(found) != text.count(b"\n", start):
        raise MessageError(400)
    return tuple([(name, value.rstrip(b" \t")) for name, value in found])


def _request_head(text: bytes) -> Head:
    line = _REQUEST_LINE.match(text)
    if line is None:
        raise MessageError(400)
    head = Head(line.groups(), _fields(text, line.end()))
    if line[3] == b"0":
        head.close, head.minor = True, 0
    hosts = _frame(head)
    if hosts == 0 and line[3] == b"1":
        raise MessageError(400, "missing required Host header")
    if hosts > 1:
        raise MessageError(400, "too many Host headers")
    return head


def _response_head(text: bytes) -> Head:
    line = _STATUS_LINE.match(text)
    if line is None:
        raise MessageError(502, f'malformed HTTP response "{text[:60].decode("latin-1").rstrip()}"')
    head = Head(line.groups(), _fields(text, line.end()), None, close=line[1] == b"0")
    _frame(head)
    if line[2] in (b"204", b"304") or line[2][:1] == b"1":
        head.length = 0
    elif head.length is None:
        head.close = True
    return head


def _frame(head: Head) -> int:
    """Read what the headers say about framing into `head`; how many Host headers there are."""
    hosts = 0
    length: bytes | None = None
    chunked = False
    for name, value in head.headers:
        size = len(name)
        if size == 4:
            hosts += name.lower() == b"host"
        elif size == 6:
            if name.lower() == b"expect":
                head.expects_continue = value.lower() == b"100-continue"
        elif size == 10:
            if name.lower() == b"connection":
                _connection(head, value.lower())
        elif size == 14:
            if name.lower() == b"content-length":
                if length not in (None, value) or not value.isdigit() or len(value) > 15:
                    raise MessageError(400)
                length = value
        elif size == 17 and name.lower() == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise MessageError(501, f"Unsupported transfer encoding: {value.decode('latin-1')}")
            chunked = True
    if chunked:
        head.length = -1
        if length is not None:  # both: smuggling; take the chunks, as Go does, and part afterwards, as RFC 9112 asks
            head.close = True
    elif length is not None:
        head.length = int(length)
    return hosts


def _connection(head: Head, value: bytes) -> None:
    options = [option.strip() for option in value.split(b",")]
    if b"close" in options:
        head.close = True
    elif b"keep-alive" in options:
        head.close = False


def write_head(start: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """`start` and `headers` as bytes; raises ValueError for a header that would break the head apart."""
    text = start + b"\r\n" + b"".join([b"%b: %b\r\n" % header for header in headers])
    lines = len(headers) + 1
    if text.count(b"\n") != lines or text.count(b"\r") != lines or b"\0" in text:
        raise ValueError("a header holds a line break or a NUL byte")
    return text + b"\r\n"
