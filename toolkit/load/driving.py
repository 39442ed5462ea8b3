"""Sends what is due when it is due, in one thread that does nothing else: the loop of every load over `Lines`.

May live here: when a call is sent, and when it is no longer waited for. May not: what a call says (`Calls`), bytes on
the wire (`Lines`), when calls are due and how long is thought (`pacing`),
records, numbers.

The rules are those of every load here: in an open loop a call counts from the moment it was due, a late one is sent at
once, and none is skipped in silence; in a closed loop due and sent are the same moment, which comes once a worker has
its answer and has thought about it (`Load.think`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

from toolkit.load import pacing
from toolkit.load.http2.stream import Ended
from toolkit.load.lines import Lines
from toolkit.results import Load, Progress

SECOND = 1_000_000_000
TICK_NS = SECOND // 10  # how fast a stop is noticed, and progress told
MOST_IN_FLIGHT = 10_000
HOPELESS_NS = 10 * SECOND  # a generator that is so late would only measure its own queue: it gives up
STOPPED_NS = SECOND  # how long answers are waited for once somebody stopped the load
AHEAD_NS = SECOND // 100  # the first call is due so much after the beginning
AT_ONCE = 64  # calls that are sent before the sockets are looked at again, however many are due
LOST = "LOST"  # status of a call that nobody waits for any more


class Calls(Protocol):
    """Makes each request and takes what became of it: one `next` or `refused` a due call, one `ended` a sent one."""

    def next(self, due_ns: int, now_ns: int) -> tuple[int, bytes, bytes]:
        """The next call, which is sent now: its token, and head and body as `Lines.submit` wants them."""

    def ended(self, each: Ended) -> None:
        """A call's end; with status LOST that of a call which had no answer when the drain was over."""

    def refused(self, due_ns: int, now_ns: int, why: str) -> None:
        """The next call was due and is never sent: the generator is in no state to."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When calls are due. `times`: nanoseconds after the start, of an open loop; None: a closed loop, as `Load` says.

    `planned` is how many calls that makes, if it is known. `start_ns`: the moment all of it counts from, None: soon.
    `drain_s`: how long answers are waited for after the last call was sent; None: until its deadline has passed.
    `index` is which of several generators this is: how long its workers think is drawn for it.
    """

    times: Iterator[int] | None
    planned: int | None = None
    start_ns: int | None = None
    drain_s: float | None = None
    index: int = 0


class Driver:
    """One load on its way over connections that stand. `started_ns` is what due times count from, once it runs."""

    def __init__(
        self,
        lines: Lines,
        calls: Calls,
        load: Load,
        pace: Pace,
        *,
        stopped: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._lines, self._calls, self._load, self._pace = lines, calls, load, pace
        self._stopped, self._tell, self._clock = stopped, on_progress, clock
        self._timeout_ns = round(load.timeout_s * SECOND)
        self._told_ns = self.started_ns = 0
        self._sent = self._ok = 0
        self._think = pacing.thinking(load, pace.index)
        self._free_ns: list[int] = []  # a heap: when each worker that waits for no answer has thought enough

    def run(self) -> None:
        """Sends the load and waits for its answers; soon over once `stopped` says so."""
        ahead_ns = 0 if self._pace.times is None else AHEAD_NS
        self.started_ns = self._told_ns = self._pace.start_ns or self._clock() + ahead_ns
        if self._pace.times is None:
            self._closed()
        else:
            self._open(self._pace.times)
        self._drain()

    def _open(self, times: Iterator[int]) -> None:
        start, clock = self.started_ns, self._clock
        due = _after(start, times)
        while due is not None and not self._stopped():
            now = clock()
            for _ in range(AT_ONCE):
                if due is None or due > now:
                    break
                self._send(due, now)
                due = _after(start, times)
                now = clock()
            self._note(now if due is None else min(due, now + TICK_NS))

    def _closed(self) -> None:
        load, at_once, clock = self._load, self._load.concurrency or 1, self._clock
        left = math.inf if load.requests is None else load.requests
        end = math.inf if load.duration_s is None else self.started_ns + round(load.duration_s * SECOND)
        free = None if self._think is None else self._free_ns
        self._free_ns += [self.started_ns] * (0 if free is None else at_once)
        while not self._stopped() and left > 0 and (now := clock()) < end:
            if now < self.started_ns:
                self._note(min(self.started_ns, now + TICK_NS))
                continue
            while left > 0 and now < end and self._lines.in_flight < at_once:
                if free is not None:
                    if not free or free[0] > now:
                        break
                    heappop(free)
                self._send(now, now)
                left -= 1
                now = clock()
            self._note(round(min(end, now + TICK_NS, free[0] if free else end)))

    def _send(self, due_ns: int, now_ns: int) -> None:
        if self._lines.in_flight >= MOST_IN_FLIGHT:
            self._calls.refused(due_ns, now_ns, f"{MOST_IN_FLIGHT:,} calls are in flight")
        elif now_ns - due_ns > HOPELESS_NS:
            self._calls.refused(due_ns, now_ns, f"it was due more than {HOPELESS_NS // SECOND} s ago")
        else:
            self._sent += 1
            token, block, message = self._calls.next(due_ns, now_ns)
            self._lines.submit(token, block, message, now_ns + self._timeout_ns)

    def _note(self, until_ns: int) -> None:
        """Works until then, or until something ended."""
        for each in self._lines.step(until_ns):
            self._ok += each.status == "OK"
            self._calls.ended(each)
            if self._think is not None:
                heappush(self._free_ns, each.done_ns + next(self._think))
        if self._tell is not None and (now := self._clock()) - self._told_ns >= TICK_NS:
            self._told_ns = now
            self._tell(self._progress(now))

    def _drain(self) -> None:
        drain_s = self._pace.drain_s
        patience_ns = self._timeout_ns + TICK_NS if drain_s is None else round(drain_s * SECOND)
        end = self._clock() + patience_ns
        while self._lines.in_flight and (now := self._clock()) < end:
            if self._stopped():
                end = min(end, now + STOPPED_NS)
            self._note(min(end, now + TICK_NS))
        for each in self._lines.give_up(LOST, "nobody waits any more"):
            self._calls.ended(each)
        if self._tell is not None:
            self._tell(self._progress(self._clock()))

    def _progress(self, now: int) -> Progress:
        flying = self._lines.in_flight
        elapsed_s = max(0, now - self.started_ns) / SECOND
        failed = self._sent - flying - self._ok
        return Progress(self._pace.planned, self._sent, self._ok, failed, flying, elapsed_s)


def _after(start: int, times: Iterator[int]) -> int | None:
    offset = next(times, None)
    return None if offset is None else start + offset
