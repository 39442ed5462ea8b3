"""The load sent from inside the cluster: generators as Jobs next to the functions, and their records as one load.

May live here: the order of the steps. The Jobs are `load_job`, the conversation is `engines.generators`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from toolkit.engines import loaded
from toolkit.engines.base import Deployment, Driven
from toolkit.engines.generators import Generators
from toolkit.engines.knative import load_job, reach
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.connection import Cluster
from toolkit.engines.knative.diagnosis import DeploymentFailed, Diagnosis
from toolkit.engines.knative.load_job import Jobs
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.loaded import Loss
from toolkit.errors import EngineError
from toolkit.load import share, wire
from toolkit.plan import Plan
from toolkit.results import Elapsed, Load, Progress

ANSWERS_WITHIN_S = 30.0  # the entry to each generator, once Knative says that it is ready
Dial = Callable[[Cluster], contextlib.AbstractAsyncContextManager[Api]]


class Inside:
    """A source of load: so many generators in the namespace of the chain. `connections`: see `wire.Order`."""

    def __init__(
        self, settings: Settings, generators: int, audience: Audience, dial: Dial, connections: int | None = None
    ) -> None:
        self._settings, self._count, self._audience, self._dial = settings, generators, audience, dial
        self._connections = connections

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
        order = wire.Order(
            *(target, plan.run, plan.chain.name, plan.entry, load, share.WHOLE),
            healthy_s=ANSWERS_WITHIN_S,
            connections=self._connections,
        )
        async with self._dial(self._settings.cluster) as api:
            host = self._settings.advertise or await reach.own_address(api)
            async with Jobs(api, namespace, plan) as jobs, Generators(host, self._count) as generators:
                await self._bring_up(jobs, generators, plan, namespace, load, stop)
                if not stop.is_set() and not await generators.get_ready(order, stop):
                    await _see_why_not(jobs, generators, order, stop)
                if stop.is_set():
                    return Driven((), (), Elapsed(0, 0))
                moments = await generators.load(stop, on_progress)
                whys = {each.index: await jobs.why(jobs.name(each.index)) for each in generators.lost}
                losses = {index: _loss(why) for index, why in whys.items()}
                origin = {"from": "cluster", "nodes": jobs.nodes}
                found = await loaded.driven(generators, order, moments, losses, origin)
                return loaded.noted(found, _note(generators, order))

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


def _loss(why: Diagnosis) -> Loss:
    lines = tuple(line.removeprefix("log").strip() for line in why.evidence if line.startswith(("log", " ")))
    return Loss(why.cause, why.key.name, lines)


def _note(generators: Generators, order: wire.Order) -> str:
    several = f"{generators.count} generators" if generators.count > 1 else "one generator"
    return f"the load came from {several} inside the cluster, to {order.target}"
