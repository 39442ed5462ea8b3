"""A load sent by several processes at once, each with its share of the one schedule (`share`), from one moment on.

May live here: starting them, following them, and saying what became of each. May not: rows; those go from each process
into a file of its own.

One that dies takes nothing of the others with it; what it had written down by then counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import EngineError
from toolkit.load import sending
from toolkit.load.direct import Manner, Unreachable
from toolkit.load.sendable import Sendable
from toolkit.load.share import Share, shares, together
from toolkit.results import Load, Progress

SECOND = 1_000_000_000
TICK_S = 0.1
READY_S = 30.0  # for processes to start and to connect
AHEAD_NS = SECOND // 10  # the beginning lies so far ahead that each hears of it in time
STOPPED_S = 15.0  # for a process to end once it was asked to


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one share. `ended` is None when its process died; then `why`, and `gone_ns`, when it was seen."""

    share: Share
    rows: Path
    ended: sending.Ended | None
    why: str | None = None
    gone_ns: int | None = None
    told: Progress | None = None  # the last time that it said how far it was
    statuses: tuple[str, ...] = ("OK",)  # the table that its rows point into, as far as it is known


def send(
    request: Sendable,
    load: Load,
    generators: int,
    manner: Manner,
    folder: Path,
    *,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[int, Sequence[Part]]:
    """The moment that due times count from, and what became of each share; soon, once `stopped` says so.

    Rows go to new files in `folder`. Raises Unreachable when somebody could not connect, EngineError when a process
    could not be brought so far.
    """
    each = [_Sender(job, folder) for job in _jobs(request, load, generators, manner, folder)]
    try:
        _until_ready(each, stopped)
        start_ns = time.monotonic_ns() + AHEAD_NS
        for sender in each:
            sender.hang_up() if stopped() else sender.say(b"%d\n" % start_ns)
        _follow(each, stopped, on_progress)
        return start_ns, tuple(sender.part() for sender in each)
    finally:
        for sender in each:
            sender.end()


def _jobs(request: Sendable, load: Load, generators: int, manner: Manner, folder: Path) -> Iterator[sending.Job]:
    for share in shares(generators):
        yield sending.Job(request, load, share, manner, folder / f"rows-{share.index}")


def _until_ready(senders: Sequence[_Sender], stopped: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_S
    while not all(each.ready for each in senders) and not stopped():
        _listen(senders)
        for each in senders:
            if each.unreachable is not None:
                raise Unreachable(each.unreachable)
            if each.gone and not each.ready:
                raise EngineError(f"a generator could not begin: {each.why()}")
        if time.monotonic() > deadline:
            raise EngineError(f"a generator was not ready within {READY_S:g} s", next_step="see what else runs here")


def _follow(senders: Sequence[_Sender], stopped: Callable[[], bool], tell: Callable[[Progress], None] | None) -> None:
    asked_s: float | None = None
    while not all(each.gone for each in senders):
        _listen(senders)
        parts = [each.progress for each in senders if each.progress is not None]
        if tell is not None and len(parts) == len(senders):
            tell(parts[0] if len(parts) == 1 else together(parts))
        if asked_s is None and stopped():
            asked_s = time.monotonic()
            for each in senders:
                each.hang_up()
        if asked_s is not None and time.monotonic() - asked_s > STOPPED_S:
            for each in senders:
                each.kill()


def _listen(senders: Sequence[_Sender]) -> None:
    """To whatever they say, for a tick at most."""
    with selectors.DefaultSelector() as selector:
        for each in senders:
            if not each.gone:
                selector.register(each.output, selectors.EVENT_READ, each)
        for key, _ in selector.select(TICK_S):
            key.data.hear()


class _Sender:
    """One process, seen from here."""

    def __init__(self, job: sending.Job, folder: Path) -> None:
        self._job = job
        self._log = folder / f"log-{job.share.index}"
        words = (sys.executable, "-m", sending.__name__)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        assert self._process.stdout is not None
        self.output = self._process.stdout
        self._heard = b""
        self._last: dict[str, Any] | None = None
        self._gone_ns: int | None = None
        self.progress: Progress | None = None
        self._statuses: tuple[str, ...] = ("OK",)
        self.ready = False
        self.unreachable: str | None = None
        self.say(sending.ask(job))

    @property
    def gone(self) -> bool:
        return self._gone_ns is not None

    def say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is heard of soon that it has gone
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def hang_up(self) -> None:
        """Asks it to end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def hear(self) -> None:
        data = os.read(self.output.fileno(), 1 << 20)
        if not data:
            self._gone_ns = time.monotonic_ns()
            self._process.wait()
            return
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, said: dict[str, Any]) -> None:
        if "progress" in said:
            self.progress, self._statuses = Progress(*said["progress"]), tuple(said["statuses"])
        elif "unreachable" in said:
            self.unreachable = said["unreachable"]
        elif "ready" in said:
            self.ready = True
        else:
            self._last = said

    def why(self) -> str:
        """What became of a process that ended before its time."""
        code = self._process.returncode
        told = self._log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
        how = f"it was killed by signal {-code}" if code is not None and code < 0 else f"it ended with status {code}"
        return f"{how}: {told}" if told else how

    def part(self) -> Part:
        ended = None if self._last is None else sending.told(self._last)
        why = None if ended is not None else self.why()
        statuses = self._statuses if ended is None else ended.statuses
        return Part(self._job.share, self._job.rows, ended, why, self._gone_ns, self.progress, statuses)

    def kill(self) -> None:
        """Its end will be heard."""
        if not self.gone:
            self._process.kill()

    def end(self) -> None:
        """It is gone, whatever it was doing."""
        self.hang_up()
        self._process.kill()
        self._process.wait()
        self.output.close()
