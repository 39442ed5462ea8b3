"""Makes a plan run on this machine and takes it down again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from toolkit.contract import BROKER, EXIT_PORT_TAKEN
from toolkit.engines import programs, requirements, stores, tasks, zipkin_client
from toolkit.engines.base import Bound, Entry
from toolkit.engines.local import announcing, ports, readiness
from toolkit.engines.local import layout as layouts
from toolkit.engines.local import logs as kept_logs
from toolkit.engines.local.layout import LOOPBACK, Layout
from toolkit.engines.local.process import Command, Crash, Supervised, Watch, stop_all
from toolkit.engines.local.services import commands
from toolkit.errors import EngineError, NotReady
from toolkit.plan import Plan
from toolkit.results import Incident, TaskRecord
from toolkit.traces.model import Span

READY_WITHIN_S = 30.0
PORT_TRIES = 3
ANSWER_WITHIN_S = 2.0  # the broker's to a question


class Standing(Protocol):
    """Something that stands between a function and those who call it."""

    async def close(self) -> None: ...


Intercept = Callable[[int, int], Awaitable[Standing]]
"""Starts something that listens on the first port of loopback and passes on to the second (for fault tests)."""


class PortTaken(EngineError):
    """A port that was free when it was chosen is not any more."""


class LocalEngine:
    """`zipkin` sends spans to a running Zipkin (its base URL) in place of the embedded store.

    `intercept` and `environment` (by function name) are for fault tests: what stands in front of a function, and the
    variables it gets in place of the right ones. The functions' logs are kept in the folder `logs`, if there is one.
    """

    name = "local"
    emulated = True

    def __init__(
        self,
        *,
        zipkin: str | None = None,
        intercept: Mapping[str, Intercept] | None = None,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        logs: Path | None = None,
        ready_within_s: float = READY_WITHIN_S,
        gateway_port: int | None = None,
    ) -> None:
        self._gateway_port = gateway_port
        self._zipkin, self._intercept, self._ready_within_s = zipkin, dict(intercept or {}), ready_within_s
        self._environment, self._logs = dict(environment or {}), logs

    async def host(self) -> str:
        return LOOPBACK

    @property
    def _deployment(self) -> type[LocalDeployment]:
        return LocalDeployment

    async def deploy(self, plan: Plan, *, receipts: str | None) -> LocalDeployment:
        requirements.see_that_they_are_here(plan.chain)
        await stores.see_that_they_serve(plan, os.environ)
        plan = await programs.prepared(plan)
        for attempt in range(PORT_TRIES):
            deployment = self._deployment(
                *(plan, receipts, self._zipkin, self._intercept, self._environment, self._ready_within_s, self._logs),
                gateway_port=self._gateway_port,
            )
            try:
                await deployment.start()
            except PortTaken:
                await deployment.delete()
                if attempt == PORT_TRIES - 1:
                    raise
            except BaseException:
                await deployment.delete()
                raise
            else:
                return deployment
        raise AssertionError("unreachable: the last attempt returned or raised")


class LocalDeployment:
    """The processes of one plan. Made by `LocalEngine.deploy`."""

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
        self._logs = logs
        self._receipts, self._zipkin = receipts, zipkin
        self._intercept, self._environment = intercept, environment
        self._ready_within_s = ready_within_s
        needed = layouts.ports_needed(plan, list(intercept), store=zipkin is None)
        self._layout: Layout = layouts.lay_out(
            plan, list(intercept), ports.free(needed), store=zipkin is None, gateway=gateway_port
        )
        self._folder = Path(tempfile.mkdtemp(prefix=announcing.PREFIX))
        self._plan = stores.in_folder(plan, self._folder / "transfers")
        self._watch: Watch | None = None
        self._functions: list[Supervised] = []
        self._services: list[Supervised] = []  # broker, store, ledger: they leave after the functions
        self._standing: list[Standing] = []
        self._incidents: list[Incident] = []
        self._question: asyncio.Future[int] | None = None  # how many events are under way

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

    @property
    def gateway(self) -> str | None:
        """The URL at which the chain takes HTTP requests, if it does."""
        return self._layout.gateway(self._plan)

    @property
    def zipkin(self) -> str:
        """The base URL of the store that this deployment's spans go to."""
        return self._zipkin or f"http://{LOOPBACK}:{self._layout.store}"

    @property
    def functions(self) -> Sequence[Supervised]:
        """The function processes, one a replica, in the order of the chain."""
        return tuple(self._functions)

    @property
    def services(self) -> Sequence[Supervised]:
        """The trace store, the broker and the ledger, as far as this deployment has them."""
        return tuple(self._services)

    def incidents(self) -> list[Incident]:
        return list(self._incidents)

    async def start(self) -> None:
        """Starts everything at once (each address is known beforehand) and waits until all of it is ready."""
        watch = self._watch = await Watch.start(self._folder)
        services = list(commands(self._plan, self._layout, self._folder))
        self._services = [self._supervise(command, watch, service=True) for command, _ in services]
        self._functions = [self._supervise(each, watch) for each in self._function_commands()]
        await asyncio.gather(*(process.start() for process in (*self._services, *self._functions)))
        await self._intercept_all()
        await asyncio.gather(*self._waits([port for _, port in services]))
        if self.ledger is not None:
            announcing.announce(self._folder, self._plan.chain.name, self._plan.run, self.ledger)

    async def idle(self) -> bool:
        broker = next((each for each in self._services if each.name == BROKER), None)
        if broker is None:
            return True
        question = self._question = asyncio.get_running_loop().create_future()
        broker.say(b"open?\n")
        try:
            return bool(await asyncio.wait_for(question, ANSWER_WITHIN_S) == 0)
        except TimeoutError:
            return False

    @property
    def ledger(self) -> str | None:
        """The URL of the ledger, if this chain has one."""
        return self._layout.ledger_url

    async def tasks(self, calls: Collection[str]) -> Sequence[TaskRecord] | None:
        return None if self.ledger is None else await tasks.records(self.ledger, calls)

    async def spans(self, traces: Mapping[str, int], caller: Sequence[Span]) -> list[Span]:
        await stop_all(self._functions)  # a function sends its last spans when it leaves: no guessing how long to wait
        await stop_all([each for each in self._services if each.name == BROKER])  # the broker tells its last incidents
        await zipkin_client.send(self.zipkin, caller)
        return await zipkin_client.spans(self.zipkin, list(traces))

    async def delete(self) -> None:
        await stop_all(self._functions)
        await asyncio.gather(*(standing.close() for standing in self._standing), return_exceptions=True)
        await stop_all(self._services)
        self._standing, self._functions, self._services = [], [], []
        await stores.clear(self._plan, os.environ)
        kept_logs.keep(self._folder, self._logs)
        if self._watch is not None:
            await self._watch.close()
            self._watch = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _supervise(self, command: Command, watch: Watch, *, service: bool = False) -> Supervised:
        return Supervised(
            command,
            watch,
            self._folder,
            on_crash=self._crashed,
            on_line=self._told if service else None,
            keep_input=service,
        )

    def _function_commands(self) -> list[Command]:
        plan, endpoint = self._plan, zipkin_client.spans_url(self.zipkin)
        return [
            layouts.function_command(
                plan,
                name,
                index,
                self._layout,
                receipts=self._receipts,
                endpoint=endpoint,
                override=requirements.environment(plan.chain)
                | stores.given(plan, name, os.environ)
                | dict(self._environment.get(name, {})),
            )
            for name, replicas in ((each.name, each.replicas) for each in plan.chain.functions)
            for index in range(replicas)
        ]

    async def _intercept_all(self) -> None:
        for name, intercept in self._intercept.items():
            for public, own in zip(self._layout.public[name], self._layout.own[name], strict=True):
                self._standing.append(await intercept(public, own))

    def _waits(self, addresses: Sequence[int]) -> list[Awaitable[None]]:
        own = (port for each in self._plan.chain.functions for port in self._layout.own[each.name])
        kinds = (each.protocol for each in self._plan.chain.functions for _ in range(each.replicas))
        waits: list[Awaitable[None]] = [
            self._ready(process, readiness.of_function(kind, f"{LOOPBACK}:{port}"))
            for process, kind, port in zip(self._functions, kinds, own, strict=True)
        ]
        waits += [
            self._ready(process, readiness.of_port(f"{LOOPBACK}:{port}"))
            for process, port in zip(self._services, addresses, strict=True)
        ]
        if self._zipkin is not None:
            waits.append(zipkin_client.ready(self._zipkin, sending=True))
        return waits

    async def _ready(self, process: Supervised, is_ready: Callable[[], Awaitable[bool]]) -> None:
        began = asyncio.get_running_loop().time()
        ready = await readiness.wait(process, is_ready, within_s=self._ready_within_s)
        if ready:
            return
        after = asyncio.get_running_loop().time() - began
        if process.last_status == EXIT_PORT_TAKEN:
            raise PortTaken(f"{process.name}: its port was taken by somebody else meanwhile")
        why = process.last_crash.how if process.last_crash else "it runs, but does not answer"
        raise NotReady(process.name, after_s=after, why=why, log_tail=process.log_tail())

    def _crashed(self, crash: Crash) -> None:
        which = "" if crash.name == crash.subject else f"{crash.name} "
        text = f"{which}{crash.how}" + (" and is started again" if crash.restarted else "")
        self._incidents.append(Incident("restart", crash.subject, text, crash.log_tail, crash.replica))

    def _told(self, line: bytes) -> None:
        """A line that the broker or the store wrote: an incident, an answer, or the news that it is ready."""
        try:
            said = json.loads(line)
            if incident := said.get("incident"):
                self._incidents.append(Incident(**incident))
            if (open_events := said.get("open")) is not None and self._question is not None:
                self._question.set_result(int(open_events))
                self._question = None
        except (ValueError, AttributeError, TypeError):
            text = f"said what nobody understands: {line[:200].decode(errors='replace')}"
            self._incidents.append(Incident("warning", "engine", text))
