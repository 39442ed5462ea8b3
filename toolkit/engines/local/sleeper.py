"""One replica that may be at zero, and is started again when somebody asks for it.

May live here: falling asleep, waking up, and when that was. May not: who asks (`activator`), or what a process is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from toolkit.engines.local.process import Supervised
from toolkit.results import Instance


class Sleeper:
    """`begin` makes a process that was not started yet, `ready` returns once one is. Both raise EngineError."""

    def __init__(
        self, function: str, begin: Callable[[], Supervised], ready: Callable[[Supervised], Awaitable[None]]
    ) -> None:
        self._function, self._begin, self._ready = function, begin, ready
        self._asleep, self._turn = False, asyncio.Lock()
        self.instances: list[Instance] = []

    def sleeps(self) -> None:
        """Told once the process is gone."""
        self._asleep = True

    async def wake(self) -> None:
        """Returns at once when it is awake. Whoever comes meanwhile waits for the same start."""
        asked_ns = time.time_ns()
        async with self._turn:
            if not self._asleep:
                return
            process = self._begin()
            self._asleep = False
            await process.start()
            created_ns = time.time_ns()
            await self._ready(process)
            ready_ns = time.time_ns()
            marks = {"asked": asked_ns, "created": created_ns, "ready": ready_ns, "admitted": ready_ns}
            self.instances.append(Instance(self._function, process.replica, marks))
