"""One call on its way over a connection, and what its answer means.

May live here: what belongs to a single stream. May not: the connection's own state (`connection`, `outflow`).
"""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.load.http2 import grpc

Outcome = tuple[str, str]
"""A gRPC status, and words."""


@dataclass(frozen=True, slots=True)
class Ended:
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


class Stream:
    """`window` is what may still be sent of `unsent`, `body` what came of the answer so far."""

    __slots__ = ("_pieces", "body_size", "first_ns", "headers", "token", "unsent", "window")

    def __init__(self, token: int, window: int) -> None:
        self.token, self.window = token, window
        self.headers: grpc.Said | None = None
        self.first_ns: int | None = None
        self.unsent = b""
        self.body_size = 0
        self._pieces: list[bytes] = []

    def take(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.body_size += len(piece)

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

    def reply(self) -> tuple[bytes | None, Outcome]:
        """The one message of a unary answer, or what is wrong when it is not exactly one."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        size = grpc.PREFIX + int.from_bytes(body[1 : grpc.PREFIX], "big")
        if len(body) < grpc.PREFIX or size > len(body):
            return None, ("INTERNAL", "the answer has no whole message")
        if size < len(body):
            return None, ("INTERNAL", "more than one message")
        if body[0]:
            encoding = self.headers.encoding.decode("latin-1") if self.headers is not None else "?"
            return None, ("INTERNAL", f"the answer is compressed ({encoding}), though nothing but identity was offered")
        return body[grpc.PREFIX :], ("OK", "")
