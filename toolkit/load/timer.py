"""A moment as something epoll can wait for: it counts in milliseconds itself, and a Linux timerfd wakes it 0.1 ms late.

(`os.timerfd_create` needs Python 3.13.)
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

SECOND = 1_000_000_000
_MONOTONIC, _ABSOLUTE = 1, 1  # CLOCK_MONOTONIC, TFD_TIMER_ABSTIME
_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)  # what TFD_NONBLOCK and TFD_CLOEXEC are


class Timer:
    """Readable at `descriptor` once the moment has come that was `set`; without a descriptor where there is none."""

    def __init__(self) -> None:
        self.descriptor = _create()
        self._library = ctypes.CDLL(None, use_errno=True) if self.descriptor is not None else None
        self._due_ns = 0

    def set(self, due_ns: int) -> bool:
        """For `due_ns` of the monotonic clock; False when there is no timer."""
        if self._library is None:
            return False
        due_ns = max(1, due_ns)  # 0 would switch it off
        if due_ns != self._due_ns:
            setting = _Setting(_Timespec(0, 0), _Timespec(*divmod(due_ns, SECOND)))
            if self._library.timerfd_settime(self.descriptor, _ABSOLUTE, ctypes.byref(setting), None) != 0:
                raise OSError(ctypes.get_errno(), "timerfd_settime failed")
            self._due_ns = due_ns
        return True

    def ring(self) -> None:
        """It has come."""
        self._due_ns = 0
        if self.descriptor is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self.descriptor, 8)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor, self._library = None, None


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def _create() -> int | None:
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != 8:  # the layout of a timespec
        return None
    try:
        descriptor: int = ctypes.CDLL(None, use_errno=True).timerfd_create(_MONOTONIC, _FLAGS)
    except (OSError, AttributeError):
        return None
    return descriptor if descriptor >= 0 else None
