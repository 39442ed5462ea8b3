"""Connections to one address: opened as they are wanted, kept while they are good.

May live here: connecting, the pause after a failure, which connection is free. May not: calls (`client`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from toolkit.load import polling
from toolkit.load.http1.connection import Connection
from toolkit.load.polling import Poll

SECOND = 1_000_000_000
DIAL_NS = 5 * SECOND
BACKOFF_NS = (100_000_000, 1 * SECOND)  # the first, the longest pause before connecting again
STALE_NS = SECOND // 100  # a connection that did nothing for so long is looked at before it gets a request
NEVER_NS = 1 << 62
_BOTH = polling.IN | polling.OUT
Place = tuple[socket.AddressFamily, tuple[Any, ...]]
Resolve = Callable[[str, int], Sequence[Place]]


def resolved(host: str, port: int) -> Sequence[Place]:
    """Every address that the name has. Raises OSError."""
    return [(family, place) for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Line:
    """One connection and its socket."""

    __slots__ = ("connected", "http", "idle_ns", "socket", "until_ns", "writing")

    def __init__(self, of: socket.socket, method: str, until_ns: int) -> None:
        self.socket, self.http = of, Connection(method)
        self.connected, self.writing = False, True
        self.until_ns = until_ns  # when connecting is given up
        self.idle_ns = 0  # since when


class Pool:
    """At most `most` connections, known to `poll`. `why` says why the last one that failed did so.

    They are used `in_turn`, or else the one first that was used last, so that those that are too many fall asleep.
    The name is looked up once, and again after a failure, which also is the next address's turn.
    """

    def __init__(
        self,
        address: tuple[str, int],
        method: str,
        most: int,
        poll: Poll,
        *,
        in_turn: bool = True,
        resolve: Resolve = resolved,
    ) -> None:
        self._address, self._method, self._most, self._resolve = address, method, most, resolve
        self._places: Sequence[Place] = ()
        self._failures = 0
        self._poll, self._clock = poll, time.monotonic_ns
        self.lines: dict[int, Line] = {}  # by their socket
        self.dialling: dict[int, Line] = {}  # those of them that are not connected yet, oldest first
        self._free: deque[Line] = deque()
        self._next = self._free.popleft if in_turn else self._free.pop
        self._again_ns, self._backoff_ns = 0, BACKOFF_NS[0]
        self.why = "not connected yet"

    @property
    def standing(self) -> int:
        return len(self.lines) - len(self.dialling)

    @property
    def wake_ns(self) -> int:
        """When there will be something to do, though no socket says so."""
        if self.dialling:
            return next(iter(self.dialling.values())).until_ns
        return self._again_ns if self._again_ns > self._clock() else NEVER_NS

    def take(self) -> Line | None:
        """A connection that is free; None when there is none."""
        while self._free:
            line = self._next()
            if line.http.closed is None and not (self._clock() - line.idle_ns > STALE_NS and _stale(line.socket)):
                return line
            self.drop(line)
        return None

    def release(self, line: Line) -> None:
        line.idle_ns = self._clock()
        self._free.append(line)

    def connect(self, wanted: int) -> None:
        """So many more, as far as the limit and the pause after a failure allow."""
        for _ in range(min(wanted, self._most - len(self.lines))):
            if self._clock() < self._again_ns or not self._begin():
                return

    def connected(self, line: Line) -> bool:
        """Whether it is, now that its socket can be written to."""
        del self.dialling[line.socket.fileno()]
        if error := line.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.drop(line)
            self._failed(os.strerror(error))
            return False
        line.connected, self._backoff_ns = True, BACKOFF_NS[0]
        return True

    def give_up_dialling(self, now_ns: int) -> None:
        """Where it takes too long."""
        for line in list(self.dialling.values()):
            if line.until_ns > now_ns:
                return
            self.drop(line)
            self._failed("no connection in time")

    def drop(self, line: Line) -> None:
        number = line.socket.fileno()
        if self.lines.pop(number, None) is None:
            return
        self.dialling.pop(number, None)
        with contextlib.suppress(ValueError):  # most are not free
            self._free.remove(line)
        self._poll.unregister(number)
        line.socket.close()
        line.http.closed = line.http.closed or "closed"

    def close(self) -> None:
        for line in list(self.lines.values()):
            self.drop(line)

    def _begin(self) -> bool:
        """Whether a connection is on its way."""
        made = None
        try:
            self._places = self._places or self._resolve(*self._address)
            family, place = self._places[self._failures % len(self._places)]
            made = socket.socket(family, socket.SOCK_STREAM)
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(BlockingIOError):
                made.connect(place)
        except OSError as error:
            if made is not None:
                made.close()
            self._failed(error.strerror or str(error))
            return False
        line = Line(made, self._method, self._clock() + DIAL_NS)
        self.lines[made.fileno()] = self.dialling[made.fileno()] = line
        self._poll.register(made.fileno(), _BOTH)
        return True

    def _failed(self, why: str) -> None:
        self._places, self._failures = (), self._failures + 1
        self.why, self._again_ns = why, self._clock() + self._backoff_ns
        self._backoff_ns = min(self._backoff_ns * 2, BACKOFF_NS[1])


def _stale(of: socket.socket) -> bool:
    """Whether something, even the end, waits to be read."""
    try:
        of.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
