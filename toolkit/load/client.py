"""Several connections to one gRPC server, in one thread that does nothing else: the part of a load that must not wait.

May live here: which call goes where, deadlines, and what is waited for. May not: HTTP/2 (`http2`), single connections
(`link`), schedules, records.

A call is never lost from sight: each one that is submitted comes back once, with a status. As gRPC's own clients do, a
call that the server says it never looked at is sent again until its deadline, and calls fail at once while nothing can
be connected.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from toolkit.load import polling
from toolkit.load.http2.stream import ENDED, Ended, Stream
from toolkit.load.link import READABLE, UNREAD, Link
from toolkit.load.places import Address, Place, look_up
from toolkit.load.timer import Timer

SECOND = 1_000_000_000
DIAL_NS = 5 * SECOND
TICK_NS = SECOND // 10
SPIN_NS = 80_000  # what waking takes: that long before a call is due, the loop no longer sleeps
FRESH_NS = 1_000_000  # how long a look at the sockets counts before a call is sent on an idle connection
COARSE_NS = 5_000_000  # what is further away needs no exact alarm yet
_READ_OR_GONE = READABLE | polling.GONE


class Client:
    """Calls to an address, or to several that serve the same, over `connections` connections. To be closed.

    Connections are spread over the addresses; one that fails goes on to the next. Names are looked up here, once.
    Everything but `wake` belongs to one thread.
    """

    def __init__(self, address: Address | Sequence[Address], connections: int = 1) -> None:
        self.in_flight = 0  # calls that were submitted and have not ended
        self._clock = time.monotonic_ns
        self._unknown, places = _places(address)
        self._poll, self._timer = polling.poll(), Timer()
        self._watched: dict[int, Callable[[], object]] = {}
        self._heard, self._bell = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._bell, False)
        self.watch(self._heard, lambda: os.read(self._heard, 4096))
        if self._timer.descriptor is not None:
            self.watch(self._timer.descriptor, self._timer.ring)
        self._links = [Link(self._poll, places, number) for number in range(connections) if places]
        self._old: list[Link] = []  # whose server goes away: they end what they have begun
        self._by_socket: dict[int, Link] = {}
        self._waiting: deque[Stream] = deque()
        self._deadlines: deque[Stream] = deque()
        self._ended: list[Ended] = []
        self._turn, self._looked_ns, self._woken = 0, 0, False

    def dial(self) -> str | None:
        """Connects; returns once every connection stands, with None, or when the time is over, with the reason."""
        until = self._clock() + DIAL_NS
        while not self._unknown and (now_ns := self._clock()) < until:
            self._turn_to_sockets(min(until, now_ns + TICK_NS))
            if all(each.connected for each in self._links):
                return None
        return self._unknown or next(each.why for each in self._links if not each.connected)

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        """Sends a call, or keeps it until a connection has room. Deadlines must not decrease from call to call."""
        if not self.in_flight:
            self._turn = (self._turn + 1) % (len(self._links) or 1)
            if self._clock() - self._looked_ns > FRESH_NS:
                self._look(0)  # who closed an idle connection is noticed before a call goes there
        call = Stream(token, block, message, deadline_ns)
        self.in_flight += 1
        self._deadlines.append(call)
        if self._waiting or not self._send(call):
            self._waiting.append(call)

    def step(self, until_ns: int) -> list[Ended]:
        """Works until something ended, `until_ns` has come or somebody woke it; what ended. Looks at least once."""
        while True:
            self._turn_to_sockets(until_ns)
            now_ns = self._clock()
            self._turn_to_deadlines(now_ns)
            if self._ended or self._woken or now_ns >= until_ns:
                ended, self._ended, self._woken = self._ended, [], False
                return ended

    def wake(self) -> None:
        """Makes the `step` that is under way, or the next one, return early. From any thread, or a signal handler."""
        if self._bell >= 0:
            with contextlib.suppress(BlockingIOError):  # rung often enough
                os.write(self._bell, b"!")

    def watch(self, descriptor: int, ready: Callable[[], object]) -> None:
        """From now on `step` calls `ready` when this can be read (a control socket), and then returns early.

        `ready` has to read what is there, or `unwatch`: otherwise it is called for ever.
        """
        self._poll.register(descriptor, polling.IN)
        self._watched[descriptor] = ready

    def unwatch(self, descriptor: int) -> None:
        """Before the descriptor is closed."""
        del self._watched[descriptor]
        self._poll.unregister(descriptor)

    def give_up(self, status: str, why: str) -> list[Ended]:
        """Ends everything that is under way."""
        now_ns = self._clock()
        for call in self._deadlines:
            if call.number != ENDED:
                self._cancel(call, status, why, now_ns)
        self._deadlines.clear()
        self._waiting.clear()
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        for link in (*self._links, *self._old):
            link.drop("closed", self._clock())
        self._poll.close()
        self._timer.close()
        bell, self._bell = self._bell, -1
        for each in (bell, self._heard):
            os.close(each)

    # sending

    def _send(self, call: Stream) -> bool:
        """Over a connection that has room, and no more than its share of the calls; False when none has room.

        Connections take turns; but what comes back from one together goes out there together, in one write.
        """
        links, count, spare = self._links, len(self._links), None
        share = self.in_flight - len(self._waiting) - 1
        for _ in range(count):
            link = links[self._turn]
            http2 = link.http2
            free = link.connected and http2.room > 0 and len(http2.outgoing) < UNREAD
            if free and (not link.held_ns or link.held_ns <= self._clock()):
                if http2.in_flight * count <= share:
                    break
                if spare is None or http2.in_flight < spare.http2.in_flight:
                    spare = link
            self._turn = (self._turn + 1) % count
        else:
            if spare is None:
                return False
            link = spare
        call.link = link
        link.http2.begin(call)
        return True

    def _send_waiting(self) -> None:
        waiting, now_ns = self._waiting, self._clock()
        while waiting and (waiting[0].number == ENDED or self._send(waiting[0])):
            waiting.popleft()
        if waiting and all(each.failed and not each.socket and each.wait_ns > now_ns for each in self._links):
            why = self._unknown or self._links[0].why
            while waiting:
                if waiting[0].number != ENDED:
                    self._cancel(waiting[0], "UNAVAILABLE", why, now_ns)
                waiting.popleft()

    # sockets

    def _turn_to_sockets(self, until_ns: int) -> None:
        for link in self._links:
            if not link.connected:
                self._connect(link)
        if self._waiting:
            self._send_waiting()
        for link in (*self._links, *self._old) if self._old else self._links:
            if link.http2.outgoing and not link.blocked and link.socket is not None:
                link.flush(self._clock())
                if link.socket is None:
                    self._settle(link)
        self._look(self._sleep_s(until_ns))

    def _look(self, sleep_s: float) -> None:
        for descriptor, events in self._poll.poll(sleep_s):
            if (link := self._by_socket.get(descriptor)) is not None:
                now_ns = self._clock()
                if events & polling.OUT:
                    link.flush(now_ns)
                if events & _READ_OR_GONE and link.socket is not None:
                    link.read(now_ns)
                self._settle(link)
            elif (ready := self._watched.get(descriptor)) is not None:
                self._woken = self._woken or descriptor != self._timer.descriptor
                ready()
        self._looked_ns = self._clock()

    def _sleep_s(self, until_ns: int) -> float:
        """Seconds for the poll, which counts in milliseconds: what is more exact is left to the timer, or spun away."""
        if self._ended or self._woken:
            return 0
        now_ns, wake_ns = self._clock(), until_ns
        if self._deadlines and self._deadlines[0].deadline_ns < wake_ns:
            wake_ns = self._deadlines[0].deadline_ns
        for link in self._links:
            if not link.connected:
                wake_ns = min(wake_ns, link.wait_ns)
            elif self._waiting and link.held_ns > now_ns:
                wake_ns = min(wake_ns, link.held_ns)
        if wake_ns == until_ns:  # nothing else has to be that exact
            wake_ns -= SPIN_NS
        left = wake_ns - self._clock()
        if left <= 0:
            return 0
        if left < COARSE_NS and self._timer.set(wake_ns):
            return 1
        return (left - COARSE_NS // 2 if left >= COARSE_NS else left) // 1_000_000 / 1000

    def _settle(self, link: Link) -> None:
        """What became of calls, and of the connection, after it was read from or written to."""
        http2 = link.http2
        if http2.ended:
            self._collect(link)
        if http2.draining and link.socket is not None:
            if link in self._links:  # new calls go over a new connection
                self._links[self._links.index(link)] = link.heir(self._clock())
                self._old.append(link)
            if not http2.in_flight:
                self._by_socket.pop(link.descriptor, None)
                link.drop("the server went away", self._clock())
        if link.socket is None:
            self._by_socket = {each.descriptor: each for each in (*self._links, *self._old) if each.socket is not None}
            if link in self._old:
                self._old.remove(link)

    def _collect(self, link: Link) -> None:
        """Takes what ended; what was refused unseen is sent again later."""
        http2 = link.http2
        ended, refused = http2.ended, http2.refused
        if refused:
            why = {each.token: each.message for each in ended if each.unseen}
            for call in refused:
                call.refused, call.refusals, call.number = why[call.token], call.refusals + 1, 0
            self._waiting.extend(refused)
            ended = [each for each in ended if not each.unseen]
        self._ended += ended
        self.in_flight -= len(ended)
        http2.ended, http2.refused = [], []

    # deadlines

    def _turn_to_deadlines(self, now_ns: int) -> None:
        deadlines = self._deadlines
        while deadlines and (deadlines[0].number == ENDED or deadlines[0].deadline_ns <= now_ns):
            call = deadlines.popleft()
            if call.number != ENDED:
                why = "no answer before the deadline"
                if call.refusals:
                    why += f", {call.refusals} times refused, at last with: {call.refused}"
                self._cancel(call, "DEADLINE_EXCEEDED", why, now_ns)
        if len(deadlines) > 4096 and len(deadlines) > 4 * self.in_flight:  # one that hangs must not keep the others
            self._deadlines = deque(each for each in deadlines if each.number != ENDED)

    def _cancel(self, call: Stream, status: str, why: str, now_ns: int) -> None:
        if call.number > 0 and isinstance(call.link, Link):
            link = call.link
            link.http2.cancel(call.number, status, why, now_ns)
            self._collect(link)
            if not link.blocked:
                link.flush(now_ns)
            self._settle(link)
            return
        call.number = ENDED
        self.in_flight -= 1
        self._ended.append(Ended(call.token, status, why, None, None, now_ns))

    # connecting

    def _connect(self, link: Link) -> None:
        now_ns = self._clock()
        if link.socket is not None and link.wait_ns <= now_ns:
            link.drop(f"{link.place} speaks no HTTP/2, or not in time", now_ns)
            self._settle(link)
        if link.socket is None and link.wait_ns <= now_ns:
            link.connect(now_ns)
            self._by_socket[link.descriptor] = link


def _places(address: Address | Sequence[Address]) -> tuple[str | None, list[Place]]:
    """What the addresses mean, or why that is not known."""
    several = [address] if isinstance(address[0], str) else address
    try:
        return None, look_up(cast(Sequence[Address], several))
    except (OSError, UnicodeError) as error:  # UnicodeError: no name at all
        return f"{several[0]}: {getattr(error, 'strerror', None) or error}", []
