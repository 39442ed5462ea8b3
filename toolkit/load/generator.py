"""Drives calls into an entry over gRPC and writes down what became of each one.

May live here: the sockets and the clock of the load. May not: judging, statistics, anything about engines.

Open loop: every call has a due time from `pacing.schedule`; a late call is still sent, at once, and its lateness is in
its record, so a slow system cannot slow down the arrivals that measure it. Closed loop: a number of workers, each of
which sends its next call when the last one is answered; due and sent are then the same moment.
No call is skipped in silence: beyond `MOST_IN_FLIGHT` unanswered calls the generator refuses to send and records that.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import grpc

from toolkit import contract
from toolkit.load import greeting, pacing
from toolkit.results import CallRecord, Load, Progress
from toolkit.traces.model import Span

MOST_IN_FLIGHT = 10_000
DRAIN_S = 10.0  # how long unanswered calls are waited for after the last one was sent
DRAIN_STOPPED_S = 1.0  # the same, once somebody pressed Ctrl-C
DIAL_S = 5.0
TICK_S = 0.1  # progress, and how fast a stop is noticed between two calls
SPIN_NS = 1_200_000  # epoll wakes up to a millisecond late: the rest is waited for by yielding
OPTIONS = (
    ("grpc.enable_retries", 0),  # a retried call would hide a failed one
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # two loads in one process share no connection
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),
)

if TYPE_CHECKING:
    _Send = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
    _Call = grpc.aio.UnaryUnaryCall[bytes, bytes]


async def drive(
    target: str,
    load: Load,
    *,
    run: str,
    chain: str,
    entry: str,
    authority: str | None = None,
    spans: list[Span] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    drain_s: float = DRAIN_S,
    most_in_flight: int = MOST_IN_FLIGHT,
) -> list[CallRecord]:
    """Sends `load` to the gRPC target and returns one record a call, in the order they were due.

    The ids of calls and traces follow from `run` and the load's seed. `spans` receives the caller's own root span of
    every sampled call, whose other side is `entry`. When `stop` is set, nothing more is sent and what is there comes
    back soon. Raises UsageError for a load that makes no sense; a call that fails is a record, never an exception.
    """
    pacing.validate(load)
    stop = stop or asyncio.Event()
    async with _channel(target, authority) as channel:
        send: _Send = channel.unary_unary(f"/{contract.ENTRY_METHOD}")
        caller = _Caller(send, load, run, chain, entry, [] if spans is None else spans, most_in_flight)
        async with _reporting(caller, on_progress):
            try:
                await _send_all(caller, load, stop)
                await caller.drain(stop, min(drain_s, load.timeout_s))
            finally:
                await caller.give_up()
    return caller.records()


@contextlib.asynccontextmanager
async def _channel(target: str, authority: str | None) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that was dialled before the first call is due: setting up a connection is nobody's latency."""
    options = [*OPTIONS, ("grpc.default_authority", authority)] if authority else [*OPTIONS]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        settled = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)
        with contextlib.suppress(TimeoutError):  # who does not answer now fails call by call, on the record
            async with asyncio.timeout(DIAL_S):
                while (state := channel.get_state(try_to_connect=True)) not in settled:
                    await channel.wait_for_state_change(state)
        yield channel


async def _send_all(caller: _Caller, load: Load, stop: asyncio.Event) -> None:
    due = pacing.schedule(load)
    start = time.monotonic_ns()
    if due is None:
        await _closed_loop(caller, load, stop, start)
        return
    caller.planned = len(due)
    for offset in due:
        if not await _until(start + offset, stop):
            return
        caller.send(start + offset)


async def _until(due_ns: int, stop: asyncio.Event) -> bool:
    """Waits for the moment; False when the load was stopped instead. Always lets others run, also when late."""
    # The two loops below wait for a moment, not for a flag: an Event would not wake them when it comes.
    while (left := due_ns - time.monotonic_ns()) > SPIN_NS and not stop.is_set():  # noqa: ASYNC110
        await asyncio.sleep(min((left - SPIN_NS) / pacing.SECOND, TICK_S))
    while time.monotonic_ns() < due_ns and not stop.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return not stop.is_set()


async def _closed_loop(caller: _Caller, load: Load, stop: asyncio.Event, start: int) -> None:
    end = None if load.duration_s is None else start + round(load.duration_s * pacing.SECOND)
    caller.planned = load.requests

    def more() -> bool:
        if stop.is_set() or (end is not None and time.monotonic_ns() >= end):
            return False
        return load.requests is None or caller.sent < load.requests

    async def work() -> None:
        while more():
            await asyncio.wait({caller.send(time.monotonic_ns())})

    workers = [asyncio.create_task(work()) for _ in range(load.concurrency or 1)]
    stopped = asyncio.create_task(stop.wait())
    everyone = asyncio.gather(*workers)
    either: list[asyncio.Future[Any]] = [everyone, stopped]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        everyone.cancel()  # only the waiting ends; a call in flight is the drain's business
        await asyncio.gather(stopped, everyone, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A call on its way: its record so far, its root span so far, and when it left on the wall clock."""

    record: CallRecord
    span: str
    wall_ns: int


class _Caller:
    """Whoever sends calls into the entry: draws ids, keeps records, and makes the root span of sampled calls."""

    def __init__(
        self,
        send: _Send,
        load: Load,
        run: str,
        chain: str,
        entry: str,
        spans: list[Span],
        most_in_flight: int,
    ) -> None:
        self._send, self._load, self._chain, self._entry = send, load, chain, entry
        self._spans, self._most = spans, most_in_flight
        self._draw = random.Random(f"{run}/{load.seed}")  # noqa: S311 - ids that anyone can make again, no secret
        self._flying: set[asyncio.Task[None]] = set()
        self._records: list[CallRecord] = []
        self._started_ns = time.monotonic_ns()
        self.planned: int | None = None
        self.sent = self.ok = 0

    def send(self, due_ns: int) -> asyncio.Task[None]:
        """Sends the next call now; the task ends when it is on the record."""
        call, trace, span = self._hex(128), self._hex(128), self._hex(64)
        sampled = self._draw.random() < self._load.sample
        wall_ns = time.time_ns()
        request = greeting.request(self._chain, call, str(self.sent), wall_ns)
        record = CallRecord(
            self.sent,
            call,
            trace,
            sampled,
            due_ns,
            time.monotonic_ns(),
            None,
            None,
            size=len(request),
            digest=contract.digest(request),
        )
        self.sent += 1
        if len(self._flying) >= self._most:
            task = asyncio.create_task(self._refuse(_Sent(record, span, wall_ns)))
        else:
            task = asyncio.create_task(self._answer(_Sent(record, span, wall_ns), self._start(record, span, request)))
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)
        return task

    def _start(self, record: CallRecord, span: str, request: bytes) -> _Call:
        metadata = (
            ("traceparent", f"00-{record.trace}-{span}-{'01' if record.sampled else '00'}"),
            (contract.SENDER_KEY, contract.CALLER),
            (contract.MESSAGE_KEY, record.call),
        )
        return self._send(request, timeout=self._load.timeout_s, metadata=metadata)

    async def _answer(self, sent: _Sent, call: _Call) -> None:
        try:
            data = await call
        except asyncio.CancelledError:  # the drain gave up: the call is lost
            self._keep(sent, sent.record)
        except grpc.aio.AioRpcError as error:
            self._end(sent, error.code().name, error=error.details() or "")
        else:
            self._end(sent, "OK", reply=greeting.reply(data))

    async def _refuse(self, sent: _Sent) -> None:
        self._end(sent, "RESOURCE_EXHAUSTED", error=f"the generator did not send it: {self._most} calls are in flight")

    def _end(self, sent: _Sent, status: str, *, error: str | None = None, reply: str | None = None) -> None:
        done_ns = time.monotonic_ns()
        self.ok += status == "OK"
        self._keep(sent, replace(sent.record, done_ns=done_ns, status=status, error=error, reply=reply))

    def _keep(self, sent: _Sent, record: CallRecord) -> None:
        self._records.append(record)
        if record.sampled:
            self._spans.append(_root(record, sent, self._entry))

    async def drain(self, stop: asyncio.Event, drain_s: float) -> None:
        """Waits for what is in flight, but only briefly once the load is stopped."""
        await asyncio.sleep(0)  # also the call sent last has to be under way before it can be given up
        end = time.monotonic() + drain_s
        while self._flying and (left := end - time.monotonic()) > 0:
            if stop.is_set():
                await asyncio.wait(set(self._flying), timeout=min(left, DRAIN_STOPPED_S))
                return
            await asyncio.wait(set(self._flying), timeout=min(left, TICK_S))

    async def give_up(self) -> None:
        """Whatever is still unanswered is lost."""
        lost = set(self._flying)
        for task in lost:
            task.cancel()
        if lost:
            await asyncio.wait(lost)

    def records(self) -> list[CallRecord]:
        return sorted(self._records, key=lambda record: record.seq)

    def progress(self) -> Progress:
        done = len(self._records)
        elapsed_s = (time.monotonic_ns() - self._started_ns) / pacing.SECOND
        return Progress(self.planned, self.sent, self.ok, done - self.ok, self.sent - done, elapsed_s)

    def _hex(self, bits: int) -> str:
        return f"{self._draw.getrandbits(bits):0{bits // 4}x}"


def _root(record: CallRecord, sent: _Sent, entry: str) -> Span:
    """The root of the call's trace: what the caller saw of it."""
    tags = {"toolkit.call": record.call, "toolkit.message": record.call}
    if not record.ok:
        tags["error"] = record.error or record.status or "never answered"
        tags["grpc.status"] = record.status or "LOST"
    ended_ns = record.done_ns or time.monotonic_ns()
    return Span(
        trace=record.trace,
        id=sent.span,
        name=contract.ENTRY_METHOD.lower(),  # as Zipkin stores it
        service=contract.CALLER,
        kind="CLIENT",
        timestamp=sent.wall_ns // 1000,
        duration=max(1, (ended_ns - record.sent_ns) // 1000),
        remote=entry.lower(),
        tags=tags,
    )


@contextlib.asynccontextmanager
async def _reporting(caller: _Caller, on_progress: Callable[[Progress], None] | None) -> AsyncIterator[None]:
    """Tells `on_progress` every tick and once at the end."""
    if on_progress is None:
        yield
        return

    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            on_progress(caller.progress())

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        on_progress(caller.progress())
