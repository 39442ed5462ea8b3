"""The local engine with functions that can be brought to zero: their processes end, and the first request starts them.

May live here: what is different of such a deployment. Nothing of it is in the way of a load on functions that are warm.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.engines.local import readiness
from toolkit.engines.local.activator import Activator
from toolkit.engines.local.engine import Intercept, LocalDeployment, LocalEngine, Standing
from toolkit.engines.local.layout import LOOPBACK
from toolkit.engines.local.process import Supervised, stop_all
from toolkit.engines.local.sleeper import Sleeper
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.plan import Plan
from toolkit.results import Instance


class DeploymentFromZero(LocalDeployment):
    """An activator stands before each replica of each function."""

    way_to_zero = "processes are ended, the first request starts them (emulated)"

    def __init__(
        self,
        plan: Plan,
        receipts: str | None,
        zipkin: str | None,
        intercept: Mapping[str, Intercept],
        environment: Mapping[str, Mapping[str, str]],
        ready_within_s: float,
        logs: Path | None = None,
        gateway_port: int | None = None,
    ) -> None:
        self._sleepers: list[Sleeper] = []
        before = {each.name: functools.partial(self._stand, each.name) for each in plan.chain.functions}
        standing: dict[str, Intercept] = {**before, **intercept}
        super().__init__(plan, receipts, zipkin, standing, environment, ready_within_s, logs, gateway_port)

    async def cool(self, within_s: float) -> None:
        if not await until(self.idle, within_s=within_s):
            raise EngineError(f"events were still under way after {within_s:.0f} s, so no function could be stopped")
        await stop_all(self._functions)
        for each in self._sleepers:
            each.sleeps()

    async def cooling_settings(self) -> Mapping[str, str]:
        return {}

    def instances(self) -> Sequence[Instance]:
        return [each for sleeper in self._sleepers for each in sleeper.instances]

    async def _stand(self, name: str, public: int, own: int) -> Standing:
        function = self._plan.chain.function(name)
        sleeper = Sleeper(
            name,
            functools.partial(self._begin, name, self._layout.own[name].index(own)),
            lambda process: self._ready(process, readiness.of_function(function.protocol, f"{LOOPBACK}:{own}")),
        )
        self._sleepers.append(sleeper)
        activator = Activator(own, sleeper.wake, grpc=function.protocol == "h2c")
        await activator.start(public)
        return activator

    def _begin(self, name: str, index: int) -> Supervised:
        if self._watch is None:
            raise EngineError(f"{name} was asked for when all was over")
        commands = self._function_commands()
        at = [each.function for each in commands].index(name) + index
        process = self._functions[at] = self._supervise(commands[at], self._watch)
        return process


class EngineFromZero(LocalEngine):
    """As `LocalEngine`."""

    @property
    def _deployment(self) -> type[LocalDeployment]:
        return DeploymentFromZero
