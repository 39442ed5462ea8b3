"""Runs chains on the local engine, as they are or broken in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from toolkit import catalog
from toolkit.engines.base import Bound, Engine, Entry
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.plan import Plan
from toolkit.results import Incident, Load, Report, TaskRecord
from toolkit.run import SETTLE_S, Order, Outcome, run
from toolkit.spec.model import ChainSpec
from toolkit.traces.model import Span

FEW = Load(requests=10, concurrency=2, timeout_s=20)


async def outcome(
    chain: ChainSpec | str, engine: Engine | None = None, load: Load = FEW, *, settle_s: float = SETTLE_S
) -> Outcome:
    spec = catalog.load(chain, {}) if isinstance(chain, str) else chain
    return await run(Order(spec, load, settle_s), engine or LocalEngine())


def red(report: Report) -> set[str]:
    """The names of the checks that failed."""
    return {check.name for check in report.checks if not check.passed}


@dataclasses.dataclass
class Broken:
    """The local engine with one thing wrong: the plan, where things are bound, or what happens after deployment."""

    engine: LocalEngine
    change: Callable[[Plan], Plan] = lambda plan: plan
    rebind: Callable[[Bound], Bound] = lambda bound: bound
    then: Callable[[LocalDeployment], Awaitable[None]] | None = None

    name = "local"
    emulated = True

    async def host(self) -> str:
        return await self.engine.host()

    async def deploy(self, plan: Plan, *, receipts: str | None) -> BrokenDeployment:
        deployment = await self.engine.deploy(self.change(plan), receipts=receipts)
        if self.then is not None:
            await self.then(deployment)
        return BrokenDeployment(deployment, self.rebind)


@dataclasses.dataclass
class BrokenDeployment:
    deployment: LocalDeployment
    rebind: Callable[[Bound], Bound]

    @property
    def entry(self) -> Entry:
        return self.deployment.entry

    @property
    def bound(self) -> Bound:
        return self.rebind(self.deployment.bound)

    @property
    def traces_have_gaps(self) -> bool:
        return False

    @property
    def platform(self) -> Mapping[str, str]:
        return self.deployment.platform

    async def spans(self, traces: Mapping[str, int], caller: Sequence[Span]) -> list[Span]:
        return await self.deployment.spans(traces, caller)

    async def tasks(self, calls: Collection[str]) -> Sequence[TaskRecord] | None:
        return await self.deployment.tasks(calls)

    async def idle(self) -> bool:
        return await self.deployment.idle()

    def incidents(self) -> list[Incident]:
        return self.deployment.incidents()

    async def delete(self) -> None:
        await self.deployment.delete()
