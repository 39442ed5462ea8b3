"""One real process: started in a group of its own, logged to a file, restarted when it crashes, ended without trace."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import secrets
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.contract import EXIT_PORT_TAKEN, REPLICA
from toolkit.engines.local import sentinel

LOG_TAIL = 12  # lines
LOG_READ = 64 << 10  # bytes from a log's end that are looked at for them
LONGEST_LINE = 1 << 20  # bytes that a service may say at once
STOP_GRACE_S = 10.0
BACKOFF_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)  # between restarts; the last one repeats
STABLE_S = 1.0  # a process that lived this long starts the back-off anew
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. `environment` is added to the few variables every process gets (`PASSED_ON`).

    `name` is unique in a deployment; `function` is what reports speak of when it is one of several replicas.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    function: str | None = None


class Watch:
    """The toolkit's end of the sentinel: every group it tells of is ended when the toolkit is gone."""

    def __init__(self, process: asyncio.subprocess.Process, token: str) -> None:
        self._process, self.token = process, token

    @staticmethod
    async def start(folder: Path) -> Watch:
        token = secrets.token_hex(16)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", sentinel.__file__, token, str(folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        return Watch(process, token)

    def tell(self, sign: str, pid: int) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{sign}{pid}\n".encode())

    async def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(sentinel.BYE.encode())
            self._process.stdin.close()
        await self._process.wait()


@dataclass(frozen=True, slots=True)
class Crash:
    """A process that left on its own."""

    name: str
    subject: str
    replica: str
    status: int
    log_tail: tuple[str, ...]
    restarted: bool = True

    @property
    def how(self) -> str:
        if self.status >= 0:
            return f"left with exit status {self.status}"
        return f"was ended by {_signal_name(-self.status)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


class Supervised:
    """A process that is started again when it crashes, until `stop`.

    `replica` is drawn for every start and handed to the process in its environment, so that receipts tell which
    incarnation handled what. `on_crash` is told of every crash; `on_line` of every line on standard output, which
    goes to the log otherwise.
    """

    def __init__(
        self,
        command: Command,
        watch: Watch,
        folder: Path,
        *,
        on_crash: Callable[[Crash], None],
        on_line: Callable[[bytes], None] | None = None,
        keep_input: bool = False,
    ) -> None:
        self._command, self._watch, self._on_crash, self._on_line = command, watch, on_crash, on_line
        self._keep_input = keep_input
        self.log = folder / f"{command.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._told_to_stop = asyncio.Event()
        self._asked_for = {0, -signal.SIGTERM}  # the statuses of a process that leaves because it was told to
        self.replica = ""
        self.crashes = 0
        self.last_crash: Crash | None = None

    @property
    def name(self) -> str:
        return self._command.name

    @property
    def _stopping(self) -> bool:
        return self._told_to_stop.is_set()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        await self._spawn()
        self._task = asyncio.create_task(self._supervise(), name=f"supervise {self.name}")

    @property
    def last_status(self) -> int | None:
        """The exit status of the last crash, negative for a signal."""
        return self.last_crash.status if self.last_crash is not None else None

    def log_tail(self) -> tuple[str, ...]:
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_READ))
            return tuple(file.read().decode(errors="replace").splitlines()[-LOG_TAIL:])
        return ()

    def say(self, line: bytes) -> None:
        """A line on the process's standard input, if it has one that somebody may still read."""
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line)

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Asks the process to leave (SIGTERM), makes it leave after `grace_s`. Twice is as good as once."""
        self._told_to_stop.set()
        if self._task is None:
            return
        self.signal(signal.SIGTERM)
        await asyncio.wait((self._task,), timeout=grace_s)
        if not self._task.done():
            self._asked_for.add(-signal.SIGKILL)
            self.signal(signal.SIGKILL)
            await asyncio.wait((self._task,))
        if self.pid is not None and self._process is not None:  # whoever watched it is gone before it
            self.signal(signal.SIGKILL)
            await self._process.wait()

    def signal(self, number: int) -> None:
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)

    async def _spawn(self) -> None:
        self.replica = secrets.token_hex(6)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command.arguments,
                env=self._environment(),
                stdin=asyncio.subprocess.PIPE if self._keep_input else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self._on_line else log,
                stderr=log,
                limit=LONGEST_LINE,
                start_new_session=True,
            )
        self._watch.tell("+", self._process.pid)
        if self._stopping:  # asked to stop while the process was being made
            self.signal(signal.SIGTERM)

    def _environment(self) -> dict[str, str]:
        passed = {name: value for name in PASSED_ON if (value := os.environ.get(name)) is not None}
        own = {sentinel.TOKEN: self._watch.token, REPLICA: self.replica}
        return {**passed, **self._command.environment, **own}

    async def _supervise(self) -> None:
        loop, quick = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            crash = await self._run_out()
            if self._stopping and crash.status in self._asked_for:
                return
            await asyncio.to_thread(sentinel.end_carriers, REPLICA, crash.replica)  # what it started, in any group
            crash = dataclasses.replace(crash, restarted=not self._stopping and crash.status != EXIT_PORT_TAKEN)
            self.crashes, self.last_crash = self.crashes + 1, crash
            self._on_crash(crash)
            if not crash.restarted:
                return
            quick = 0 if loop.time() - began > STABLE_S else quick + 1
            await self._pause(BACKOFF_S[min(quick, len(BACKOFF_S)) - 1] if quick else 0.0)
            if self._stopping:
                return
            await self._spawn()

    async def _pause(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told_to_stop.wait(), pause_s)

    async def _run_out(self) -> Crash:
        process = self._process
        if process is None:
            raise RuntimeError(f"{self.name} is supervised before it was started")
        if process.stdout is not None and self._on_line is not None:
            await _each_line(process.stdout, self._on_line)
        status = await process.wait()
        self._watch.tell("-", process.pid)
        return Crash(self.name, self._command.function or self.name, self.replica, status, self.log_tail())


async def _each_line(stream: asyncio.StreamReader, on_line: Callable[[bytes], None]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than LONGEST_LINE: nothing that is said here is; what was read of it is gone
            continue
        if not line:
            return
        on_line(line)


async def stop_all(processes: Sequence[Supervised], grace_s: float = STOP_GRACE_S) -> None:
    await asyncio.gather(*(process.stop(grace_s) for process in processes))
