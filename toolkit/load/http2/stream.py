"""One call on its way over a connection, and what its answer means.

May live here: what belongs to a single call. May not: the connection's own state (`connection`, `outflow`).
"""

from __future__ import annotations

from typing import NamedTuple

from toolkit.load.http2 import grpc

Outcome = tuple[str, str]
"""A gRPC status, and words."""
ENDED = -1  # a stream's `number` when nothing more becomes of it


class Ended(NamedTuple):
    """What became of a call. `unseen`: the server says that it never looked at it, so it may be sent once more.

    `first_ns` is when the first byte of the answer was read, `done_ns` when its end was; the reader's clock.
    """

    token: int
    status: str
    message: str
    reply: bytes | None
    first_ns: int | None
    done_ns: int
    unseen: bool = False
    messages: int = 0  # that came back, of a stream


class Stream:
    """A call: what is sent (`block`, `message`), and how far it has come.

    `number` is 0 while it waits, then its stream's, ENDED at last. `window` is what may still be sent of `unsent`,
    `body` what came of the answer so far. `refused` says why the server did not look at it, when it was sent before.
    """

    __slots__ = (
        "block",
        "body",
        "deadline_ns",
        "first_ns",
        "headers",
        "link",
        "message",
        "number",
        "refusals",
        "refused",
        "token",
        "unsent",
        "window",
    )

    def __init__(self, token: int, block: bytes, message: bytes, deadline_ns: int = 0) -> None:
        self.token, self.block, self.message, self.deadline_ns = token, block, message, deadline_ns
        self.number = self.window = self.refusals = 0
        self.headers: grpc.Said | None = None
        self.first_ns: int | None = None
        self.unsent: bytes | memoryview = b""
        self.body: bytes | bytearray = b""
        self.refused = ""
        self.link: object = None  # of whoever has several connections: on which one it is

    def finish(self, trailers: grpc.Said) -> Outcome:
        """The answer is whole. Its status is in the trailers, or in the headers when there is nothing else."""
        first = self.headers or trailers
        if first.http is None:
            return "INTERNAL", "the answer has no HTTP status"
        if trailers.status is not None and (first.http == 200 or self.headers is None):
            return trailers.status, trailers.message
        return self.unfinished("the answer has no grpc-status", first)

    def unfinished(self, why: str, first: grpc.Said | None) -> Outcome:
        """The answer ended without a status of its own."""
        if first is not None and first.http is not None and first.http != 200:
            return grpc.of_http(first.http), f"HTTP status {first.http}"
        if first is not None and not first.grpc:
            return "UNKNOWN", "the answer is not gRPC's"
        return "INTERNAL", why

    def reply(self) -> tuple[bytes | None, str, str]:
        """The one message of a unary answer, OK; or None, and what is wrong when it is not exactly one."""
        body = self.body
        size = grpc.PREFIX + int.from_bytes(body[1 : grpc.PREFIX], "big")
        if len(body) == size and not body[0]:
            return (body if type(body) is bytes else bytes(body))[grpc.PREFIX :], "OK", ""
        if len(body) < size:
            return None, "INTERNAL", "the answer has no whole message"
        if len(body) > size:
            return None, "INTERNAL", "more than one message"
        encoding = self.headers.encoding.decode("latin-1") if self.headers is not None else "?"
        return None, "INTERNAL", f"the answer is compressed ({encoding}), though nothing but identity was offered"
