"""What became of many calls, in columns: about 40 bytes a call, so that millions fit where objects would not.

May live here: keeping. May not: computing anything from it (`measure`).
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

LOST = 255  # of `status`: nobody answered
MOST_WORDS = 100  # different errors that are kept word by word


def _column() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Ledger:
    """A row a call, in the order of sending. Nanoseconds of the monotonic clock; 0 is not known.

    `status` is a place in `statuses`, or LOST. `errors` counts (status, words) of those that were not OK.
    """

    due: array[int] = field(default_factory=_column)
    sent: array[int] = field(default_factory=_column)
    first: array[int] = field(default_factory=_column)
    done: array[int] = field(default_factory=_column)
    status: bytearray = field(default_factory=bytearray)
    statuses: list[str] = field(default_factory=lambda: ["OK"])
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: int = 0  # calls that were due and never sent

    def __len__(self) -> int:
        return len(self.sent)

    def add(self, due_ns: int, sent_ns: int) -> int:
        """A call that was sent; its row."""
        self.due.append(due_ns)
        self.sent.append(sent_ns)
        self.first.append(0)
        self.done.append(0)
        self.status.append(LOST)
        return len(self.status) - 1

    def end(self, row: int, status: str, words: str, first_ns: int | None, done_ns: int) -> None:
        self.first[row], self.done[row] = first_ns or done_ns, done_ns
        if status == "OK":
            self.status[row] = 0
            return
        if status not in self.statuses:
            self.statuses.append(status)
        self.status[row] = self.statuses.index(status)
        key = (status, words)
        if key not in self.errors and len(self.errors) >= MOST_WORDS:
            key = (status, "other reasons")
        self.errors[key] += 1

    def counts(self) -> Counter[str]:
        """How many calls ended how; `LOST` are those that nobody answered."""
        found: Counter[str] = Counter()
        for code, name in [*enumerate(self.statuses), (LOST, "LOST")]:
            if number := self.status.count(code):
                found[name] = number
        return found
