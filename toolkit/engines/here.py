"""The load sent by this process, to the entry as this machine reaches it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from toolkit.engines.base import Deployment, Driven
from toolkit.load.generator import drive
from toolkit.plan import Plan
from toolkit.results import Elapsed, Load, Progress
from toolkit.traces.model import Span


class Here:
    """A source of load that needs nothing."""

    async def drive(
        self,
        plan: Plan,
        deployment: Deployment,
        load: Load,
        *,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> Driven:
        began = Elapsed(time.time_ns(), time.monotonic_ns())
        roots: list[Span] = []
        calls = await drive(
            deployment.entry.target,
            load,
            authority=deployment.entry.authority,
            run=plan.run,
            chain=plan.chain.name,
            entry=plan.entry,
            spans=roots,
            on_progress=on_progress,
            stop=stop,
        )
        elapsed = Elapsed(time.time_ns() - began.wall_ns, time.monotonic_ns() - began.monotonic_ns)
        way = {"from": "here", "generators": 1, "to": deployment.entry.target}
        return Driven(calls, roots, elapsed, way)
