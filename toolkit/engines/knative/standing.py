"""Deployments that somebody else brought up: found again by their labels, for there is no other memory of them.

May live here: finding, telling how they are, and their entry. May not: bringing up (`engine`), taking away (`removal`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.contract import LEDGER
from toolkit.engines.base import Entry
from toolkit.engines.knative import conditions, reach
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.diagnosis import pod_state
from toolkit.engines.knative.evidence import when
from toolkit.engines.knative.kinds import (
    BROKER,
    DEPLOYMENT,
    KSVC,
    NAMESPACE,
    POD,
    SINK_BINDING,
    TRIGGER,
    Key,
    Object,
    labels,
    leaving,
    name,
    owned,
    selector,
)
from toolkit.errors import EngineError
from toolkit.manifests import ledgers
from toolkit.manifests.names import FUNCTION, MANAGED_BY, OWNER, PART_OF, RUN, label_value

ANSWERS_WITHIN_S = 30.0
KINDS = (BROKER, SINK_BINDING, DEPLOYMENT, KSVC, TRIGGER)


@dataclass(frozen=True, slots=True)
class Standing:
    """The objects of one run of a chain in a namespace, in the order in which they come up, and its pods."""

    run: str
    chain: str
    namespace: str
    objects: Sequence[Object]
    pods: Sequence[Object]

    @property
    def labels(self) -> Mapping[str, str]:
        """What every object of it carries."""
        return {MANAGED_BY: OWNER, PART_OF: label_value(self.chain), RUN: self.run}

    @property
    def ready(self) -> bool:
        return all(map(conditions.ready, self.objects))


@dataclass(frozen=True, slots=True)
class Line:
    """How one object is: `state` is `ready`, or in a word or two what it waits for."""

    kind: str
    name: str
    ready: bool
    state: str


async def find(api: Api, chain: str, namespace: str) -> list[Standing]:
    """The runs of the chain in the namespace, in the order of their names."""
    wanted = {MANAGED_BY: OWNER, PART_OF: label_value(chain)}
    listed = await asyncio.gather(*(api.every_known(kind, namespace, selector(wanted)) for kind in (*KINDS, POD)))
    # What Knative makes of a function carries its labels too, such as the Deployment of a revision.
    objects, pods = [each for found in listed[:-1] for each in found if not owned(each)], listed[-1]
    runs = {labels(each).get(RUN, "") for each in (*objects, *pods)} | await _of_namespace(api, namespace, wanted)
    return [
        Standing(
            run,
            chain,
            namespace,
            [each for each in objects if labels(each).get(RUN) == run],
            [each for each in pods if labels(each).get(RUN) == run],
        )
        for run in sorted(runs)
    ]


async def _of_namespace(api: Api, namespace: str, wanted: Mapping[str, str]) -> set[str]:
    """The run that made the namespace: there may be nothing else left of it."""
    found = await api.see(NAMESPACE, namespace)
    ours = found is not None and not leaving(found) and wanted.items() <= labels(found).items()
    return {labels(found)[RUN]} if ours and found is not None else set()


async def the_one(api: Api, chain: str, namespace: str) -> Standing:
    """The newest run of the chain in the namespace. Raises EngineError when there is none."""
    found = [each for each in await find(api, chain, namespace) if each.objects]
    if not found:
        raise EngineError(
            f"nothing of {chain} stands in the namespace {namespace}",
            next_step=f"'toolkit deploy {chain} --engine knative --image REF -n {namespace}' brings it up",
        )
    return max(found, key=lambda each: max(map(when, each.objects)))


async def entry(api: Api, standing: Standing, function: str, ingress: str | None) -> Entry:
    """How its entry is reached from here. Raises EngineError."""
    service = next((each for each in standing.objects if Key.of(each) == Key(KSVC, function)), None)
    if service is None or not conditions.ready(service):
        raise EngineError(
            f"the entry {function} of {standing.chain} is not ready: {conditions.progress(service)}",
            next_step=f"'toolkit status {standing.chain} -n {standing.namespace}' shows how it is",
        )
    targets, authority = await reach.ingresses(api, ingress), reach.authority(service)
    target, said = await reach.answering(targets, authority, ANSWERS_WITHIN_S)
    if target is None:
        raise EngineError(
            f"{function} does not answer as {authority} through the ingress {', '.join(targets)}: {said}",
            next_step="name the ingress with --ingress HOST:PORT",
        )
    return Entry(target, authority)


def ledger_token(standing: Standing) -> str:
    """What the URL of its ledger holds: whoever may read the ledger's Deployment may ask the ledger.

    Raises EngineError where there is none.
    """
    deployment = next((each for each in standing.objects if Key.of(each) == Key(DEPLOYMENT, LEDGER)), None)
    token = None if deployment is None else ledgers.token(deployment)
    if token is None:
        raise EngineError(
            f"{standing.chain} has no ledger in the namespace {standing.namespace}, so no tasks",
            next_step=f"'toolkit status {standing.chain} -n {standing.namespace}' shows what stands",
        )
    return token


def lines(standing: Standing) -> list[Line]:
    """How each object and each pod is."""
    told = [_line(each) for each in standing.objects]
    return told + [Line("Pod", name(each), conditions.holds(each), pod_state(each)) for each in standing.pods]


def functions(standing: Standing) -> list[str]:
    return sorted({labels(each)[FUNCTION] for each in standing.objects if FUNCTION in labels(each)})


def _line(found: Object) -> Line:
    key, ready = Key.of(found), conditions.ready(found)
    return Line(str(key.kind), key.name, ready, "on its way out" if leaving(found) else conditions.progress(found))
