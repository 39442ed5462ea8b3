"""Drives any unary gRPC method, or whatever else is `Sendable`, in one thread that does nothing else.

May live here: what each call says, and writing down what became of it. May not: when it is sent (`driving`), HTTP/2
(`http2`), sockets (`client`), schedules (`pacing`), numbers (`measure`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.load import pacing
from toolkit.load.client import Client
from toolkit.load.driving import LOST, Driver, Pace
from toolkit.load.http2 import grpc, headers
from toolkit.load.http2.headers import Header
from toolkit.load.http2.stream import Ended
from toolkit.load.ledger import Ledger
from toolkit.load.sendable import Heads, Sendable
from toolkit.load.target import Target
from toolkit.results import Load, Progress

_ZERO = b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, each time with a trace context of its own. `message` is the protobuf message's bytes."""

    target: Target
    message: bytes
    headers: Sequence[Header] = ()
    authority: str | None = None

    @property
    def body(self) -> bytes:
        return grpc.message(self.message)

    def lines(self, load: Load, connections: int | None) -> Client:
        return Client((self.target.host, self.target.port), connections or 1)

    def heads(self, load: Load) -> Heads:
        before = _before_the_context(self, load)
        return lambda context: before + context


class Unreachable(Exception):
    """Not one connection came to stand, and why."""


def drive(
    request: Sendable,
    load: Load,
    *,
    connections: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Ledger:
    """Sends the load and returns what became of each call; soon, once `stopped` says so.

    Raises UsageError for a load that makes no sense, Unreachable when nobody can be called.
    """
    pacing.validate(load)
    lines = request.lines(load, connections)
    try:
        if (why := lines.dial()) is not None:
            raise Unreachable(why)
        calls = _Calls(request, load)
        Driver(lines, calls, load, _pace(load), stopped=stopped, on_progress=on_progress).run()
        return calls.ledger
    finally:
        lines.close()


class _Calls:
    """Makes each request of a load, and keeps what became of it."""

    def __init__(self, request: Sendable, load: Load) -> None:
        self.ledger = Ledger()
        self._sample = load.sample
        self._draw = random.Random(f"{load.seed}/contexts")  # noqa: S311 - ids that anyone can make again, no secret
        self._head, self._body = request.heads(load), request.body

    def next(self, due_ns: int, now_ns: int) -> tuple[int, bytes, bytes]:
        row = self.ledger.add(due_ns, now_ns)
        context = b"%048x" % self._draw.getrandbits(192)
        flags = b"01" if self._draw.random() < self._sample else b"00"
        return row, self._head(b"00-%b-%b-%b" % (context[:32], context[32:], flags)), self._body

    def ended(self, each: Ended) -> None:
        if each.status != LOST:  # its row stays as it is: lost
            self.ledger.end(each.token, each.status, each.message, each.first_ns, each.done_ns)

    def refused(self, due_ns: int, now_ns: int, why: str) -> None:
        self.ledger.refused += 1


def _pace(load: Load) -> Pace:
    schedule = pacing.schedule(load)
    return Pace(None, load.requests) if schedule is None else Pace(iter(schedule), len(schedule))


def _before_the_context(request: Request, load: Load) -> bytes:
    """The header block up to its last field, W3C's `traceparent`."""
    fields = grpc.request_headers(
        request.target.method,
        request.authority or request.target.authority,
        [*request.headers, (b"grpc-timeout", _timeout(load.timeout_s)), (b"traceparent", _ZERO)],
    )
    return headers.encode(fields)[: -len(_ZERO)]


def _timeout(seconds: float) -> bytes:
    """gRPC's `TimeoutValue TimeoutUnit`: at most eight digits."""
    milliseconds = max(1, round(seconds * 1000))
    return b"%dm" % milliseconds if milliseconds < 100_000_000 else b"%dS" % min(round(seconds), 99_999_999)
