"""Ends a process of somebody else's code with all that it started.

May live here: the end of a process that leads a session of its own. May not: who starts it, and what it was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

PATIENCE_S = 2.0  # for the kernel, after SIGKILL


async def end(process: asyncio.subprocess.Process) -> None:
    """Ends the group that `process` leads, whoever of it is left, and waits a moment for the leader.

    Nobody who holds its pipes, not even one that has left the group, can make this take longer.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
    process._transport.close()  # type: ignore[attr-defined]  # its pipes too: asyncio has no other word for that
