"""Drives any unary gRPC method with frames of our own, in one thread that does nothing else.

May live here: sending what is due when it is due, and writing down what became of it. May not: HTTP/2 (`http2`),
sockets (`client`), schedules (`pacing`), numbers (`measure`).

The rules are those of every load here: in an open loop a call counts from the moment it was due, a late one is sent at
once, and none is skipped in silence; in a closed loop due and sent are the same moment.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.load import pacing
from toolkit.load.client import Client
from toolkit.load.http2 import grpc, headers
from toolkit.load.http2.headers import Header
from toolkit.load.ledger import Ledger
from toolkit.load.target import Target
from toolkit.results import Load, Progress

SECOND = pacing.SECOND
TICK_NS = SECOND // 10  # how fast a stop is noticed, and progress told
MOST_IN_FLIGHT = 10_000
HOPELESS_NS = 10 * SECOND  # a generator that is so late would only measure its own queue: it gives up
STOPPED_NS = SECOND  # how long answers are waited for once somebody stopped the load
AHEAD_NS = SECOND // 100  # the first call is due so much after the beginning
_ZERO = b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, each time with a trace context of its own. `message` is the protobuf message's bytes."""

    target: Target
    message: bytes
    headers: Sequence[Header] = ()
    authority: str | None = None


class Unreachable(Exception):
    """Not one connection came to stand, and why."""


def drive(
    request: Request,
    load: Load,
    *,
    connections: int = 1,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Ledger:
    """Sends the load and returns what became of each call; soon, once `stopped` says so.

    Raises UsageError for a load that makes no sense, Unreachable when nobody can be called.
    """
    pacing.validate(load)
    client = Client((request.target.host, request.target.port), connections)
    try:
        if (why := client.dial()) is not None:
            raise Unreachable(why)
        driver = _Driver(client, request, load, stopped, on_progress)
        driver.run()
        return driver.ledger
    finally:
        client.close()


class _Driver:
    """One load on its way."""

    def __init__(
        self,
        client: Client,
        request: Request,
        load: Load,
        stopped: Callable[[], bool],
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.ledger = Ledger()
        self._client, self._load, self._stopped, self._tell = client, load, stopped, on_progress
        self._draw = random.Random(f"{load.seed}/contexts")  # noqa: S311 - ids that anyone can make again, no secret
        self._before = _before_the_context(request, load)
        self._message = grpc.message(request.message)
        self._timeout_ns = round(load.timeout_s * SECOND)
        self._start = time.monotonic_ns() + AHEAD_NS
        self._told_ns = self._start
        self._planned = load.requests
        self._ok = 0

    def run(self) -> None:
        schedule = pacing.schedule(self._load)
        if schedule is None:
            self._closed()
        else:
            self._planned = len(schedule)
            self._open(schedule)
        self._drain()

    def _open(self, schedule: Sequence[int]) -> None:
        start, place, count = self._start, 0, len(schedule)
        while place < count and not self._stopped():
            now = time.monotonic_ns()
            while place < count and (due := start + schedule[place]) <= now:
                self._send(due, now)
                place += 1
                now = time.monotonic_ns()
            self._note(min(due if place < count else now, now + TICK_NS))

    def _closed(self) -> None:
        load, at_once = self._load, self._load.concurrency or 1
        self._start = time.monotonic_ns()
        end = None if load.duration_s is None else self._start + round(load.duration_s * SECOND)
        while not self._stopped():
            now = time.monotonic_ns()
            if end is not None and now >= end:
                return
            room = at_once - self._client.in_flight
            if load.requests is not None:
                room = min(room, load.requests - len(self.ledger))
                if len(self.ledger) >= load.requests:
                    return
            for _ in range(room):
                self._send(now, now)
                if (now := time.monotonic_ns()) >= (end or math.inf):
                    break
            self._note(now + TICK_NS if end is None else min(end, now + TICK_NS))

    def _send(self, due_ns: int, now_ns: int) -> None:
        if self._client.in_flight >= MOST_IN_FLIGHT or now_ns - due_ns > HOPELESS_NS:
            self.ledger.refused += 1
            return
        row = self.ledger.add(due_ns, now_ns)
        context = b"%048x" % self._draw.getrandbits(192)
        flags = b"-01" if self._draw.random() < self._load.sample else b"-00"
        block = b"".join((self._before, context[:32], b"-", context[32:], flags))
        self._client.submit(row, block, self._message, now_ns + self._timeout_ns)

    def _note(self, until_ns: int) -> None:
        """Works until then, or until something ended."""
        ledger = self.ledger
        for each in self._client.step(until_ns):
            self._ok += each.status == "OK"
            ledger.end(each.token, each.status, each.message, each.first_ns, each.done_ns)
        if self._tell is not None and (now := time.monotonic_ns()) - self._told_ns >= TICK_NS:
            self._told_ns = now
            self._tell(self._progress(now))

    def _drain(self) -> None:
        end = time.monotonic_ns() + self._timeout_ns + TICK_NS
        while self._client.in_flight and (now := time.monotonic_ns()) < end:
            if self._stopped():
                end = min(end, now + STOPPED_NS)
            self._note(now + TICK_NS)
        self._client.give_up("LOST", "nobody waits any more")  # their rows stay as they are: lost
        if self._tell is not None:
            self._tell(self._progress(time.monotonic_ns()))

    def _progress(self, now: int) -> Progress:
        sent, flying = len(self.ledger), self._client.in_flight
        elapsed_s = max(0, now - self._start) / SECOND
        return Progress(self._planned, sent, self._ok, sent - flying - self._ok, flying, elapsed_s)


def _before_the_context(request: Request, load: Load) -> bytes:
    """The header block up to the trace id: the last field is W3C's `traceparent`, `00-trace-span-flags`."""
    fields = grpc.request_headers(
        request.target.method,
        request.authority or request.target.authority,
        [*request.headers, (b"grpc-timeout", _timeout(load.timeout_s)), (b"traceparent", _ZERO)],
    )
    return headers.encode(fields)[: len(b"00-") - len(_ZERO)]


def _timeout(seconds: float) -> bytes:
    """gRPC's `TimeoutValue TimeoutUnit`: at most eight digits."""
    milliseconds = max(1, round(seconds * 1000))
    return b"%dm" % milliseconds if milliseconds < 100_000_000 else b"%dS" % min(round(seconds), 99_999_999)
