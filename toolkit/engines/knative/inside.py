"""The load sent from inside the cluster: generators as Jobs next to the functions, and their records as one load.

May live here: the order of the steps. The Jobs are `load_job`, the conversation is `engines.generators`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from toolkit.engines.base import Deployment, Driven
from toolkit.engines.generators import Generator, Generators
from toolkit.engines.knative import load_job, reach
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.connection import Cluster
from toolkit.engines.knative.diagnosis import DeploymentFailed, Diagnosis
from toolkit.engines.knative.load_job import Jobs
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.errors import EngineError
from toolkit.load import merging, share, wire
from toolkit.plan import Plan
from toolkit.results import Elapsed, Incident, Load, Progress
from toolkit.traces.model import Span

ANSWERS_WITHIN_S = 30.0  # the entry to each generator, once Knative says that it is ready
Dial = Callable[[Cluster], contextlib.AbstractAsyncContextManager[Api]]


class Inside:
    """A source of load: so many generators in the namespace of the chain."""

    def __init__(self, settings: Settings, generators: int, audience: Audience, dial: Dial) -> None:
        self._settings, self._count, self._audience, self._dial = settings, generators, audience, dial

    async def drive(
        self,
        plan: Plan,
        deployment: Deployment,
        load: Load,
        *,
        stop: asyncio.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> Driven:
        share.validate(load, self._count)
        namespace = self._settings.namespace or plan.namespace
        target = deployment.bound.targets[plan.entry]
        order = wire.Order(target, plan.run, plan.chain.name, plan.entry, load, share.WHOLE, healthy_s=ANSWERS_WITHIN_S)
        async with self._dial(self._settings.cluster) as api:
            host = self._settings.advertise or await reach.own_address(api)
            async with Jobs(api, namespace, plan) as jobs, Generators(host, self._count) as generators:
                await self._bring_up(jobs, generators, plan, namespace, load, stop)
                if not stop.is_set() and not await generators.get_ready(order, stop):
                    await _see_why_not(jobs, generators, order, stop)
                if stop.is_set():
                    return Driven((), (), Elapsed(0, 0))
                start_ns, stopped_ns = await generators.load(stop, on_progress)
                return await _driven(jobs, generators, order, start_ns, stopped_ns)

    async def _bring_up(
        self, jobs: Jobs, generators: Generators, plan: Plan, namespace: str, load: Load, stop: asyncio.Event
    ) -> None:
        """Returns once all have come, or somebody does not want them any more."""
        image, address = self._settings.image, generators.address
        wanted = load_job.jobs(plan, namespace, image, load, address, generators.token, self._count)
        await jobs.apply(self._settings.alter(wanted))
        told: set[int] = set()

        def here() -> bool:
            for each in generators.all:
                if each.index not in told:
                    told.add(each.index)
                    self._audience.stage(jobs.name(each.index), "ready")
            return generators.all_here or stop.is_set()

        try:
            await jobs.until(here, self._settings.ready_within_s, self._settings.error_window_s)
        except DeploymentFailed as error:
            if generators.refused:
                raise EngineError(f"{error}\n    (refused: {generators.refused})", next_step=error.next_step) from error
            raise


async def _see_why_not(jobs: Jobs, generators: Generators, order: wire.Order, stop: asyncio.Event) -> None:
    """Raises EngineError: a load that begins without some of its generators would be another load."""
    if stop.is_set():
        return
    for each in generators.lost:
        raise DeploymentFailed(await jobs.why(jobs.name(each.index)))
    raise EngineError(
        f"the generators inside the cluster do not reach {order.target}",
        next_step="see that no NetworkPolicy keeps pods of the namespace from Knative's gateway",
    )


async def _driven(
    jobs: Jobs, generators: Generators, order: wire.Order, start_ns: int, stopped_ns: int | None
) -> Driven:
    whys = {each.index: await jobs.why(jobs.name(each.index)) for each in generators.lost}
    await generators.ask_for_clocks_again()
    told = [_told(each, whys.get(each.index), generators.count) for each in generators.all]
    parts, roots = await asyncio.to_thread(_parts, generators, [text for text, _ in told])
    calls = merging.merged(parts, order.load, order.run, start_ns, stopped_ns)
    several = f"{generators.count} generators" if generators.count > 1 else "one generator"
    return Driven(
        calls,
        roots,
        _worst([each.done for each in generators.all if each.done is not None]),
        _origin(jobs, generators, order),
        notes=(f"the load came from {several} inside the cluster, to {order.target}",),
        invalid=tuple(text for text, _ in told if text),
        incidents=tuple(incident for _, incident in told if incident is not None),
    )


def _parts(generators: Generators, whys: Sequence[str]) -> tuple[list[merging.Part], list[Span]]:
    found = [generators.part(each, why) for each, why in zip(generators.all, whys, strict=True)]
    return [part for part, _ in found], [root for _, roots in found for root in roots]


def _told(each: Generator, why: Diagnosis | None, of: int) -> tuple[str, Incident | None]:
    """What is to be said of a generator that was lost; of the others nothing."""
    if why is None:
        return "", None
    text = f"generator {each.index + 1} of {of} was gone during the load: {why.cause}"
    lines = tuple(line.removeprefix("log").strip() for line in why.evidence if line.startswith(("log", " ")))
    return text, Incident("warning", why.key.name, text, lines)


def _worst(clocks: Sequence[Elapsed]) -> Elapsed:
    """Of the clock that was moved most."""
    return max(clocks, key=lambda each: abs(each.wall_ns - each.monotonic_ns), default=Elapsed(0, 0))


def _origin(jobs: Jobs, generators: Generators, order: wire.Order) -> dict[str, Any]:
    """`clock_error_us` is what times of calls and times of receipts may be apart, besides the way of the receipt."""
    return {
        "from": "cluster",
        "generators": generators.count,
        "nodes": jobs.nodes,
        "to": order.target,
        "clock_error_us": max(each.offset.error_ns for each in generators.all) / 1e3,
    }
