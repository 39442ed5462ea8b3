"""Requests over as many HTTP/1.1 connections as it takes, in one thread that does nothing else.

May live here: calls and their deadlines, reading and writing. May not: HTTP (`connection`), connecting (`pool`),
schedules, records.

A connection carries one request at a time (no pipelining), so calls that are open at once need as many of them: more
are opened as they are needed, up to a limit. A call that finds none waits, and its wait is
latency, because that counts from when it was due. A call is never lost from sight: each one that is submitted comes
back once, with a status. One that cannot have been heard is sent again, as Go's client does; all fail at once while
nothing can be connected.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass

from toolkit.load import polling
from toolkit.load.http1.pool import Line, Pool
from toolkit.load.http2.stream import Ended
from toolkit.load.share import MOST_CONNECTIONS
from toolkit.load.timer import Timer

SECOND = 1_000_000_000
READ = 262_144  # bytes at once
DIAL_NS = 5 * SECOND
TICK_NS = SECOND // 10  # while dialling
MOST_ENDED = 4096  # calls that ended behind one that has no answer, before they are forgotten
MOST_TRIES = 10  # how often a call is sent, as long as it cannot have been heard
SPIN_NS = 80_000  # what waking takes: that long before a call is due, the loop no longer sleeps
_READ = polling.IN
_BOTH = polling.IN | polling.OUT


@dataclass(slots=True)
class _Submitted:
    """What a call looks like, for as long as it may have to be sent once more."""

    token: int
    request: bytes
    deadline_ns: int
    tries: int = 0
    line: Line | None = None  # over which it is under way


class Client:
    """Requests of one `method` to `address`, over at most `most` connections; `dial` opens `first`. To be closed."""

    def __init__(self, address: tuple[str, int], method: str, *, first: int = 1, most: int = MOST_CONNECTIONS) -> None:
        self._first, self._clock = min(first, most), time.monotonic_ns
        self._poll, self._timer = polling.poll(), Timer()
        if self._timer.descriptor is not None:
            self._poll.register(self._timer.descriptor, _READ)
        self._pool = Pool(address, method, most, self._poll, in_turn=first >= most)
        self._flying: dict[int, _Submitted] = {}
        self._waiting: deque[_Submitted] = deque()
        self._deadlines: deque[_Submitted] = deque()
        self._ended: list[Ended] = []

    @property
    def in_flight(self) -> int:
        """Calls that were submitted and have not ended."""
        return len(self._flying)

    def dial(self) -> str | None:
        """Connects; None once the first connections stand, or, when the time is over, the reason."""
        until = self._clock() + DIAL_NS
        while self._clock() < until:
            self._pool.connect(self._first - len(self._pool.lines))
            if self._pool.standing >= self._first:
                return None
            self._turn_to_sockets(min(until, self._clock() + TICK_NS))
        return self._pool.why

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        """Sends head and body, or keeps them until a connection is free. Deadlines must not decrease."""
        call = _Submitted(token, block + message, deadline_ns)
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
        self._waiting.clear()
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        self._pool.close()
        self._poll.close()
        self._timer.close()

    # sending

    def _send(self, call: _Submitted) -> bool:
        """Over a free connection; False when there is none."""
        if (line := self._pool.take()) is None:
            return False
        call.tries, call.line = call.tries + 1, line
        line.http.send(call.token, call.request)
        self._flush(line)
        return True

    def _flush(self, line: Line) -> None:
        http = line.http
        if out := http.outgoing:
            try:
                http.wrote(line.socket.send(out))
            except BlockingIOError:
                pass
            except OSError as error:
                self._read_what_is_left(line, error)
                return
        if bool(http.outgoing) != line.writing:
            line.writing = bool(http.outgoing)
            self._poll.modify(line.socket.fileno(), _BOTH if line.writing else _READ)

    def _send_waiting(self) -> None:
        waiting = self._waiting
        while waiting:
            call = waiting.popleft()  # before it is sent: a call that has to be sent once more comes in front
            if call.token in self._flying and not self._send(call):
                waiting.appendleft(call)
                break
        if not waiting:
            return
        self._pool.connect(len(waiting) - len(self._pool.dialling))
        if not self._pool.lines:
            now_ns = self._clock()
            while waiting:
                call = waiting.popleft()
                if self._flying.pop(call.token, None) is not None:
                    self._ended.append(Ended(call.token, "UNAVAILABLE", self._pool.why, None, None, now_ns))

    # receiving

    def _turn_to_sockets(self, until_ns: int) -> None:
        if self._waiting:
            self._send_waiting()
        timer = self._timer.descriptor
        for descriptor, events in self._poll.poll(self._sleep_s(until_ns)):
            if descriptor == timer:
                self._timer.ring()
            elif (line := self._pool.lines.get(descriptor)) is not None:
                self._turn_to(line, events)
        if self._pool.dialling:
            self._pool.give_up_dialling(self._clock())

    def _turn_to(self, line: Line, events: int) -> None:
        if not line.connected:
            if self._pool.connected(line):
                self._release(line)
        elif events & ~polling.OUT:
            self._read(line)
        else:
            self._flush(line)

    def _sleep_s(self, until_ns: int) -> float:
        """Seconds for the poll, which counts in milliseconds: what is more exact is left to the timer, or spun away."""
        if self._ended:
            return 0
        wake_ns = until_ns
        if self._deadlines:
            wake_ns = min(wake_ns, self._deadlines[0].deadline_ns)
        wake_ns = min(wake_ns, self._pool.wake_ns)
        left = wake_ns - self._clock() - SPIN_NS
        if left <= 0:
            return 0
        if self._timer.set(wake_ns - SPIN_NS):
            return left / SECOND + 0.01
        return left // 1_000_000 / 1000

    def _read(self, line: Line) -> None:
        try:
            data = line.socket.recv(READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(line, error.strerror or str(error))
            return
        if not data:
            self._lose(line, "the server closed the connection", whole=True)
            return
        ended = line.http.receive(data, self._clock())
        if ended is not None:
            self._end(ended)
        if line.http.closed is not None:
            self._pool.drop(line)
        elif ended is not None:
            self._release(line)

    def _read_what_is_left(self, line: Line, error: OSError) -> None:
        """A server that takes no more may have said why, and that is the answer."""
        with contextlib.suppress(OSError):
            while line.http.closed is None and (data := line.socket.recv(READ)):
                if (ended := line.http.receive(data, self._clock())) is not None:
                    self._end(ended)
        self._lose(line, error.strerror or str(error))

    def _release(self, line: Line) -> None:
        """Free for the next call, of which one may wait already."""
        if line.writing:
            self._flush(line)
        self._pool.release(line)
        if self._waiting:
            self._send_waiting()

    def _end(self, ended: Ended) -> None:
        call = self._flying[ended.token]
        call.line = None
        if ended.unseen and call.tries < MOST_TRIES:
            self._waiting.appendleft(call)
            return
        del self._flying[ended.token]
        call.request = b""  # it may be remembered for as long as its deadline is
        self._ended.append(ended)

    # deadlines

    def _turn_to_deadlines(self) -> None:
        deadlines, now_ns = self._deadlines, self._clock()
        while deadlines and (deadlines[0].token not in self._flying or deadlines[0].deadline_ns <= now_ns):
            call = deadlines.popleft()
            if call.token in self._flying:
                self._cancel(call, "DEADLINE_EXCEEDED", "no answer before the deadline", now_ns)
        if len(deadlines) > MOST_ENDED and len(deadlines) > 4 * len(self._flying):  # behind one that has no answer
            self._deadlines = deque(call for call in deadlines if call.token in self._flying)

    def _cancel(self, call: _Submitted, status: str, why: str, now_ns: int) -> None:
        del self._flying[call.token]
        line, ended = call.line, None
        if line is not None:
            ended = line.http.give_up(status, why, now_ns)
            self._pool.drop(line)
        call.request = b""
        self._ended.append(ended or Ended(call.token, status, why, None, None, now_ns))

    def _lose(self, line: Line, why: str, *, whole: bool = False) -> None:
        if (ended := line.http.lost(why, self._clock(), whole=whole)) is not None:
            self._end(ended)
        self._pool.drop(line)
