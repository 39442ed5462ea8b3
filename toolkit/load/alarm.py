"""Waits for a moment more exactly than an event loop does.

epoll counts in milliseconds, so a loop wakes up to one late. On Linux a timerfd wakes it about 0.1 ms late and costs
nothing while waiting, so it is set that much early; elsewhere the last millisecond is waited for by yielding, which
costs a core.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Iterator
from typing import Protocol

SECOND = 1_000_000_000
SPIN_NS = 1_200_000  # yielded away where only epoll wakes
EARLY_NS = 150_000  # yielded away behind a timerfd
_MONOTONIC, _ABSOLUTE = 1, 1  # CLOCK_MONOTONIC, TFD_TIMER_ABSTIME
_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)  # what TFD_NONBLOCK and TFD_CLOEXEC are


class Alarm(Protocol):
    async def sleep_until(self, due_ns: int) -> None:
        """Returns at `due_ns` of the monotonic clock, or at once if that has passed; others have run meanwhile."""


@contextlib.contextmanager
def alarm() -> Iterator[Alarm]:
    """The most exact one that this system has. To be entered in a running loop."""
    descriptor = _timerfd()
    if descriptor is None:
        yield Yielding()
        return
    waking = Waking(descriptor, asyncio.get_running_loop())
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

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        self._descriptor, self._loop = descriptor, loop
        self._woken: asyncio.Future[None] | None = None
        loop.add_reader(descriptor, self._ring)

    async def sleep_until(self, due_ns: int) -> None:
        if due_ns - EARLY_NS > time.monotonic_ns():
            self._woken = self._loop.create_future()
            _set(self._descriptor, due_ns - EARLY_NS)
            await self._woken
        await _yield_until(due_ns)

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)


async def _yield_until(due_ns: int) -> None:
    while time.monotonic_ns() < due_ns:  # noqa: ASYNC110 - for a moment, which no Event tells
        await asyncio.sleep(0)
    await asyncio.sleep(0)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def _timerfd() -> int | None:
    """A timer on the monotonic clock, or None where there is none. (`os.timerfd_create` needs Python 3.13.)"""
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != 8:  # the layout of a timespec
        return None
    try:
        descriptor: int = _libc().timerfd_create(_MONOTONIC, _FLAGS)
    except (OSError, AttributeError):
        return None
    return descriptor if descriptor >= 0 else None


def _set(descriptor: int, due_ns: int) -> None:
    seconds, nanoseconds = divmod(due_ns, SECOND)
    setting = _Setting(_Timespec(0, 0), _Timespec(seconds, nanoseconds))
    if _libc().timerfd_settime(descriptor, _ABSOLUTE, ctypes.byref(setting), None) != 0:
        raise OSError(ctypes.get_errno(), "timerfd_settime failed")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
