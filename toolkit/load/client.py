"""Several connections to one gRPC server, in one thread that does nothing else: the part of a load that must not wait.

May live here: sockets, readiness, reconnecting, deadlines. May not: HTTP/2 (`http2`), schedules, records.

A call is never lost from sight: each one that is submitted comes back once, with a status. As gRPC's own clients do, a
call that the server says it never looked at is sent once more, and calls fail at once while nothing can be connected.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import deque
from dataclasses import dataclass

from toolkit.load.http2.connection import Connection
from toolkit.load.http2.stream import Ended
from toolkit.load.timer import Timer

SECOND = 1_000_000_000
READ = 262_144  # bytes at once
DIAL_NS = 5 * SECOND
BACKOFF_NS = (100_000_000, 1 * SECOND)  # the first, the longest pause before connecting again
UNREAD = 1 << 20  # bytes that wait to be written before a connection gets no more calls
SPIN_NS = 80_000  # what waking takes: that long before a call is due, the loop no longer sleeps
_READ = select.EPOLLIN
_BOTH = select.EPOLLIN | select.EPOLLOUT
_GONE = select.EPOLLHUP | select.EPOLLERR


@dataclass(slots=True)
class _Submitted:
    """What a call looks like, for as long as it may have to be sent once more."""

    token: int
    block: bytes
    message: bytes
    deadline_ns: int
    tries: int = 0


class _Line:
    """One connection and its socket, which may be gone and come back."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.http2 = Connection()
        self.connected = False  # and the server has said how it wants to be spoken to
        self.writing = False
        self.again_ns = 0  # when to connect again, or to give this attempt up
        self.backoff_ns = BACKOFF_NS[0]
        self.why = "not connected yet"
        self.numbers: dict[int, int] = {}  # stream of each token


class Client:
    """Calls to `address`, over `connections` connections. To be closed."""

    def __init__(self, address: tuple[str, int], connections: int = 1) -> None:
        self._address, self._clock = address, time.monotonic_ns
        self._poll, self._timer = select.epoll(), Timer()
        if self._timer.descriptor is not None:
            self._poll.register(self._timer.descriptor, _READ)
        self._lines = [_Line() for _ in range(connections)]
        self._old: list[_Line] = []  # whose server goes away: they end what they have begun
        self._by_socket: dict[int, _Line] = {}
        self._flying: dict[int, _Submitted] = {}
        self._waiting: deque[_Submitted] = deque()
        self._deadlines: deque[_Submitted] = deque()
        self._ended: list[Ended] = []
        self._turn = 0

    @property
    def in_flight(self) -> int:
        """Calls that were submitted and have not ended."""
        return len(self._flying)

    def dial(self) -> str | None:
        """Connects; returns once every connection stands, with None, or when the time is over, with the reason."""
        until = self._clock() + DIAL_NS
        while self._clock() < until:
            self._turn_to_sockets(min(until, self._clock() + BACKOFF_NS[0]))
            if all(each.connected for each in self._lines):
                return None
        return next(each.why for each in self._lines if not each.connected)

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        """Sends a call, or keeps it until a connection has room. Deadlines must not decrease from call to call."""
        call = _Submitted(token, block, message, deadline_ns)
        self._flying[token] = call
        self._deadlines.append(call)
        if self._waiting or not self._send(call):
            self._waiting.append(call)

    def step(self, until_ns: int) -> list[Ended]:
        """Works until something ended or `until_ns` has come; what ended. Returns at once if that has passed."""
        while True:
            self._turn_to_sockets(until_ns)
            self._turn_to_deadlines()
            if self._ended or self._clock() >= until_ns:
                ended, self._ended = self._ended, []
                return ended

    def give_up(self, status: str, why: str) -> list[Ended]:
        """Ends everything that is under way."""
        now_ns = self._clock()
        for call in list(self._flying.values()):
            self._cancel(call, status, why, now_ns)
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        for line in (*self._lines, *self._old):
            self._drop(line, "closed")
        self._poll.close()
        self._timer.close()

    # sending

    def _send(self, call: _Submitted) -> bool:
        """Over the connection whose turn it is and that has room; False when none has."""
        lines = self._lines
        for _ in range(len(lines)):
            line = lines[self._turn]
            self._turn = (self._turn + 1) % len(lines)
            if line.connected and line.http2.room > 0 and len(line.http2.outgoing) < UNREAD:
                call.tries += 1
                line.numbers[call.token] = line.http2.send(call.token, call.block, call.message)
                return True
        return False

    def _flush(self, line: _Line) -> None:
        out = line.http2.outgoing
        if line.socket is None:
            return
        if out:
            try:
                written = line.socket.send(out)
            except BlockingIOError:
                written = 0
            except OSError as error:
                self._lose(line, error.strerror or str(error))
                return
            del out[:written]
        if bool(out) != line.writing:
            line.writing = bool(out)
            self._poll.modify(line.socket.fileno(), _BOTH if line.writing else _READ)

    # receiving

    def _turn_to_sockets(self, until_ns: int) -> None:
        self._connect()
        self._drain_waiting()
        for line in self._lines:
            if line.connected and line.http2.outgoing and not line.writing:
                self._flush(line)
        timer = self._timer.descriptor
        for descriptor, events in self._poll.poll(self._sleep_s(until_ns)):
            if descriptor == timer:
                self._timer.ring()
                continue
            if (found := self._by_socket.get(descriptor)) is not None:
                (self._read if events & (_READ | _GONE) else self._flush)(found)

    def _sleep_s(self, until_ns: int) -> float:
        """Seconds for epoll, which counts in milliseconds: what is more exact is left to the timer, or spun away."""
        if self._ended:
            return 0
        wake_ns = until_ns
        if self._deadlines:
            wake_ns = min(wake_ns, self._deadlines[0].deadline_ns)
        wake_ns = min([wake_ns, *(each.again_ns for each in self._lines if not each.connected)])
        left = wake_ns - self._clock() - SPIN_NS
        if left <= 0:
            return 0
        if self._timer.set(wake_ns - SPIN_NS):
            return left / SECOND + 0.01
        return left // 1_000_000 / 1000

    def _read(self, line: _Line) -> None:
        assert line.socket is not None
        try:
            data = line.socket.recv(READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(line, error.strerror or str(error))
            return
        if not data:
            self._lose(line, "the server closed the connection")
            return
        line.http2.receive(data, self._clock())
        self._collect(line)
        if not line.connected and line.http2.ready:
            line.connected, line.backoff_ns = True, BACKOFF_NS[0]
        if line.http2.closed is not None:
            self._lose(line, line.http2.closed)
            return
        if line.http2.draining:
            self._replace(line)
            if not line.http2.in_flight:
                self._lose(line, "the server went away")
                return
        if line.http2.outgoing:
            self._flush(line)

    def _collect(self, line: _Line) -> None:
        for each in line.http2.ended:
            call = self._flying[each.token]
            line.numbers.pop(each.token, None)
            if each.unseen and call.tries < 2:
                self._waiting.append(call)
                continue
            del self._flying[each.token]
            self._ended.append(each)
        line.http2.ended.clear()

    def _drain_waiting(self) -> None:
        waiting = self._waiting
        while waiting and (waiting[0].token not in self._flying or self._send(waiting[0])):
            waiting.popleft()
        if waiting and not any(each.connected or each.socket is not None for each in self._lines):
            why, now_ns = self._lines[0].why, self._clock()
            while waiting:
                call = waiting.popleft()
                if self._flying.pop(call.token, None) is not None:
                    self._ended.append(Ended(call.token, "UNAVAILABLE", why, None, None, now_ns))

    # deadlines

    def _turn_to_deadlines(self) -> None:
        deadlines, now_ns = self._deadlines, self._clock()
        while deadlines and (deadlines[0].token not in self._flying or deadlines[0].deadline_ns <= now_ns):
            call = deadlines.popleft()
            if call.token in self._flying:
                self._cancel(call, "DEADLINE_EXCEEDED", "no answer before the deadline", now_ns)

    def _cancel(self, call: _Submitted, status: str, why: str, now_ns: int) -> None:
        for line in (*self._lines, *self._old):
            if (number := line.numbers.get(call.token)) is not None:
                call.tries = 2
                line.http2.cancel(number, status, why, now_ns)
                self._collect(line)
                self._flush(line)
                return
        del self._flying[call.token]
        self._ended.append(Ended(call.token, status, why, None, None, now_ns))

    # connecting

    def _connect(self) -> None:
        for line in self._lines:
            if line.connected or self._clock() < line.again_ns:
                continue
            if line.socket is None:
                self._begin(line)
            else:
                self._drop(line, f"{self._address[0]}:{self._address[1]} speaks no HTTP/2, or not in time")

    def _begin(self, line: _Line) -> None:
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(*self._address, type=socket.SOCK_STREAM)[0]
            line.socket = socket.socket(family, kind, protocol)
            line.socket.setblocking(False)
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.http2 = Connection()
            with contextlib.suppress(BlockingIOError):
                line.socket.connect(place)
        except OSError as error:
            self._drop(line, error.strerror or str(error))
            return
        line.writing, line.again_ns = True, self._clock() + DIAL_NS
        self._by_socket[line.socket.fileno()] = line
        self._poll.register(line.socket.fileno(), _BOTH)

    def _lose(self, line: _Line, why: str) -> None:
        line.http2.lost(why, self._clock())
        self._collect(line)
        self._drop(line, why)

    def _replace(self, line: _Line) -> None:
        """New calls go over a new connection."""
        if line in self._lines:
            self._lines[self._lines.index(line)] = _Line()
            self._old.append(line)

    def _drop(self, line: _Line, why: str) -> None:
        if line in self._old:
            self._old.remove(line)
        if line.socket is not None:
            if self._by_socket.pop(line.socket.fileno(), None) is not None:
                self._poll.unregister(line.socket.fileno())
            line.socket.close()
        line.socket, line.connected, line.writing, line.why = None, False, False, why
        line.again_ns = self._clock() + line.backoff_ns
        line.backoff_ns = min(line.backoff_ns * 2, BACKOFF_NS[1])
