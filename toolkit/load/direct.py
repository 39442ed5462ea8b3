"""Drives any unary gRPC method, or whatever else is `Sendable`, in one thread that does nothing else.

May live here: what each call says, and writing down what became of it. May not: when it is sent (`driving`), HTTP/2
(`http2`), sockets (`client`), schedules (`pacing`), numbers (`measure`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.columns import MOST_SIZE, SAMPLED, WARMUP
from toolkit.load import pacing
from toolkit.load.client import Client
from toolkit.load.driving import AHEAD_NS, LOST, SECOND, Driver, Pace
from toolkit.load.http2 import grpc, headers
from toolkit.load.http2.headers import Header
from toolkit.load.http2.stream import Ended
from toolkit.load.ledger import Ledger, Rows
from toolkit.load.sendable import Heads, Sendable
from toolkit.load.share import WHOLE, Share
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


@dataclass(frozen=True, slots=True)
class Manner:
    """How a load is sent, beside what it is. The first calls are the warm-up: so many, or those due before a time.

    `drain_s` is how long answers are waited for after the last call was sent; None: until its own deadline.
    """

    connections: int | None = None
    drain_s: float | None = None
    warmup_calls: int = 0
    warmup_s: float = 0.0


def soon() -> int:
    """The first call is due now, or a moment later."""
    return time.monotonic_ns() + AHEAD_NS


def drive(
    request: Sendable,
    load: Load,
    rows: Rows,
    *,
    share: Share = WHOLE,
    manner: Manner = Manner(),
    begin: Callable[[], int] = soon,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress, Ledger], None] | None = None,
) -> Ledger:
    """Sends a share of the load, a row a call into `rows`, and returns what is to be told; soon, once `stopped`.

    `begin` is asked once connections stand: the moment of the monotonic clock that due times count from. Raises
    UsageError for a load that makes no sense, Unreachable when nobody can be called.
    """
    pacing.validate(load)
    lines = request.lines(share.load(load), manner.connections)
    try:
        if (why := lines.dial()) is not None:
            raise Unreachable(why)
        planned = share.count(pacing.count(load))  # of a recording, that takes a while
        pace = _pace(load, share, planned, begin(), manner.drain_s)
        ledger = Ledger(rows, size=_size(request), open_loop=load.model == "open")
        calls = _Calls(request, load, share, ledger, _warm_until(pace, manner))
        tell = None if on_progress is None else lambda progress: on_progress(progress, calls.ledger)
        Driver(lines, calls, share.load(load), pace, stopped=stopped, on_progress=tell).run()
        return calls.ledger
    finally:
        lines.close()


class _Calls:
    """Makes each request of a share of a load, and hands on what became of it.

    The n-th call of the whole load has the same trace context whoever sends it.
    """

    def __init__(
        self, request: Sendable, load: Load, share: Share, ledger: Ledger, warm_until: Callable[[int, int], bool]
    ) -> None:
        self.ledger = ledger
        self._draw = random.Random(f"{load.seed}/contexts").getrandbits  # noqa: S311 - ids that anyone can make again
        self._sampled_below = round(load.sample * (1 << 32))
        self._head, self._body = request.heads(load), request.body
        self._seq, self._of, self._warm = share.index, share.of, warm_until
        for _ in range(share.index):
            self._draw(224)

    def next(self, due_ns: int, now_ns: int) -> tuple[int, bytes, bytes]:
        seq, context, sampled = self._another()
        warm = WARMUP if self._warm(seq, due_ns) else 0
        self.ledger.add(seq, due_ns, now_ns, SAMPLED | warm if sampled else warm)
        return seq, self._head(context), self._body

    def ended(self, each: Ended) -> None:
        self.ledger.end(each, lost=each.status == LOST)

    def refused(self, due_ns: int, now_ns: int, why: str) -> None:
        seq, _, _ = self._another()
        self.ledger.refuse(seq, due_ns, now_ns, WARMUP if self._warm(seq, due_ns) else 0)

    def _another(self) -> tuple[int, bytes, bool]:
        seq, draw = self._seq, self._draw
        self._seq += self._of
        drawn = draw(224)
        for _ in range(self._of - 1):  # those of the others
            draw(224)
        sampled = (drawn & 0xFFFFFFFF) < self._sampled_below
        ids = (drawn >> 32).to_bytes(24, "big").hex("-", -16)  # a trace's, a span's
        return seq, f"00-{ids}-{'01' if sampled else '00'}".encode(), sampled


def _size(request: Sendable) -> int:
    """Bytes of what is sent, without the five that gRPC puts before a message."""
    size = getattr(request, "size", None)
    if size is None:
        size = len(request.message) if isinstance(request, Request) else len(request.body)
    return min(int(size), MOST_SIZE)


def _pace(load: Load, share: Share, planned: int | None, start_ns: int, drain_s: float | None) -> Pace:
    times = None if load.model == "closed" else share.times(pacing.times(load))
    return Pace(times, planned, start_ns, drain_s, share.index)


def _warm_until(pace: Pace, manner: Manner) -> Callable[[int, int], bool]:
    """Whether the call of this place, due at this moment, belongs to the warm-up."""
    calls, until = manner.warmup_calls, (pace.start_ns or 0) + round(manner.warmup_s * SECOND)
    if manner.warmup_s:
        return lambda seq, due_ns: due_ns < until
    return lambda seq, due_ns: seq < calls


def _before_the_context(request: Request, load: Load) -> bytes:
    """The header block up to its last field, W3C's `traceparent`."""
    fields = grpc.request_headers(
        request.target.method,
        request.authority or request.target.authority,
        [*request.headers, (b"grpc-timeout", grpc.timeout(load.timeout_s)), (b"traceparent", _ZERO)],
    )
    return headers.encode(fields)[: -len(_ZERO)]
