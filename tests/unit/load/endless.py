"""A load on nobody, as fast as it goes, in a process of its own: `python -m tests.unit.load.endless CALLS FILE`.

Everything that a call passes through takes part, but a socket. Prints how many bytes the process had in memory at most.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from toolkit.load.direct import drive
from toolkit.load.http2.stream import Ended
from toolkit.load.rowfile import RowFile
from toolkit.load.sendable import Heads
from toolkit.results import Load


class Instant:
    """Answers at once."""

    def __init__(self) -> None:
        self._submitted: list[int] = []

    @property
    def in_flight(self) -> int:
        return len(self._submitted)

    def dial(self) -> str | None:
        return None

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        self._submitted.append(token)

    def step(self, until_ns: int) -> list[Ended]:
        now = time.monotonic_ns()
        ended = [Ended(token, "OK", "", b"", now, now) for token in self._submitted]
        self._submitted.clear()
        return ended

    def give_up(self, status: str, why: str) -> list[Ended]:
        return []

    def close(self) -> None:
        self._submitted.clear()


class ToNobody:
    """Something to send to them."""

    target, body = "nobody", b"hello"

    def lines(self, load: Load, connections: int | None) -> Instant:
        return Instant()

    def heads(self, load: Load) -> Heads:
        return lambda context: context


def main(calls: int, path: Path) -> None:
    rows = RowFile(path)
    ledger = drive(ToNobody(), Load(requests=calls, concurrency=10), rows)
    rows.close()
    assert ledger.counts() == {"OK": calls}
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)  # KiB, on Linux


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
