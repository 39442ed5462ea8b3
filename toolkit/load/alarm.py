"""Waits for a moment more exactly than an event loop does.

epoll counts in milliseconds, so a loop wakes up to one late. On Linux a timerfd wakes it about 0.1 ms late and costs
nothing while waiting, so it is set that much early; elsewhere the last millisecond is waited for by yielding, which
costs a core.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from toolkit.load.timer import Timer

SECOND = 1_000_000_000
SPIN_NS = 1_200_000  # yielded away where only epoll wakes
EARLY_NS = 150_000  # yielded away behind a timerfd


class Alarm(Protocol):
    async def sleep_until(self, due_ns: int) -> None:
        """Returns at `due_ns` of the monotonic clock, or at once if that has passed; others have run meanwhile."""


@contextlib.contextmanager
def alarm() -> Iterator[Alarm]:
    """The most exact one that this system has. To be entered in a running loop."""
    timer = Timer()
    if timer.descriptor is None:
        yield Yielding()
        return
    waking = Waking(timer, timer.descriptor, asyncio.get_running_loop())
    try:
        yield waking
    finally:
        waking.close()


class Yielding:
    """Sleeps coarsely and yields away the rest."""

    async def sleep_until(self, due_ns: int) -> None:
        if (left := due_ns - time.monotonic_ns()) > SPIN_NS:
            await asyncio.sleep((left - SPIN_NS) / SECOND)
        await _yield_until(due_ns)


class Waking:
    """Sleeps on a timerfd."""

    def __init__(self, timer: Timer, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._descriptor, self._loop = timer, descriptor, loop
        self._woken: asyncio.Future[None] | None = None
        loop.add_reader(descriptor, self._ring)

    async def sleep_until(self, due_ns: int) -> None:
        if due_ns - EARLY_NS > time.monotonic_ns():
            self._woken = self._loop.create_future()
            self._timer.set(due_ns - EARLY_NS)
            await self._woken
        await _yield_until(due_ns)

    def _ring(self) -> None:
        self._timer.ring()
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._timer.close()


async def _yield_until(due_ns: int) -> None:
    while time.monotonic_ns() < due_ns:  # noqa: ASYNC110 - for a moment, which no Event tells
        await asyncio.sleep(0)
    await asyncio.sleep(0)
