"""Makes a plan run on a cluster with Knative. The steps; each is at home in a module of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toolkit import manifests
from toolkit.engines import zipkin_client
from toolkit.engines.base import Bound, Entry
from toolkit.engines.knative import assertions, evidence, exports, fit, ground, order, platform, reach, spans, standing
from toolkit.engines.knative.api import Api, Refused
from toolkit.engines.knative.connection import Cluster, connect
from toolkit.engines.knative.deployment import KnativeDeployment
from toolkit.engines.knative.diagnosis import DeploymentFailed, diagnose
from toolkit.engines.knative.inside import Inside
from toolkit.engines.knative.kinds import BROKER, EVENT, KSVC, POD, Key, Object, selector
from toolkit.engines.knative.rollout import Patience, Rollout, Stuck
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.knative.watching import View
from toolkit.errors import EngineError
from toolkit.plan import Plan

Dial = Callable[[Cluster], contextlib.AbstractAsyncContextManager[Api]]
ANSWERS_WITHIN_S = 30.0  # the entry through the ingress, once Knative says that it is ready


class KnativeEngine:
    """Every deployment of it has objects of its own, told by the labels of its run."""

    name = "knative"
    emulated = False

    def __init__(self, settings: Settings, audience: Audience | None = None, dial: Dial = connect) -> None:
        self._settings, self._audience, self._dial = settings, audience or Audience(), dial

    async def host(self) -> str:
        if self._settings.advertise is not None:
            return self._settings.advertise
        async with self._dial(self._settings.cluster) as api:
            return await reach.own_address(api)

    def inside(self, generators: int, connections: int | None = None) -> Inside:
        """A source of load in the same place: so many generators next to the functions, and their connections."""
        return Inside(self._settings, generators, self._audience, self._dial, connections)

    def manifests_of(self, plan: Plan) -> Sequence[manifests.Manifest]:
        """What would be applied in a namespace that has to be made; nobody is asked."""
        return self._rendered(plan, receipts=None, endpoint=self._endpoint(self._settings.zipkin), make_namespace=True)

    async def run_of(self, chain: str) -> str | None:
        """The run of this chain that stands where this engine would deploy it."""
        async with self._dial(self._settings.cluster) as api:
            found = await standing.find(api, chain, self._settings.namespace or chain)
        return found[-1].run if found else None

    async def apply(self, plan: Plan, *, dry_run: bool = False) -> Sequence[Object]:
        """Applies all objects in their order without waiting for any; with `dry_run` the cluster only judges them.

        Raises EngineError; what was applied by then stays.
        """
        async with self._dial(self._settings.cluster) as api:
            ours = manifests.labels(plan)
            made = await ground.prepare(api, self._namespace(plan), ours, self._settings, self._audience)
            zipkin = self._settings.zipkin
            if (
                zipkin is None
                and (found := await spans.of_the_cluster(api, self._settings, self._audience)) is not None
            ):
                zipkin = found.url
            objects = self._rendered(plan, receipts=None, endpoint=self._endpoint(zipkin), make_namespace=made)
            await self._look_first(api, plan, objects)
            if dry_run:
                await ground.see_that_namespace_is_there(api, self._namespace(plan))
            return [await self._applied(api, each, dry_run=dry_run) for each in objects]

    async def deploy(self, plan: Plan, *, receipts: str | None, tracing: bool = True) -> KnativeDeployment:
        """Without `tracing`, and without a Zipkin, spans go nowhere: whoever deploys does not stay to take them.

        A Zipkin that `toolkit tracing setup` has put into the cluster is used where the user names no other.
        """
        async with contextlib.AsyncExitStack() as stack:
            api = await stack.enter_async_context(self._dial(self._settings.cluster))
            namespace = self._namespace(plan)
            made = await ground.prepare(api, namespace, manifests.labels(plan), self._settings, self._audience)
            where = await spans.choose(api, self._settings, self._audience, stack, self.host if tracing else None)
            told = await exports.told(api)
            deployment = KnativeDeployment(plan, api, namespace, self._settings, self._audience, where, told=told)
            stack.push_async_callback(deployment.delete)
            endpoint = self._endpoint(deployment.zipkin)
            objects = self._rendered(
                plan, receipts=receipts, endpoint=endpoint, make_namespace=made, token=deployment.ledger_token
            )
            if self._settings.manifests is not None:
                await asyncio.to_thread(_keep, self._settings.manifests, objects)
            await self._bring_up(deployment, objects)
            deployment.owns(stack.pop_all())
            return deployment

    async def _bring_up(self, deployment: KnativeDeployment, objects: Sequence[Object]) -> None:
        api, plan, namespace = deployment.api, deployment.plan, deployment.namespace
        ours = manifests.labels(plan)
        await self._look_first(api, plan, objects)
        inside = self._settings.from_inside
        ingresses = [] if inside else await reach.ingresses(api, self._settings.ingress)
        first, rest = ground.split(objects)
        deployment.begins()
        for each in first:
            await self._applied(api, each, dry_run=False)
        found = await self._rolled_out(api, namespace, order.steps(rest), selector(ours))
        where, within_s = bound(plan, found), self._settings.error_window_s
        told = manifests.bound(plan, namespace, self._settings.cluster_domain)
        assertions.see_that_callers_know(plan, told.targets, where.targets)
        senders = dict.fromkeys(edge.source for edge in plan.chain.edges if edge.via == "event")
        await assertions.see_that_sinks_are_bound(api, namespace, senders, where.sink, within_s)
        await assertions.see_that_all_are_subscribed(api, namespace, selector(ours), within_s)
        service = found[Key(KSVC, plan.entry)]
        entry = Entry(where.targets[plan.entry]) if inside else await self._entry(service, ingresses)
        if plan.chain.gateway is not None and not inside:
            deployment.gateway = Entry(entry.target, reach.authority(found[Key(KSVC, plan.chain.gateway.name)]))
        await deployment.stands(entry, where, await platform.versions(api))

    async def _look_first(self, api: Api, plan: Plan, objects: Sequence[Object]) -> None:
        """Raises EngineError for what can be known before anything is applied."""
        fit.check(plan, objects, from_inside=self._settings.from_inside)
        await ground.see_that_knative_is_there(api, objects)
        await ground.see_that_it_is_free(api, objects, manifests.labels(plan))

    async def _applied(self, api: Api, manifest: Object, *, dry_run: bool) -> Object:
        try:
            return await api.apply(manifest, dry_run=dry_run)
        except Refused as error:
            facts = evidence.Facts(Key.of(manifest), 0.0, refusal=evidence.refusal(error))
            raise DeploymentFailed(diagnose(facts)) from error

    def _namespace(self, plan: Plan) -> str:
        return self._settings.namespace or plan.namespace

    def _rendered(
        self, plan: Plan, *, receipts: str | None, endpoint: str | None, make_namespace: bool, token: str | None = None
    ) -> Sequence[manifests.Manifest]:
        namespace, image = self._namespace(plan), self._settings.image
        domain = self._settings.cluster_domain
        target = manifests.Target(namespace, image, receipts, endpoint, make_namespace, cluster_domain=domain)
        target = target if token is None else dataclasses.replace(target, ledger_token=token)
        return self._settings.alter(manifests.render(plan, target))

    @staticmethod
    def _endpoint(zipkin: str | None) -> str | None:
        return zipkin_client.spans_url(zipkin) if zipkin else None

    async def _rolled_out(
        self, api: Api, namespace: str, steps: Sequence[order.Step], ours: str
    ) -> Mapping[Key, Object]:
        """The objects as they are once all of them are ready. Raises DeploymentFailed."""
        kinds = {**{step.key.kind: ours for step in steps}, POD: ours, EVENT: ""}
        patience = Patience(self._settings.ready_within_s, self._settings.error_window_s)
        async with View(api, namespace, kinds, optional=(POD, EVENT)) as view:
            try:
                await Rollout(api, view, steps, patience, self._audience.stage).run()
            except Stuck as stuck:
                facts = await evidence.gather(
                    api,
                    namespace,
                    stuck.key,
                    after_s=stuck.after_s,
                    trouble=stuck.trouble,
                    refusal=evidence.refusal(stuck.refused) if stuck.refused is not None else None,
                )
                raise DeploymentFailed(diagnose(facts)) from stuck
            return {step.key: view.get(step.key) or {} for step in steps}

    async def _entry(self, service: Object, targets: Sequence[str]) -> Entry:
        """Where calls go in, once one went through: a route takes a moment to be known."""
        authority = reach.authority(service)
        target, said = await reach.answering(targets, authority, ANSWERS_WITHIN_S)
        if target is None:
            raise EngineError(
                f"{service['metadata']['name']} is ready, but does not answer as {authority} through the ingress "
                f"{', '.join(targets)}: {said}",
                next_step="see that this address is that of Knative's ingress, or name it with --ingress HOST:PORT",
            )
        return Entry(target, authority)


def _keep(folder: Path, objects: Sequence[manifests.Manifest]) -> None:
    """What a run was made of belongs to its results; a full disk must not cost the run."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in manifests.files(objects).items():
            (folder / name).write_text(text, "utf-8")


def bound(plan: Plan, found: Mapping[Key, Object]) -> Bound:
    """Where the plan's names really lead, as the cluster says it."""
    targets = {each.name: assertions.target(found[Key(KSVC, each.name)]) for each in plan.chain.functions}
    sink = assertions.address(found[Key(BROKER, plan.broker.name)]) if plan.broker else None
    return Bound(targets, sink)
