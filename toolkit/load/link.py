"""One HTTP/2 connection with its socket, which may be lost and come back, perhaps at another address.

May live here: connecting, reading, writing, and when to try again. May not: which call goes where (`client`), HTTP/2
itself (`http2`).
"""

from __future__ import annotations

import contextlib
import socket

from toolkit.load import polling
from toolkit.load.http2.connection import Connection
from toolkit.load.places import Place
from toolkit.load.polling import Poll

SECOND = 1_000_000_000
READ = 65_536  # bytes at once
DIAL_NS = 5 * SECOND
BACKOFF_NS = (100_000_000, 1 * SECOND)  # the first, the longest pause before connecting again
HOLD_NS = (1_000_000, 100_000_000)  # the same before a call that was refused is sent again
UNREAD = 1 << 20  # bytes that wait to be written before a connection gets no more calls
READABLE = polling.IN | polling.RDHUP
WRITABLE = polling.OUT


class Link:
    """`places` are tried in turn, from the one numbered `first` on."""

    def __init__(self, poll: Poll, places: list[Place], first: int) -> None:
        self.http2 = Connection()
        self.socket: socket.socket | None = None
        self.descriptor = -1
        self.connected = False  # and the server has said how it wants to be spoken to
        self.wait_ns = 0  # when to connect again, or to give this attempt up
        self.held_ns = 0  # when calls may be sent again after one was refused
        self.why = "not connected yet"
        self._poll, self._places, self._turn = poll, places, first
        self._writing = self._proved = False  # waits until it can write; a call was answered
        self._backoff_ns, self._hold_ns = BACKOFF_NS[0], HOLD_NS[0]
        self._failures = 0  # one after the other
        self._unwritten = 1  # the first stream of which not a byte has left

    @property
    def place(self) -> Place:
        return self._places[self._turn % len(self._places)]

    # connecting

    def connect(self, now_ns: int) -> None:
        """Begins to. Whether that fails at once can be seen at `socket`."""
        place, self.http2, self._unwritten = self.place, Connection(), 1
        try:
            found = socket.socket(place.family, socket.SOCK_STREAM)
        except OSError as error:  # no descriptors left, for example
            self.drop(error.strerror or str(error), now_ns)
            return
        self.socket, self.descriptor = found, found.fileno()
        self._writing, self.wait_ns = True, now_ns + DIAL_NS
        self._poll.register(self.descriptor, READABLE | WRITABLE)
        try:
            found.setblocking(False)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(BlockingIOError):
                found.connect(place.address)
        except OSError as error:
            self.drop(error.strerror or str(error), now_ns)

    def drop(self, why: str, now_ns: int) -> None:
        """Closes the socket. What was on the way ends in `http2`; `wait_ns` says when to connect again.

        A connection that has served is replaced at once; of those that failed, another address is tried at once until
        none is left, and then after a pause.
        """
        self.http2.lost(why, now_ns, self._unwritten)
        if self.socket is not None:
            self._poll.unregister(self.descriptor)
            self.socket.close()
        self.socket, self.descriptor, self.connected, self._writing, self.why = None, -1, False, False, why
        if self._proved:
            self._proved, self._failures, self._backoff_ns, self.wait_ns = False, 0, BACKOFF_NS[0], now_ns
            return
        self._failures += 1
        self._turn += 1
        self.wait_ns = now_ns
        if self._failures % len(self._places) == 0:
            self.wait_ns += self._backoff_ns
            self._backoff_ns = min(self._backoff_ns * 2, BACKOFF_NS[1])

    @property
    def failed(self) -> bool:
        """Nothing came of it, the last time."""
        return self._failures > 0

    def heir(self, now_ns: int) -> Link:
        """The connection that takes over from this one, whose server goes away; later, if that serves nobody."""
        heir = Link(self._poll, self._places, self._turn)
        if not self._proved and not self.http2.in_flight:
            heir._backoff_ns = min(self._backoff_ns * 2, BACKOFF_NS[1])
            heir.wait_ns, heir._turn = now_ns + self._backoff_ns, self._turn + 1
        return heir

    # reading and writing

    def flush(self, now_ns: int) -> None:
        """Writes what there is, as far as the socket takes it."""
        out = self.http2.outgoing
        if self.socket is None:
            return
        if out:
            try:
                written = self.socket.send(out)
            except BlockingIOError:
                written = 0
            except OSError as error:
                self.drop(error.strerror or str(error), now_ns)
                return
            if written:
                self._unwritten = self.http2.next
                del out[:written]
        if bool(out) != self._writing:
            self._writing = bool(out)
            self._poll.modify(self.descriptor, READABLE | WRITABLE if out else READABLE)

    @property
    def blocked(self) -> bool:
        """The socket takes no more now; epoll tells when it does."""
        return self._writing

    def read(self, now_ns: int) -> None:
        """What came, to `http2`."""
        assert self.socket is not None
        try:
            data = self.socket.recv(READ)
        except BlockingIOError:
            return
        except OSError as error:
            self.drop(error.strerror or str(error), now_ns)
            return
        http2 = self.http2
        if not data:
            self.drop("the server closed the connection", now_ns)
            return
        http2.receive(data, now_ns)
        self._learn(now_ns)
        if http2.closed is not None:
            with contextlib.suppress(OSError):  # it is told what it did wrong, if it still listens
                self.socket.send(http2.outgoing)
            self.drop(http2.closed, now_ns)
        elif not self.connected and http2.ready:
            self.connected = True

    def _learn(self, now_ns: int) -> None:
        """A call that was refused is sent again when another one ends, or after a pause that grows."""
        http2 = self.http2
        if len(http2.ended) > len(http2.refused) and http2.closed is None:
            self._proved, self.held_ns, self._hold_ns = True, 0, HOLD_NS[0]
        if http2.refused:
            self.held_ns = now_ns + self._hold_ns
            self._hold_ns = min(self._hold_ns * 2, HOLD_NS[1])
