"""One process that sends a share of a load: `python -m toolkit.load.sending`, asked for by `toolkit.load.senders`.

May live here: what the two processes say to each other, and this one's end of it. May not: anything about other shares.

It is asked on standard input (a pickled `Job` of its own parent's, behind its length), answers with a JSON object a
line, and begins when it is told the moment. A line that is not taken at once is dropped, unless it is the last one: a
parent that is busy must not hold up a load. Who closes standard input wants it to end.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.load import direct, priority
from toolkit.load.direct import Manner, Unreachable
from toolkit.load.ledger import Ledger
from toolkit.load.rowfile import RowFile
from toolkit.load.sendable import Sendable
from toolkit.load.share import Share
from toolkit.results import Load, Progress

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Job:
    """A share of a load, and the file for its rows."""

    request: Sendable
    load: Load
    share: Share
    manner: Manner
    rows: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """What a generator tells at its end. `trouble`: why some of its rows are missing in its file."""

    sent: int
    refused: int
    warmup: int
    started_ns: int
    last_ns: int
    statuses: tuple[str, ...]
    ended: Mapping[str, int]
    errors: tuple[tuple[str, str, int], ...]
    cpu: float | None
    scheduling: str
    memory_bytes: int | None
    trouble: str | None
    latency: bytes
    lateness: bytes


def ask(job: Job) -> bytes:
    """The bytes that a generator is asked with."""
    asked = pickle.dumps(job)
    return len(asked).to_bytes(8, "big") + asked


def told(line: Mapping[str, Any]) -> Ended:
    """What the last line said."""
    found = dict(line["ended"])
    found["statuses"] = tuple(found["statuses"])
    found["errors"] = tuple((status, words, calls) for status, words, calls in found["errors"])
    for name in ("latency", "lateness"):
        found[name] = base64.b64decode(found[name])
    return Ended(**found)


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whoever asked decides when it is over
        signal.signal(number, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.fileno()
    os.set_blocking(sink, False)
    job: Job = pickle.loads(source.read(int.from_bytes(source.read(8), "big")))  # noqa: S301 - of our own parent
    words = _Words(source, sink)
    scheduling = priority.before_others(job.share.of)
    rows = RowFile(job.rows)
    try:
        ended = _drive(job, rows, words, scheduling)
    except Unreachable as error:
        words.last({"unreachable": str(error)})
        return 1
    finally:
        rows.close()
    words.last({"ended": ended(rows.trouble)})
    return 0


def _drive(job: Job, rows: RowFile, words: _Words, scheduling: str) -> Any:
    """Sends the share; the last line, once it is known whether all rows are in their file."""
    began: list[int] = []

    def begin() -> int:
        gc.collect()
        gc.freeze()  # what is here stays: nothing of it is looked at again while the load runs
        began.append(words.begin())
        began.extend((time.monotonic_ns(), time.process_time_ns()))
        return began[0]

    ledger = direct.drive(
        job.request,
        job.load,
        rows,
        share=job.share,
        manner=job.manner,
        begin=begin,
        stopped=words.stopped,
        on_progress=words.progress,
    )
    start, from_ns, used_ns = began
    took_ns = time.monotonic_ns() - from_ns
    cpu = (time.process_time_ns() - used_ns) / took_ns if took_ns > 0 else None
    return lambda trouble: {"scheduling": scheduling, **_last(ledger, start, cpu, trouble)}


def _last(ledger: Ledger, started_ns: int, cpu: float | None, trouble: str | None) -> Mapping[str, Any]:
    return {
        "sent": ledger.sent,
        "refused": ledger.refused,
        "warmup": ledger.warmup,
        "started_ns": started_ns,
        "last_ns": ledger.last_ns,
        "statuses": ledger.statuses,
        "ended": dict(ledger.ended),
        "errors": [[status, words, calls] for (status, words), calls in ledger.errors.most_common()],
        "cpu": cpu,
        "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # KiB, on Linux
        "trouble": trouble,
        "latency": base64.b64encode(ledger.latency.to_bytes()).decode(),
        "lateness": base64.b64encode(ledger.lateness.to_bytes()).decode(),
    }


class _Words:
    """This process's end of the conversation."""

    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._source, self._sink = source, sink
        self._over = threading.Event()
        self._quantiles: tuple[int | None, int | None] = (None, None)
        self._looked_s = 0.0

    def begin(self) -> int:
        """Says that connections stand; the moment that it is told to begin at. From then on an end of input is one."""
        self._write({"ready": True})
        line = self._source.readline()
        if not line.strip():
            self._over.set()
            return time.monotonic_ns()
        threading.Thread(target=self._wait_for_the_end, daemon=True).start()
        return int(line)

    def _wait_for_the_end(self) -> None:
        while os.read(self._source.fileno(), 65_536):  # not by its buffer: whose lock would be held when we exit
            pass
        self._over.set()

    def stopped(self) -> bool:
        return self._over.is_set()

    def progress(self, progress: Progress, ledger: Ledger) -> None:
        if progress.elapsed_s - self._looked_s >= 1:  # it takes some tenths of a millisecond
            self._looked_s = progress.elapsed_s
            self._quantiles = ledger.latency.quantile(0.5), ledger.latency.quantile(0.99)
        counts = (progress.planned, progress.sent, progress.ok, progress.failed, progress.in_flight, progress.elapsed_s)
        self._write(
            {"progress": [*counts, *(each and each / 1e3 for each in self._quantiles)], "statuses": ledger.statuses}
        )

    def last(self, line: Mapping[str, Any]) -> None:
        os.set_blocking(self._sink, True)
        self._write(line)

    def _write(self, line: Mapping[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # nobody reads: of no use, and no harm
            while data:
                data = data[os.write(self._sink, data) :]


if __name__ == "__main__":
    raise SystemExit(main())
