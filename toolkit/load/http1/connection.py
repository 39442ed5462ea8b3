"""One HTTP/1.1 connection, without its socket: requests go in, bytes come out; bytes go in, ended calls come out.

May live here: what an answer means, and whether another request may follow on the same connection (RFC 9112). May not:
sockets, clocks, retries. A request that went in comes out exactly once, whatever the other side does.
"""

from __future__ import annotations

from functools import lru_cache

from toolkit.load.http2.stream import Ended
from toolkit.sdk.http1.message import Head, MessageError, Parser

MOST_REPLY = 64 * 1024 * 1024  # bytes of an answer that are kept; a longer one ends its call
MOST_HEADERS = 262_144  # bytes of an answer's head
WORDS = 120  # characters of a refusal's body that are told
UNAVAILABLE, MALFORMED, TOO_LARGE = "UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED"
_STARTS = b"HTTP/1."
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


class Connection:
    """The client's end, for requests of one `method`.

    `outgoing` is what has to be written next. `closed` says why nothing may follow on this connection; the call that
    was under way has then ended, too.
    """

    __slots__ = (
        "_body_less",
        "_first_ns",
        "_head",
        "_parser",
        "_repeatable",
        "_requests",
        "_written",
        "closed",
        "outgoing",
        "token",
    )

    def __init__(self, method: str) -> None:
        self.outgoing: bytes | memoryview = b""
        self.closed: str | None = None
        self.token: int | None = None  # of the request under way
        self._body_less, self._repeatable = method == "HEAD", method in _REPEATABLE
        self._requests = 0
        self._written = False  # at least a byte of the request
        self._first_ns: int | None = None
        self._parser: Parser | None = None  # only once an answer came in pieces, or is not plain
        self._head: Head | None = None

    @property
    def free(self) -> bool:
        return self.token is None and self.closed is None

    def send(self, token: int, request: bytes) -> None:
        """A request, whole. The connection has to be `free`."""
        self.token, self.outgoing, self._written, self._first_ns = token, request, False, None
        self._requests += 1

    def wrote(self, size: int) -> None:
        """That much of `outgoing` has left."""
        if size:
            self._written = True
            self.outgoing = b"" if size == len(self.outgoing) else memoryview(self.outgoing)[size:]

    def receive(self, data: bytes, now_ns: int) -> Ended | None:
        """Takes what was read; the call that it ended."""
        if self.token is None or self.closed is not None:
            self.closed = self.closed or "the server sent something that nobody asked for"
            return None
        try:
            if self._first_ns is None:
                self._first_ns = now_ns
                _see_that_it_is_http(data.lstrip(b"\r\n")[: len(_STARTS)])
            if self._parser is None:
                if (plain := self._plain(data, now_ns)) is not None:
                    return plain
                self._parser = Parser(responses=True, max_body=MOST_REPLY, max_headers=MOST_HEADERS)
            self._parser.feed(data)
            return self._read(self._parser, now_ns)
        except MessageError as error:
            return self._broken(error, now_ns)

    def lost(self, why: str, now_ns: int, *, whole: bool = False) -> Ended | None:
        """The socket is gone; the call that went with it. `whole`: the server ended its side in order.

        A request that cannot have been heard is `unseen`: nothing of it was written, or it changes nothing and the
        connection, used before, closed without a word (as Go's transport has it).
        """
        self.closed = self.closed or why
        if self.token is None:
            return None
        if self._parser is not None and self._head is not None:
            if whole and self._head.length is None:
                return self._finish(self._head, self._parser.rest(), now_ns, over=True)
            return self._end(UNAVAILABLE, f"in the middle of an answer: {why}", None, now_ns)
        if self._first_ns is not None:
            return self._end(UNAVAILABLE, f"in the middle of an answer: {why}", None, now_ns)
        unseen = not self._written or (self._repeatable and self._requests > 1)
        return self._end(UNAVAILABLE, why, None, now_ns, unseen=unseen)

    def give_up(self, status: str, why: str, now_ns: int) -> Ended | None:
        """Ends the call under way, and with it the connection: its answer may still come."""
        self.closed = why
        return None if self.token is None else self._end(status, why, None, now_ns)

    def _plain(self, data: bytes, now_ns: int) -> Ended | None:
        """The whole of an answer with a length, at once: what nearly every one is."""
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or data[0] != 72:  # "H": an empty line may come before it
            return None
        head = _known(data[:end])
        size = 0 if self._body_less else head.length
        if size is None or len(data) - end != size or head.start[1][0] == 49:  # 1xx
            return None
        return self._finish(head, data[end:], now_ns)

    def _read(self, parser: Parser, now_ns: int) -> Ended | None:
        while (head := self._head or parser.head()) is not None:
            if head.start[1][:1] == b"1" and head.start[1] != b"101":
                continue  # the answer is still to come
            self._head = head
            body = parser.body(0 if self._body_less else head.length)
            if body is not None:
                return self._finish(head, body, now_ns, over=not parser.empty)
            if parser.waiting > MOST_REPLY:
                raise MessageError(413)
            return None
        return None

    def _finish(self, head: Head, body: bytes, now_ns: int, *, over: bool = False) -> Ended:
        """`over`: nothing may follow."""
        if over or head.close or self.outgoing or head.start[1] == b"101":
            self.closed = "the server wants no more requests on this connection"
        self._parser = self._head = None
        return self._end(*_meaning(head.start[1], head.start[2], body), body, now_ns)

    def _broken(self, error: MessageError, now_ns: int) -> Ended:
        status, words = MALFORMED, f"no HTTP/1.1 answer: {error}"
        if error.status == 413:
            status, words = TOO_LARGE, f"an answer of more than {MOST_REPLY} bytes"
        elif not error.text and error.status == 400:
            words = "no HTTP/1.1 answer: malformed headers"
        self.closed = words
        return self._end(status, words, None, now_ns)

    def _end(self, status: str, words: str, body: bytes | None, now_ns: int, *, unseen: bool = False) -> Ended:
        assert self.token is not None
        ended = Ended(self.token, status, words, body, self._first_ns, now_ns, unseen)
        self.token, self.outgoing = None, b""
        return ended


@lru_cache(1024)
def _known(head: bytes) -> Head:
    """Answers' heads differ by a date, once a second. Not to be changed."""
    parser = Parser(responses=True, max_headers=MOST_HEADERS)
    parser.feed(head)
    found = parser.head()
    assert found is not None
    return found


def _see_that_it_is_http(start: bytes) -> None:
    if not _STARTS.startswith(start):
        raise MessageError(502, f"it begins with {start!r}")


def _meaning(status: bytes, reason: bytes | None, body: bytes) -> tuple[str, str]:
    if status[0] == 50:  # 2xx
        return "OK", ""
    said = body[: WORDS * 4].decode("utf-8", "replace").strip().partition("\n")[0][:WORDS]
    words = (reason or b"").decode("latin-1").strip()
    return f"HTTP {status.decode()}", f"{words}: {said}" if said and words else said or words
