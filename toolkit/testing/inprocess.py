"""An engine in one process: the same scaffold, broker and store as the local engine, without a process to start.

For tests of handlers and chains that should be quick. It is honest about what it leaves out: there is nothing to crash
and to restart, and functions share one interpreter, so it is no place to measure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from toolkit.contract import Wiring
from toolkit.engines import tracestore, zipkin_client
from toolkit.engines.base import Bound, Entry
from toolkit.engines.local import layout as layouts
from toolkit.engines.local import ports, readiness
from toolkit.engines.local.broker import service as broker
from toolkit.engines.local.layout import LOOPBACK
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.plan import Plan
from toolkit.results import Incident
from toolkit.sdk import process
from toolkit.sdk.failures import WiringError
from toolkit.traces.model import Span

READY_WITHIN_S = 20.0


class InProcessEngine:
    """Brings a plan up in the running event loop."""

    name = "in-process"
    emulated = True

    async def host(self) -> str:
        return LOOPBACK

    async def deploy(self, plan: Plan, *, receipts: str | None) -> InProcessDeployment:
        deployment = InProcessDeployment(plan, receipts)
        try:
            await deployment.start()
        except BaseException:
            await deployment.delete()
            raise
        return deployment


class InProcessDeployment:
    """Made by `InProcessEngine.deploy`."""

    def __init__(self, plan: Plan, receipts: str | None) -> None:
        self._plan, self._receipts = plan, receipts
        found = ports.free(layouts.ports_needed(plan, (), store=True))
        self._layout = layouts.lay_out(plan, (), found, store=True)
        self._stopping = asyncio.Event()
        self._functions: list[asyncio.Task[tuple[int, int]]] = []
        self._broker: broker.RunningBroker | None = None
        self._store: tracestore.TraceStore | None = None
        self._incidents: list[Incident] = []

    @property
    def entry(self) -> Entry:
        return Entry(self._layout.target(self._plan.entry))

    @property
    def bound(self) -> Bound:
        return self._layout.bound(self._plan)

    @property
    def traces_have_gaps(self) -> bool:
        return False

    @property
    def platform(self) -> Mapping[str, str]:
        return {}

    async def idle(self) -> bool:
        return self._broker is None or self._broker.open == 0

    def incidents(self) -> list[Incident]:
        return list(self._incidents)

    async def start(self) -> None:
        self._store = await tracestore.serve(LOOPBACK, self._layout.store or 0)
        if (service := layouts.broker_service(self._plan, self._layout)) is not None:
            self._broker = await broker.serve(service.brokers, service.host, service.port, self._incidents.append)
        self._functions = [
            asyncio.create_task(self._serve(each.name, index))
            for each in self._plan.chain.functions
            for index in range(each.replicas)
        ]
        await asyncio.gather(*(self._ready(each.name) for each in self._plan.chain.functions))

    async def spans(self, traces: Mapping[str, int], caller: Sequence[Span]) -> list[Span]:
        await self._stop_functions()
        if self._broker is not None:
            await self._broker.close()
        if self._store is None:
            return []
        await zipkin_client.send(self._store.url, caller)
        return await zipkin_client.spans(self._store.url, list(traces))

    async def delete(self) -> None:
        await self._stop_functions()
        if self._broker is not None:
            await self._broker.close()
        if self._store is not None:
            await self._store.close()
        self._broker = self._store = None

    async def _serve(self, name: str, index: int) -> tuple[int, int]:
        endpoint = zipkin_client.spans_url(f"http://{LOOPBACK}:{self._layout.store}")
        command = layouts.function_command(
            self._plan, name, index, self._layout, receipts=self._receipts, endpoint=endpoint, override={}
        )
        wiring: Wiring = process.read_wiring(command.environment)
        return await process.serve(wiring, command.environment, self._stopping)

    async def _ready(self, name: str) -> None:
        kind = self._plan.chain.function(name).protocol
        for port in self._layout.own[name]:
            is_ready = readiness.of_function(kind, f"{LOOPBACK}:{port}")

            async def settled(is_ready: readiness.IsReady = is_ready) -> bool:
                self._raise_if_ended()
                return await is_ready()

            if not await until(settled, within_s=READY_WITHIN_S):
                raise EngineError(f"{name} was not ready after {READY_WITHIN_S:.0f} s")

    def _raise_if_ended(self) -> None:
        for task in self._functions:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise EngineError(str(error)) from error

    async def _stop_functions(self) -> None:
        self._stopping.set()
        ended = await asyncio.gather(*self._functions, return_exceptions=True)
        unexpected = [each for each in ended if isinstance(each, Exception) and not isinstance(each, WiringError)]
        self._functions = []
        if unexpected:
            raise unexpected[0]
