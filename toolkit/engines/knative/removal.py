"""Takes a run's objects away, and nothing else: by the labels of the run, each by its name and uid.

May live here: the order of going, and the words for what stays. The broker goes first, with its channel: Triggers that
go at once while their broker stays leave dead subscribers behind, and each later event is sent to those too.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from toolkit.engines.knative import belongings
from toolkit.engines.knative.api import FORBIDDEN, Api, Refused
from toolkit.engines.knative.kinds import (
    BROKER,
    CHANNEL,
    DEPLOYMENT,
    JOB,
    K8S_SERVICE,
    KSVC,
    NAMESPACE,
    POD,
    SINK_BINDING,
    TRIGGER,
    Key,
    Kind,
    Object,
    labels,
    owned_by,
    selector,
    uid,
)
from toolkit.engines.waiting import until
from toolkit.errors import EngineError

BROKER_WITHIN_S = 20.0
POD_GRACE_S = 1  # nobody is served any more
LOOK_S = 0.1
NUDGE_S = 3.0
EMPTY, MERGE = "kn-bench.dev/no-pods-since", "application/merge-patch+json"
SHOWN = 6  # names of objects in a line
KINDS = (BROKER, TRIGGER, SINK_BINDING, KSVC)


async def remove(api: Api, namespace: str, ours: Mapping[str, str], within_s: float) -> list[str]:
    """Returns once everything with the labels `ours` is gone, or `within_s` seconds later; what stays and why, a line
    each.

    May be called again. What cannot be seen or deleted is told, never raised: whoever cleans up has results to keep.
    """
    told: list[str] = []
    try:
        async with asyncio.timeout(within_s):
            await _generators(api, namespace, selector(ours))
            if (made := await _made_by_us(api, namespace, ours)) is not None:
                others = belongings.foreign(await belongings.of(api, namespace), ours)
                if not others:
                    await _with_the_namespace(api, made, ours)
                    return []
                told = [f"the namespace {namespace} stays, for it holds what is not of this run: {_some(others)}"]
            await _one_by_one(api, namespace, selector(ours))
    except TimeoutError:
        return [*told, *await _left(api, namespace, selector(ours), f"not gone after {within_s:.0f} s")]
    except EngineError as error:
        return [*told, *await _left(api, namespace, selector(ours), str(error))]
    return told


async def _made_by_us(api: Api, namespace: str, ours: Mapping[str, str]) -> Object | None:
    """The namespace, if this very run made it: that of another run is not ours to take, be it empty."""
    found = await api.see(NAMESPACE, namespace)
    return found if found is not None and ours.items() <= labels(found).items() else None


async def _with_the_namespace(api: Api, found: Object, ours: Mapping[str, str]) -> None:
    """In a namespace that is ending no pod is replaced, so each can be told at once not to drain for half a minute.

    Kubernetes begins with the rest after 5 s, and looks again 8 s later when something has finalizers: what is gone by
    then is not waited for (kubernetes/pkg/controller/namespace).
    """
    namespace = found["metadata"]["name"]
    await _brokers(api, namespace, selector(ours))
    await api.delete(found)
    await asyncio.gather(
        *(api.delete(pod, grace_s=POD_GRACE_S) for pod in await api.every_known(POD, namespace, selector(ours)))
    )
    await asyncio.gather(*(_delete(api, kind, namespace, selector(ours)) for kind in KINDS))

    async def gone() -> bool:
        still = await api.get(NAMESPACE, namespace)
        return still is None or uid(still) != uid(found)

    while not await until(gone, within_s=NUDGE_S, every_s=LOOK_S):  # the caller bounds it
        await _nudge(api, namespace)


async def _nudge(api: Api, namespace: str) -> None:
    """The controller that found draining pods looks again when half of their grace period is over, which takes minutes
    for those that were on their way to zero before, or when the namespace changes: once they are gone we change it.
    """
    if not await api.every_known(POD, namespace):
        change = {"metadata": {"annotations": {EMPTY: datetime.now(UTC).isoformat()}}}
        await api.ask("PATCH", await api.path(NAMESPACE, name=namespace), body=change, content_type=MERGE, tries=1)


async def _generators(api: Api, namespace: str, selector: str) -> None:
    """Whoever may not look at Jobs has made none."""
    try:
        await _delete(api, JOB, namespace, selector)
    except Refused as error:
        if error.code != FORBIDDEN:
            raise


async def _ledger(api: Api, namespace: str, selector: str) -> None:
    """After the functions, which ask it to the end. Whoever may not look at Deployments has made none."""
    for kind in (DEPLOYMENT, K8S_SERVICE):
        try:
            await _delete(api, kind, namespace, selector)
        except Refused as error:
            if error.code != FORBIDDEN:
                raise


async def _one_by_one(api: Api, namespace: str, selector: str) -> None:
    """In a namespace of somebody else's: their pods drain as Knative has it, for half a minute without requests."""
    await _brokers(api, namespace, selector)
    await asyncio.gather(_delete(api, TRIGGER, namespace, selector), _delete(api, KSVC, namespace, selector))
    await _gone(api, namespace, selector, (TRIGGER, KSVC))
    await _ledger(api, namespace, selector)
    await _delete(api, SINK_BINDING, namespace, selector)  # earlier, it would give its Service one more revision
    await _gone(api, namespace, selector, (SINK_BINDING, POD))


async def _brokers(api: Api, namespace: str, selector: str) -> None:
    for broker in await _delete(api, BROKER, namespace, selector):
        await _channel_gone(api, namespace, broker)
    await _gone(api, namespace, selector, (BROKER,))


async def _delete(api: Api, kind: Kind, namespace: str, selector: str) -> Sequence[Object]:
    found = await api.every_known(kind, namespace, selector)
    await asyncio.gather(*(api.delete(each) for each in found))
    return found


async def _channel_gone(api: Api, namespace: str, broker: Object) -> None:
    async def gone() -> bool:
        return not any(owned_by(each, uid(broker)) for each in await api.every_known(CHANNEL, namespace, ""))

    await until(gone, within_s=BROKER_WITHIN_S, every_s=LOOK_S)


async def _gone(api: Api, namespace: str, selector: str, kinds: Iterable[Kind]) -> None:
    async def gone() -> bool:
        return not any([await api.every_known(kind, namespace, selector) for kind in kinds])

    await until(gone, within_s=math.inf, every_s=LOOK_S)  # whoever called bounds it


async def _left(api: Api, namespace: str, selector: str, why: str) -> list[str]:
    """What stays, how it can be taken away by hand, and why we could not."""
    try:
        left = [each for kind in KINDS for each in await api.every_known(kind, namespace, selector)]
    except EngineError:
        left = []
    if not left:
        return [f"the namespace {namespace} may not be as it was ({why}); 'kubectl get all -n {namespace}' tells"]
    remedy = f"kubectl delete ksvc,broker,trigger,sinkbinding -n {namespace} -l {selector}"
    return [f"left in the namespace {namespace}: {_some(left)} ({why}); to remove it: {remedy}"]


def _some(found: Sequence[Object]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(str(Key.of(each)) for each in found[:SHOWN]) + more
