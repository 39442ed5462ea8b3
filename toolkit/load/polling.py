"""Which sockets are ready: Linux's epoll, and what comes closest to it where there is none.

May live here: waiting for descriptors. May not: what is done with those that are ready.
"""

from __future__ import annotations

import math
import select
from typing import Protocol

IN, OUT, ERR, HUP = 1, 4, 8, 16  # the same bits in epoll(7) and poll(2) everywhere
RDHUP = getattr(select, "EPOLLRDHUP", 0)  # the other side will send nothing more; elsewhere an empty read says so
GONE = ERR | HUP


class Poll(Protocol):
    """What is used of `select.epoll`, level-triggered."""

    def register(self, fd: int, eventmask: int) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None: ...
    def unregister(self, fd: int) -> None: ...
    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """(descriptor, events) of those that are ready, after at most so many seconds."""

    def close(self) -> None: ...


def poll() -> Poll:
    """The quickest one that this system has. To be closed."""
    return select.epoll() if hasattr(select, "epoll") else Portable()


class Portable:
    """poll(2): its cost grows with the number of descriptors, and it counts in milliseconds as epoll does."""

    def __init__(self) -> None:
        self._poll = select.poll()

    def register(self, fd: int, eventmask: int) -> None:
        self._poll.register(fd, eventmask & ~RDHUP)

    def modify(self, fd: int, eventmask: int) -> None:
        self._poll.modify(fd, eventmask & ~RDHUP)

    def unregister(self, fd: int) -> None:
        self._poll.unregister(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return self._poll.poll(math.ceil(timeout * 1000))

    def close(self) -> None:
        """Nothing is held."""
