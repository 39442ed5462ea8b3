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
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc

from toolkit import contract
from toolkit.load import pacing
from toolkit.load.alarm import Alarm, alarm
from toolkit.load.caller import Caller
from toolkit.load.identity import identities
from toolkit.load.share import WHOLE, Share
from toolkit.results import CallRecord, Load, Progress
from toolkit.sdk.channels import balanced
from toolkit.traces.model import Span

if TYPE_CHECKING:
    from toolkit.load.caller import Send

MOST_IN_FLIGHT = 10_000
HOPELESS_NS = 10_000_000_000  # a generator that is so late would only measure its own queue: it gives up
DRAIN_S = 10.0  # how long unanswered calls are waited for after the last one was sent
GRACE_S = 0.5  # a call whose deadline ends meanwhile gets to say so
DIAL_S = 5.0
TICK_S = 0.1  # progress
TICK_NS = 100_000_000  # how fast a stop is noticed between two calls
OPTIONS = (
    ("grpc.enable_retries", 0),  # a retried call would hide a failed one
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # two loads in one process share no connection
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),
)


async def drive(
    target: str,
    load: Load,
    *,
    run: str,
    chain: str,
    entry: str,
    authority: str | None = None,
    share: Share = WHOLE,
    records: list[CallRecord] | None = None,
    spans: list[Span] | None = None,
    begin: Callable[[], Awaitable[int]] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    drain_s: float = DRAIN_S,
    most_in_flight: int = MOST_IN_FLIGHT,
) -> list[CallRecord]:
    """Sends `load`, or a `share` of it, to the gRPC target and returns one record a call, in the order they were due.

    The ids of calls and traces follow from `run` and the load's seed. `records` receives each record as the call ends,
    `spans` the caller's own root span of every sampled one, whose other side is `entry`. `begin` is awaited once the
    target was dialled, and says at which moment of the monotonic clock the load starts; else it starts at once. When
    `stop` is set, nothing more is sent and what is there comes back soon. Raises UsageError for a load that makes no
    sense; a call that fails is a record, never an exception.
    """
    pacing.validate(load)
    stop = stop or asyncio.Event()
    kept, roots = [] if records is None else records, [] if spans is None else spans
    async with _channel(target, authority) as channel:
        send: Send = channel.unary_unary(f"/{contract.ENTRY_METHOD}")
        caller = Caller(send, load, identities(run, load, share), chain, entry, kept, roots, most_in_flight)
        caller.started_ns = time.monotonic_ns() if begin is None else await begin()
        async with _reporting(caller, on_progress):
            try:
                await _send_all(caller, load, share, stop)
                await caller.drain(stop, min(drain_s, load.timeout_s + GRACE_S))
            finally:
                await caller.give_up()
    return caller.records()


@contextlib.asynccontextmanager
async def _channel(target: str, authority: str | None) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that was dialled before the first call is due: setting up a connection is nobody's latency."""
    options = [*OPTIONS, *balanced(target), *([("grpc.default_authority", authority)] if authority else [])]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        settled = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)
        with contextlib.suppress(TimeoutError):  # who does not answer now fails call by call, on the record
            async with asyncio.timeout(DIAL_S):
                while (state := channel.get_state(try_to_connect=True)) not in settled:
                    await channel.wait_for_state_change(state)
        yield channel


async def _send_all(caller: Caller, load: Load, share: Share, stop: asyncio.Event) -> None:
    schedule = pacing.schedule(load)
    with alarm() as clock:
        if schedule is None:
            if await _until(caller.started_ns, clock, stop):
                await _closed_loop(caller, share.load(load), stop)
            return
        due = share.times(schedule)
        caller.planned = len(due)
        for offset in due:
            ready = caller.prepare(
                caller.started_ns + offset
            )  # before the moment comes: encoding must not make it late
            if not await _until(ready.record.due_ns, clock, stop):
                return
            if time.monotonic_ns() - ready.record.due_ns > HOPELESS_NS:
                caller.leave_out(ready, f"the generator was {HOPELESS_NS // pacing.SECOND} s late and gave up")
            else:
                caller.send(ready)


async def _until(due_ns: int, clock: Alarm, stop: asyncio.Event) -> bool:
    """Waits for the moment; False when the load was stopped instead. Always lets others run, also when late."""
    while (now := time.monotonic_ns()) + TICK_NS < due_ns and not stop.is_set():
        await clock.sleep_until(now + TICK_NS)
    if not stop.is_set():
        await clock.sleep_until(due_ns)
    return not stop.is_set()


async def _closed_loop(caller: Caller, load: Load, stop: asyncio.Event) -> None:
    end = None if load.duration_s is None else caller.started_ns + round(load.duration_s * pacing.SECOND)
    caller.planned = load.requests

    def more() -> bool:
        if stop.is_set() or (end is not None and time.monotonic_ns() >= end):
            return False
        return load.requests is None or caller.sent < load.requests

    async def work() -> None:
        while more():
            await asyncio.wait({caller.send(caller.prepare())})

    workers = [asyncio.create_task(work()) for _ in range(load.concurrency or 1)]
    stopped = asyncio.create_task(stop.wait())
    everyone = asyncio.gather(*workers)
    either: list[asyncio.Future[Any]] = [everyone, stopped]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if everyone.done():
            everyone.result()
    finally:
        stopped.cancel()
        everyone.cancel()  # only the waiting ends; a call in flight is the drain's business
        await asyncio.gather(stopped, everyone, return_exceptions=True)


@contextlib.asynccontextmanager
async def _reporting(caller: Caller, on_progress: Callable[[Progress], None] | None) -> AsyncIterator[None]:
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
