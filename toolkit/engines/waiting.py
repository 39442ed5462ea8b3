"""Waiting for a condition with a deadline, never for a time; and giving up work when somebody wants an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def until(condition: Callable[[], Awaitable[bool]], *, within_s: float, every_s: float = 0.01) -> bool:
    """True as soon as `condition` holds, False when it did not within `within_s` seconds.

    The pause between two looks grows from `every_s` to ten times that, so a long wait is a cheap one.
    """
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + within_s, every_s
    while not await condition():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(min(pause, max(0.0, deadline - loop.time())))
        pause = min(pause * 1.3, every_s * 10)
    return True


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What `work` gives; None when `stop` was set first, and then the work was cancelled and has cleaned up."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
        return None if task.cancelled() else task.result()
    finally:
        stopped.cancel()
