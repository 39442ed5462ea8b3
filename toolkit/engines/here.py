"""The load sent from this machine, by generator processes of its own, to the entry as this machine reaches it.

May live here: these processes, from their start to their end. May not: what they are told (`generators`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable

from toolkit.engines import loaded
from toolkit.engines.base import Deployment, Driven
from toolkit.engines.generators import Generators
from toolkit.engines.loaded import Loss
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.load import addresses, pacing, share, wire
from toolkit.plan import Plan
from toolkit.results import Elapsed, Load, Progress

LOOPBACK = "127.0.0.1"
COMES_WITHIN_S = 30.0
LEAVES_WITHIN_S = 5.0
LAST_WORDS = 4096  # bytes
PROGRAM = (sys.executable, "-P", "-m", "toolkit.load.worker")


class Here:
    """A source of load: so many processes on this machine. `connections` None: one to each address of the entry."""

    def __init__(self, generators: int = 1, connections: int | None = None) -> None:
        self._count, self._connections = generators, connections

    async def drive(
        self,
        plan: Plan,
        deployment: Deployment,
        load: Load,
        *,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> Driven:
        pacing.validate(load)
        share.validate(load, self._count)
        entry = deployment.entry
        addresses.of(entry.target)
        order = wire.Order(
            *(entry.target, plan.run, plan.chain.name, plan.entry, load, share.WHOLE),
            authority=entry.authority,
            connections=self._connections,
        )
        async with Processes() as processes, Generators(LOOPBACK, self._count) as generators:
            if not stop.is_set():
                await processes.start(generators)
            await _come(processes, generators, stop)
            if not stop.is_set() and not await generators.get_ready(order, stop):
                await _see_why_not(processes, generators, stop)
            if stop.is_set():
                return Driven((), (), Elapsed(0, 0))
            moments = await generators.load(stop, on_progress)
            losses = {each.index: await processes.loss(each.index) for each in generators.lost}
            return await loaded.driven(generators, order, moments, losses, {"from": "here"})


class Processes:
    """Of one load. `async with` it: they are made to leave at its end. Where there is none (`kill -9`), they leave with
    the connection.
    """

    def __init__(self) -> None:
        self._started: list[Process] = []

    async def __aenter__(self) -> Processes:
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._started:
            _signal(each, signal.SIGTERM)
        for each in self._started:
            await _ended(each)

    async def start(self, generators: Generators) -> None:
        """In groups of their own: a Ctrl-C is told to them by whoever it was meant for."""
        host, port = generators.address
        for index in range(generators.count):
            self._started.append(
                await asyncio.create_subprocess_exec(
                    *(*PROGRAM, host, str(port), str(index)),
                    env={**os.environ, wire.TOKEN: generators.token},
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=PIPE,
                    start_new_session=True,
                )
            )

    @property
    def left(self) -> int | None:
        """The first that is gone; None while all are there."""
        return next((index for index, each in enumerate(self._started) if each.returncode is not None), None)

    async def loss(self, index: int) -> Loss:
        """Why one is gone that should not be; one that is still there and was not heard is ended."""
        process = self._started[index]
        silent = process.returncode is None and not await _leaves(process, within_s=1.0)
        last = await _ended(process)
        how = "it was not heard any more" if silent else _how(process.returncode)
        said = f"; its last words: {last[-1]}" if last else ""
        return Loss(how + said, f"generator-{index}", last)


async def _come(processes: Processes, generators: Generators, stop: asyncio.Event) -> None:
    """Returns once all have come, or nobody wants them any more. Raises EngineError."""

    async def settled() -> bool:
        return generators.all_here or stop.is_set() or processes.left is not None

    await until(settled, within_s=COMES_WITHIN_S, every_s=0.002)
    if generators.all_here or stop.is_set():
        return
    cause = "it was not heard in time"
    if generators.refused:
        cause = generators.refused
    elif processes.left is not None:
        cause = (await processes.loss(processes.left)).cause
    raise EngineError(
        f"a generator of the load did not come: {cause}",
        next_step="see that this machine can start another Python, and has memory left",
    )


async def _see_why_not(processes: Processes, generators: Generators, stop: asyncio.Event) -> None:
    """Raises EngineError: a load that begins without some of its generators would be another load."""
    if stop.is_set():
        return
    causes = [(await processes.loss(each.index)).cause for each in generators.lost]
    raise EngineError(
        f"a generator of the load cannot work: {causes[0] if causes else 'it was not ready in time'}",
        next_step="see whether this machine has too much to do",
    )


async def _leaves(process: Process, within_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), within_s)
    return process.returncode is not None


async def _ended(process: Process) -> tuple[str, ...]:
    """Its last lines, once it has left, or was made to."""
    if not await _leaves(process, LEAVES_WITHIN_S):
        _signal(process, signal.SIGKILL)
        await process.wait()
    data = await process.stderr.read() if process.stderr is not None else b""
    return tuple(data[-LAST_WORDS:].decode(errors="replace").splitlines())


def _signal(process: Process, number: int) -> None:
    """To its group. (`Process.terminate` looks first whether it has left, and so takes its status from asyncio.)"""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it has left
            os.killpg(process.pid, number)


def _how(status: int | None) -> str:
    if status is None or status >= 0:
        return f"it left with exit status {status}"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal
        return f"it was ended by signal {-status}"
