"""The embedded trace store as a process of this machine, for functions that run elsewhere.

May live here: starting, hearing and ending that process. It ends with us, however we end: its standard input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque

from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.results import Incident

READY_WITHIN_S = 10.0
LEAVES_WITHIN_S = 5.0
_COMMAND = (sys.executable, "-P", "-m", "toolkit.engines.tracestore", "--follow-stdin", "--listen")


class Store:
    """A running store. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._port: int | None = None
        self._host = ""
        self._said: deque[str] = deque(maxlen=20)
        self.incidents: list[Incident] = []
        self._readers = [asyncio.create_task(self._hear()), asyncio.create_task(self._overhear())]

    @staticmethod
    async def start(host: str) -> Store:
        """Listens on `host`, which must be an address of this machine. Raises EngineError."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, f"{host}:0", stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        store = Store(process)
        try:
            if not await until(store._settled, within_s=READY_WITHIN_S) or store._port is None:
                said = "; ".join(store._said) or "it said nothing"
                raise EngineError(
                    f"the trace store cannot listen on {host}: {said}",
                    next_step="name an address of this machine with --advertise, or send spans to a --zipkin",
                )
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    async def close(self) -> None:
        """Ends it; may be called more than once."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), LEAVES_WITHIN_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _settled(self) -> bool:
        return self._port is not None or self._process.returncode is not None

    async def _hear(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if place := said.get("ready"):
                self._host, self._port = place["host"], place["port"]
            if incident := said.get("incident"):
                self.incidents.append(Incident(**incident))

    async def _overhear(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._said.append(line.decode(errors="replace").rstrip())
