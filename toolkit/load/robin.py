"""Several servers of one method, each called in its turn, as vSwarm's invoker calls the functions of a list.

May live here: which call goes to which of them, and that one which hangs holds up nobody else. May not: reading the
list (`endpoints`), and all that `client` does for one server.

The n-th call of a load goes to the (n mod servers)-th server, whichever process sends it: rows tell whom they are of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.load.client import Client
from toolkit.load.direct import Request
from toolkit.load.http2.stream import ENDED, Stream
from toolkit.load.link import UNREAD, Link
from toolkit.load.places import Place, look_up
from toolkit.load.sendable import Heads
from toolkit.results import Load

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Robin:
    """The same message to each of several targets, in turn."""

    requests: tuple[Request, ...]

    @property
    def target(self) -> str:
        more = len(self.requests) - 1
        return f"{self.requests[0].target}" + (f" and {more:,} more in turn" if more else "")

    @property
    def size(self) -> int:
        return len(self.requests[0].message)

    @property
    def body(self) -> bytes:
        return self.requests[0].body

    def lines(self, load: Load, connections: int | None) -> InTurn:
        addresses = [(each.target.host, each.target.port) for each in self.requests]
        return InTurn(addresses, [each.heads(load) for each in self.requests], connections or 1)

    def heads(self, load: Load) -> Heads:
        """The context alone: whom a call is for, and so its head, is told by its place (`InTurn.submit`)."""
        return bytes


class InTurn(Client):
    """A client of several servers: the call with token `n` goes to the server `n` modulo their number."""

    def __init__(self, addresses: Sequence[Address], heads: Sequence[Heads], connections: int) -> None:
        super().__init__(addresses[:1], 0)
        self._heads, self._servers, self._unknown = heads, len(addresses), None
        try:
            places = [_places(each) for each in addresses]
        except (OSError, UnicodeError) as error:  # UnicodeError: no name at all
            self._unknown = str(error)
            return
        self._links = [Link(self._poll, places[at % self._servers], 0) for at in range(self._servers * connections)]

    def dial(self) -> str | None:
        """As of a client; of several servers the reason names the one."""
        why = super().dial()
        away = next((each for each in self._links if not each.connected), None)
        return why if why is None or away is None else f"{away.place}: {away.why}"

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        """As of a client, but `block` is a trace context; and who waits for one server does not wait for another."""
        call = Stream(token, self._heads[token % self._servers](block), message, deadline_ns)
        self.in_flight += 1
        self._deadlines.append(call)
        if not self._send(call):
            self._waiting.append(call)

    def _of(self, call: Stream) -> Sequence[Link]:
        return self._links[call.token % self._servers :: self._servers]

    def _send(self, call: Stream) -> bool:
        now_ns = self._clock()
        free = [
            each
            for each in self._of(call)
            if each.connected
            and each.http2.room > 0
            and len(each.http2.outgoing) < UNREAD
            and (not each.held_ns or each.held_ns <= now_ns)
        ]
        if not free:
            return False
        link = min(free, key=lambda each: each.http2.in_flight)
        call.link = link
        link.http2.begin(call)
        return True

    def _send_waiting(self) -> None:
        waiting, self._waiting, now_ns = self._waiting, deque(), self._clock()
        for call in waiting:
            if call.number == ENDED or self._send(call):
                continue
            links = self._of(call)
            if all(each.failed and not each.socket and each.wait_ns > now_ns for each in links):
                self._cancel(call, "UNAVAILABLE", links[0].why, now_ns)
            else:
                self._waiting.append(call)


def _places(address: Address) -> list[Place]:
    try:
        return look_up([address])
    except OSError as error:
        raise OSError(f"{address[0]}: {error.strerror or error}") from error
