"""What became of many calls: a row each, in a file, and what can be told of all of them at any time, in little memory.

May live here: keeping and counting. May not: sending; anything computed from rows (`measure`).

Memory does not grow with the length of a load: only calls in flight are kept, and histograms of fixed size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from toolkit.columns import LOST, MOST_MESSAGES, REFUSED, ROW, WARMUP
from toolkit.load.hdr import Histogram
from toolkit.load.http2.stream import Ended

MOST_WORDS = 100  # different errors that are kept word by word
MOST_STATUSES = 250  # of the table: more than any protocol has; the rest is told as the last one
OTHER = "other reasons"
FLUSH_NS = 250_000_000  # how old a row may become before it is on its way to the file
_pack = ROW.pack


class Rows(Protocol):
    """Where packed rows go (`rowfile.RowFile`)."""

    def append(self, row: bytes) -> None: ...

    def flush(self) -> None: ...


class Ledger:
    """The calls of one generator. Times are nanoseconds of the monotonic clock.

    `statuses` is the table that rows point into. `errors` counts (status, words) of calls that were not OK.
    `latency` and `lateness` are in nanoseconds; of calls that were answered OK, and of all of an open loop, without the
    warm-up.
    """

    def __init__(self, rows: Rows, *, size: int = 0, open_loop: bool = True) -> None:
        self._rows, self._size, self._open = rows, size, open_loop
        self._flying: dict[int, tuple[int, int, int]] = {}
        self._flushed_ns = 0
        self.statuses: list[str] = ["OK"]
        self.ended: Counter[str] = Counter()  # how many ended how, without the warm-up
        self.errors: Counter[tuple[str, str]] = Counter()
        self.sent = self.refused = self.warmup = 0
        self.first_due_ns: int | None = None
        self.last_ns = 0
        self.latency, self.lateness = Histogram(), Histogram()

    def __len__(self) -> int:
        return self.sent

    def add(self, seq: int, due_ns: int, sent_ns: int, flags: int) -> None:
        """A call that is sent now."""
        self._flying[seq] = (due_ns, sent_ns, flags)
        self.sent += 1
        if self.first_due_ns is None:
            self.first_due_ns = due_ns
        if self._open and not flags & WARMUP:
            self.lateness.record(sent_ns - due_ns)

    def end(self, each: Ended, *, lost: bool = False) -> None:
        """What became of it. `lost`: nobody waits for it any more; it has no end."""
        due_ns, sent_ns, flags = self._flying.pop(each.token)
        done_ns, status = each.done_ns, each.status
        if lost:
            self._end_lost(each.token, due_ns, sent_ns, flags)
            return
        reply = each.reply
        row = _pack(
            each.token,
            due_ns,
            sent_ns,
            each.first_ns or 0,
            done_ns,
            0,
            self._size,
            0 if reply is None else len(reply),
            0,
            0 if status == "OK" else self._place(status),
            flags,
            min(each.messages, MOST_MESSAGES),
        )
        self._rows.append(row)
        if done_ns - self._flushed_ns > FLUSH_NS:
            self._flushed_ns = done_ns
            self._rows.flush()
        self.last_ns = done_ns
        if flags & WARMUP:
            self.warmup += 1
            return
        self.ended[status] += 1
        if status == "OK":
            self.latency.record(done_ns - due_ns)
        else:
            self._explain(status, each.message)

    def _end_lost(self, seq: int, due_ns: int, sent_ns: int, flags: int) -> None:
        self._rows.append(_pack(seq, due_ns, sent_ns, 0, 0, 0, self._size, 0, 0, LOST, flags, 0))
        if flags & WARMUP:
            self.warmup += 1
        else:
            self.ended["LOST"] += 1

    def refuse(self, seq: int, due_ns: int, now_ns: int, flags: int) -> None:
        """A call that was due and is never sent."""
        self.refused += 1
        self._rows.append(_pack(seq, due_ns, now_ns, 0, 0, 0, 0, 0, 0, LOST, flags | REFUSED, 0))

    def _place(self, status: str) -> int:
        if status not in self.statuses:
            if len(self.statuses) >= MOST_STATUSES:
                return len(self.statuses) - 1
            self.statuses.append(status)
        return self.statuses.index(status)

    def _explain(self, status: str, words: str) -> None:
        key = (status, words)
        if key not in self.errors and len(self.errors) >= MOST_WORDS:
            key = (status, OTHER)
        self.errors[key] += 1

    def counts(self) -> Mapping[str, int]:
        """How many calls ended how; `LOST` are those that nobody answered."""
        return self.ended
