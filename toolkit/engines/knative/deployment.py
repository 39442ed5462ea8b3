"""A plan that runs on a cluster: what a run asks of it, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Collection, Mapping, Sequence

from toolkit import manifests
from toolkit.contract import LEDGER
from toolkit.engines import stores, tasks
from toolkit.engines.base import Bound, Entry
from toolkit.engines.knative import arrival, exports, logs, removal, silence, zero
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import selector
from toolkit.engines.knative.observability import Told
from toolkit.engines.knative.observer import Observer
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.knative.spans import Proxied, Spans
from toolkit.errors import EngineError
from toolkit.plan import Plan
from toolkit.results import Incident, Instance, TaskRecord
from toolkit.traces.model import Span


def ledger_path(namespace: str, token: str) -> str:
    """Of the API server, which leads from there to the ledger in this namespace."""
    return f"/api/v1/namespaces/{namespace}/services/http:{LEDGER}:80/proxy/{token}"


class KnativeDeployment:
    """Made by `KnativeEngine.deploy`."""

    def __init__(
        self,
        plan: Plan,
        api: Api,
        namespace: str,
        settings: Settings,
        audience: Audience,
        store: Spans | None,
        *,
        told: Mapping[str, Told] | None = None,
    ) -> None:
        """`told` is what the platform's ConfigMaps say of its spans; None where it is known that it has none."""
        self.plan, self.api, self.namespace = plan, api, namespace
        self._settings, self._audience, self._store = settings, audience, store
        self._told = told or {}
        self.ledger_token = secrets.token_hex(16)
        self._platform_traces = told is not None and exports.expected(told)
        self._stack: contextlib.AsyncExitStack | None = None
        self._entry, self._bound = Entry(""), Bound({})
        self.gateway: Entry | None = None  # where the chain takes HTTP requests: the ingress, and the host to ask for
        self._platform: Mapping[str, str] = {}
        self._observer: Observer | None = None
        self._touched, self._deleted = False, False

    @property
    def entry(self) -> Entry:
        return self._entry

    @property
    def bound(self) -> Bound:
        return self._bound

    @property
    def zipkin(self) -> str | None:
        """The base URL of the store that this deployment's spans go to, as pods reach it."""
        return self._store.url if self._store is not None else None

    @property
    def platform(self) -> Mapping[str, str]:
        return self._platform

    @property
    def traces_have_gaps(self) -> bool:
        return self._platform_traces

    async def stands(self, entry: Entry, bound: Bound, platform: Mapping[str, str]) -> None:
        """Told by the engine once it is so; from now on what goes wrong is an incident."""
        self._entry, self._bound, self._platform = entry, bound, platform
        self._observer = Observer(self.api, self.namespace, selector(manifests.labels(self.plan)))
        await self._observer.start()

    def begins(self) -> None:
        """Told by the engine before it applies the first object: from now on there is something to take away."""
        self._touched = True

    def owns(self, stack: contextlib.AsyncExitStack) -> None:
        """What has to be closed with this deployment, this deployment included."""
        self._stack = stack

    async def idle(self) -> bool:
        """A broker that acknowledges in sync has delivered once its caller has an answer; of another nobody can tell.

        Knative has nothing that could be asked how many events are under way; the ledger knows of tasks.
        """
        if self.plan.chain.has_ledger:
            with contextlib.suppress(EngineError):  # then nobody knows
                return await tasks.left(self.ledger, Proxied(self.api.wire)) == 0 and self._delivers_first
            return False
        return self._delivers_first

    @property
    def _delivers_first(self) -> bool:
        return self.plan.broker is None or self.plan.broker.acknowledge == "sync"

    @property
    def ledger(self) -> str:
        """The path behind which the API server leads to the ledger, if this chain has one."""
        return ledger_path(self.namespace, self.ledger_token)

    async def tasks(self, calls: Collection[str]) -> Sequence[TaskRecord] | None:
        if not self.plan.chain.has_ledger:
            return None
        return await tasks.records(self.ledger, calls, Proxied(self.api.wire))

    def incidents(self) -> list[Incident]:
        told = self._observer.incidents if self._observer is not None else []
        return [*told, *(self._store.incidents if self._store is not None else ())]

    @property
    def way_to_zero(self) -> str:
        return zero.HOW

    async def cool(self, within_s: float) -> None:
        if self._observer is not None:
            self._observer.watch_images()
        await zero.none_left(self.api, self.namespace, selector(manifests.labels(self.plan)), within_s)

    async def cooling_settings(self) -> Mapping[str, str]:
        return await zero.settings(self.api, self.plan.chain)

    def instances(self) -> Sequence[Instance]:
        return self._observer.instances.told() if self._observer is not None else ()

    async def spans(self, traces: Mapping[str, int], caller: Sequence[Span]) -> list[Span]:
        """Functions stay: a pod takes half a minute to leave. So this waits until all that can be expected are there,
        or until no new one comes for a while; for those of Knative's components only where these trace.
        """
        if self._observer is not None:
            await self._observer.look_once_more()
        if self._store is None:
            return list(caller)
        ended = asyncio.get_running_loop().time()
        await self._store.send(caller)
        services = self.plan.wirings
        if self._platform_traces and self._store.shared:
            found = await arrival.with_the_platform(self._store, traces, services, ended)
        else:
            found = await arrival.of_functions(self._store, traces, services)
        events, url = self.plan.broker is not None, self._store.url
        for line in silence.unheard(self._told, found, len(traces), services, url, events=events):
            self._audience.note(line)
        return found

    async def leave(self) -> None:
        """Lets go of it without taking it away: it is found again by its labels."""
        self._deleted = True
        await self.delete()

    async def delete(self) -> None:
        """What stays is told, never raised: a run has its results to keep."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()  # calls this again
            return
        if self._observer is not None:
            await self._observer.close()
        if self._touched and not self._deleted:
            self._deleted = True
            if self._settings.logs is not None:
                await logs.keep(self.api, self.namespace, selector(manifests.labels(self.plan)), self._settings.logs)
            left = await removal.remove(
                self.api, self.namespace, manifests.labels(self.plan), self._settings.gone_within_s
            )
            for each in (*left, *await stores.left_behind(self.plan, os.environ)):
                self._audience.note(each)
