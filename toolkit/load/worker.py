"""A generator of its own, where the functions are: it is given a share of a load, and sends it as any generator does.

`python -m toolkit.load.worker HOST PORT INDEX` connects to whoever divides the load, does what it is told (`wire`) and
leaves when that is done or the connection ends. What it cannot do it says on standard error, and leaves with status 3.
May not live here: how calls are sent (`generator`), anything that knows of clusters.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.load import health, wire
from toolkit.load.generator import drive
from toolkit.load.wire import Order
from toolkit.results import CallRecord, Progress
from toolkit.traces.model import Span

CONNECT_WITHIN_S = 15.0
TRY_AGAIN_S = 0.2
AT_ONCE = 16  # records that become a line between two calls: encoding must not make the generator late
TELL_S = 0.1
CANNOT = 3  # exit status
BOOT = Path("/proc/sys/kernel/random/boot_id")


class Cannot(ToolkitError):
    """The generator cannot work, and why."""


def main(arguments: Sequence[str]) -> int:
    try:
        host, port, index = arguments
        asyncio.run(work(host, int(port), int(index), os.environ.get(wire.TOKEN, "")))
    except ToolkitError as error:
        sys.stderr.write(f"toolkit.load.worker: {error}\n")
        return CANNOT
    return 0


async def work(host: str, port: int, index: int, token: str) -> None:
    """Returns when the load is done, or nobody wants it any more. Raises ToolkitError."""
    reader, writer = await _connected(host, port)
    try:
        await Worker(reader, writer).run(wire.Hello(token, index, wire.VERSION, kernel()))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _connected(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A pod's network may take a moment to be there."""
    end = time.monotonic() + CONNECT_WITHIN_S
    while True:
        try:
            async with asyncio.timeout(max(TRY_AGAIN_S, end - time.monotonic())):
                return await asyncio.open_connection(host, port, limit=wire.MAX_LINE)
        except (OSError, TimeoutError) as error:
            if time.monotonic() >= end:
                why = error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
                raise Cannot(f"cannot reach {host} port {port}: {why}") from error
            await asyncio.sleep(TRY_AGAIN_S)


async def _see_that_it_serves(order: Order) -> None:
    """Raises Cannot. A route takes a moment to be known everywhere."""
    end = time.monotonic() + order.healthy_s
    while time.monotonic() < end:
        if (said := await health.complaint(order.target, order.authority)) is None:
            return
        if time.monotonic() + TRY_AGAIN_S >= end:
            raise Cannot(f"asked {order.target} in vain whether it serves: {said}")
        await asyncio.sleep(TRY_AGAIN_S)


def kernel() -> str:
    """Says whose monotonic clock this is: processes of one boot of one kernel share it."""
    try:
        return BOOT.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class Worker:
    """One connection, and the load that it asks for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._start: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._trouble: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._calls: list[CallRecord] = []
        self._roots: list[Span] = []
        self._told = 0, 0  # calls and roots
        self._load: asyncio.Task[None] | None = None

    async def run(self, hello: wire.Hello) -> None:
        self._writer.write(wire.line(hello=wire.fields(hello)))
        hearing = asyncio.create_task(self._hear())
        try:
            await asyncio.wait((hearing, self._trouble), return_when=asyncio.FIRST_COMPLETED)
            if self._trouble.done():
                self._trouble.result()
            with contextlib.suppress(ConnectionError):  # whoever wanted the load is gone
                hearing.result()
        finally:
            tasks = [each for each in (hearing, self._load) if each is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self) -> None:
        """Returns when the connection ends, which is how it is told that all has come."""
        async for line in self._reader:
            try:
                said = wire.message(line)
                self._heed(said)
            except ValueError as error:
                raise Cannot(f"was told what it does not understand: {error}") from error

    def _heed(self, said: wire.Message) -> None:
        if "clock" in said:
            self._writer.write(wire.line(clock=said["clock"], mine=time.monotonic_ns()))
        if "order" in said and self._load is None:
            self._load = asyncio.create_task(self._send(wire.order_of(said["order"])))
            self._load.add_done_callback(self._failed)
        if "start" in said and not self._start.done():
            self._start.set_result(int(said["start"]))
        if "stop" in said:
            self._stop.set()
            if not self._start.done():
                self._start.set_result(time.monotonic_ns())

    def _failed(self, load: asyncio.Task[None]) -> None:
        """A load that cannot be sent ends the generator."""
        if not load.cancelled() and (error := load.exception()) is not None and not self._trouble.done():
            self._trouble.set_exception(error)

    async def _send(self, order: Order) -> None:
        await _see_that_it_serves(order)
        began = time.time_ns(), time.monotonic_ns()
        progress: list[Progress] = []
        telling = asyncio.create_task(self._tell_of(progress))
        try:
            await drive(
                order.target,
                order.load,
                run=order.run,
                chain=order.chain,
                entry=order.entry,
                authority=order.authority,
                share=order.share,
                records=self._calls,
                spans=self._roots,
                begin=self._ready,
                on_progress=lambda now: progress.__setitem__(slice(None), [now]),
                stop=self._stop,
            )
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        await self._tell(progress)
        took = {"wall_ns": time.time_ns() - began[0], "monotonic_ns": time.monotonic_ns() - began[1]}
        self._writer.write(wire.line(done=took))
        await self._writer.drain()

    async def _ready(self) -> int:
        self._writer.write(wire.line(ready=True))
        return await self._start

    async def _tell_of(self, progress: list[Progress]) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            await self._tell(progress)

    async def _tell(self, progress: list[Progress]) -> None:
        """What has ended since, a few at a time, and how far it is: also when nothing ended, for that it is alive."""
        calls, roots = self._told
        all_calls, all_roots = len(self._calls), len(self._roots)
        while calls < all_calls or roots < all_roots:
            more_calls, more_roots = min(all_calls, calls + AT_ONCE), min(all_roots, roots + AT_ONCE)
            self._writer.write(wire.ended_line(self._calls[calls:more_calls], self._roots[roots:more_roots]))
            calls, roots = self._told = more_calls, more_roots
            await asyncio.sleep(0)
        self._writer.write(wire.line(progress=wire.fields(progress[0]) if progress else None))
        await self._writer.drain()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
