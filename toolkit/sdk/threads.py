"""The threads of plain `def` handlers: a few that work at once, and many more that only wait for somebody else.

May live here: who may begin, and who has to be turned away. May not: what a handler is, or its context.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from toolkit.sdk.failures import Refused

AT_ONCE = 64  # handlers that work at the same time; others wait for their turn
MOST = 1024  # threads altogether: a handler that waits for a call keeps its own, and lets another one work
_log = logging.getLogger(__name__)


class Threads:
    """Runs blocking work in threads. Used from one event loop, save for the work itself.

    A handler that waits for what it called does not count as working: were it counted, a plain function that calls
    itself would hold every thread that its own calls need, and all of them would wait for ever.
    """

    def __init__(self, at_once: int = AT_ONCE, most: int = MOST) -> None:
        self._pool = ThreadPoolExecutor(most, "handler")
        self._at_once, self._most = at_once, most
        self._working = 0  # may exceed `at_once` for a while: those that waited go on when their answer is there
        self._begun = 0  # threads that are not through, working or waiting
        self._turns: deque[asyncio.Future[None]] = deque()

    async def run(self, work: Callable[[], Any], leave: Callable[[], None]) -> Any:
        """What `work` gives. `leave` is called where nobody waits for it any longer, though it cannot be ended.

        Raises Refused (RESOURCE_EXHAUSTED) where every thread is taken by somebody who waits.
        """
        await self._turn()
        future = self._begin(work, leave)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            leave()
            raise
        finally:
            if future.done():
                self._through()
            else:
                loop = asyncio.get_running_loop()
                future.add_done_callback(lambda _: soon(loop, self._through))

    def aside(self) -> None:
        """Somebody who works begins to wait."""
        self._working -= 1
        self._next()

    def back(self) -> None:
        """Somebody who waited works again, and need not wait for a turn."""
        self._working += 1

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self) -> None:
        """Returns once this one counts as working."""
        if self._working < self._at_once:
            self._working += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was its turn just then: the next one's, now
                self.aside()
            raise

    def _begin(self, work: Callable[[], Any], leave: Callable[[], None]) -> Future[Any]:
        if self._begun < self._most:
            try:
                future = self._pool.submit(work)
            except RuntimeError as error:  # the system gives no more of them; what was submitted may still run one day
                leave()
                self.aside()
                if "new thread" not in str(error):
                    raise
                raise _refused(f"the system gives no thread beyond {self._begun:,}: {error}") from error
            self._begun += 1
            return future
        self.aside()
        raise _refused(f"all {self._most:,} threads of this function hold handlers that wait")

    def _through(self) -> None:
        self._begun -= 1
        self.aside()

    def _next(self) -> None:
        while self._turns and self._working < self._at_once:
            turn = self._turns.popleft()
            if not turn.done():
                self._working += 1
                turn.set_result(None)


def _refused(why: str) -> Refused:
    text = f"{why}; make the handler `async def`, let fewer calls be under way, or make the recursion less deep"
    _log.error("a message was refused: %s", text)
    return Refused("RESOURCE_EXHAUSTED", text)


def soon(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """On the loop, from any thread."""
    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody counts any more
        loop.call_soon_threadsafe(what)
