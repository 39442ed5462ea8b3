"""The caller: one side of every call into an entry. Makes the requests and keeps what became of them.

May live here: what a call says, and what is kept of it until somebody takes it. May not: when it is due (`pacing`,
`driving`), sockets, records (`telling`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from toolkit import contract
from toolkit.load.driving import LOST
from toolkit.load.greeting import Greetings
from toolkit.load.http2 import grpc, headers
from toolkit.load.http2.stream import Ended
from toolkit.load.identity import Identity, identities
from toolkit.load.share import Share
from toolkit.load.telling import Told
from toolkit.results import Load

MOST_WORDS = 1 << 20  # bytes of answers and errors that are taken at once, besides the last one's
_TRACEPARENT = len("00-") + 32 + len("-") + 16 + len("-00")
_Sent = tuple[int, int, int, bytes]
"""Due, sent, sent on the wall clock; the message."""


@dataclass(frozen=True, slots=True)
class Whom:
    """What calls carry besides their own ids: the chain that they ask for, and the authority."""

    run: str
    chain: str
    authority: str


class Caller:
    """The calls of one share of a load, as `driving.Calls` wants them.

    What has ended waits to be taken, a few at a time: nothing is encoded or hashed while a call may be due.
    """

    def __init__(self, whom: Whom, load: Load, share: Share, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock, self._who = clock, identities(whom.run, load, share)
        self._greetings, self._head = Greetings(whom.chain), _heads(whom.authority, load.timeout_s)
        self._flying: dict[int, _Sent] = {}
        self._ended: deque[tuple[Ended, _Sent]] = deque()
        self._refused: deque[Told] = deque()

    def next(self, due_ns: int, now_ns: int) -> tuple[int, bytes, bytes]:
        who, wall_ns = next(self._who), self._clock()
        message = self._greetings.request(who.call, who.seq, wall_ns + due_ns - now_ns)
        self._flying[who.seq] = (due_ns, now_ns, wall_ns, message)
        return who.seq, self._head(who), grpc.message(message)

    def ended(self, each: Ended) -> None:
        self._ended.append((each, self._flying.pop(each.token)))

    def refused(self, due_ns: int, now_ns: int, why: str) -> None:
        who = next(self._who)
        error = f"the generator did not send it: {why}"
        told = Told(who.seq, due_ns, now_ns, None, now_ns, 0, "RESOURCE_EXHAUSTED", error=error, refused=True)
        self._refused.append(told)

    @property
    def waiting(self) -> int:
        """How many have ended, and were not taken."""
        return len(self._ended) + len(self._refused)

    def take(self, most: int) -> list[Told]:
        """The first of those, fewer where there is much to tell of each."""
        found: list[Told] = []
        words = 0
        while len(found) < most and words < MOST_WORDS and self.waiting:
            found.append(_told(*self._ended.popleft()) if self._ended else self._refused.popleft())
            words += len(found[-1].reply or b"") + len(found[-1].error)
        return found


def _told(each: Ended, sent: _Sent) -> Told:
    due_ns, sent_ns, wall_ns, message = sent
    return Told(
        *(each.token, due_ns, sent_ns, each.first_ns, each.done_ns, wall_ns, each.status),
        *(len(message), contract.digest(message)),
        reply=each.reply,
        reply_digest=None if each.reply is None else contract.digest(each.reply),
        error="" if each.status in ("OK", LOST) else each.message,
    )


def _heads(authority: str, timeout_s: float) -> Callable[[Identity], bytes]:
    """Makes the header block of a call: everything but its message id and its trace context is encoded once."""
    zero = [(contract.MESSAGE_KEY.encode(), b"0" * 32), (b"traceparent", b"0" * _TRACEPARENT)]
    same = [(b"grpc-timeout", grpc.timeout(timeout_s)), (contract.SENDER_KEY.encode(), contract.CALLER.encode())]
    whole = headers.encode(grpc.request_headers(f"/{contract.ENTRY_METHOD}", authority, [*same, *zero]))
    between = headers.encode(zero[1:])[:-_TRACEPARENT]
    before = whole[: -len(between) - _TRACEPARENT - 32]

    def head(who: Identity) -> bytes:
        flags = b"01" if who.sampled else b"00"
        return b"%b%b%b00-%b-%b-%b" % (before, who.call.encode(), between, who.trace.encode(), who.span.encode(), flags)

    return head
