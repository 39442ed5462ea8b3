"""What `tracing setup` brings up, among everything else that is in a cluster: told by its labels, removed by them.

May live here: looking before it is applied, and taking it away. May not: which objects there are (`toolkit.manifests`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.engines.knative import belongings
from toolkit.engines.knative.api import FORBIDDEN, Api, Refused
from toolkit.engines.knative.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    K8S_SERVICE,
    NAMESPACE,
    POD,
    Key,
    Kind,
    Object,
    labels,
    leaving,
    name,
    selector,
    uid,
)
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.manifests.names import MANAGED_BY, OWNER

OURS: Mapping[str, str] = {MANAGED_BY: OWNER, "app.kubernetes.io/component": "tracing"}
KINDS: tuple[Kind, ...] = (DEPLOYMENT, K8S_SERVICE, CONFIG_MAP)
LOOK_S = 0.1


async def may_make_namespace(api: Api, namespace: str) -> bool:
    """Whether it is not there, or is ours. Raises EngineError."""
    try:
        found = await api.get(NAMESPACE, namespace)
    except Refused as error:
        if error.code != FORBIDDEN:
            raise
        return False  # who may not look at it, may not make it either
    if found is not None and leaving(found):
        raise EngineError(
            f"the namespace {namespace} is just ending", next_step="try again in a moment, or choose another with -n"
        )
    return found is None or OURS.items() <= labels(found).items()


async def namespaces(api: Api) -> Sequence[str]:
    """Where something of ours is; none when we have no right to look everywhere."""
    try:
        found = await api.every(DEPLOYMENT, labels=selector(OURS))
    except Refused:
        return ()
    return [str(each["metadata"]["namespace"]) for each in found]


async def see_that_it_is_free(api: Api, objects: Sequence[Object]) -> None:
    """Raises EngineError when an object of one of these names is somebody else's."""
    for each in objects:
        space = each["metadata"]["namespace"]
        found = await api.get(Kind.of(each), name(each), space)
        if found is not None and not OURS.items() <= labels(found).items():
            raise EngineError(
                f"the namespace {space} has a {Key.of(found)} already, of somebody else",
                next_step="choose another namespace with -n, or name what is there with --zipkin or --endpoint",
            )


async def remove(api: Api, namespace: str, within_s: float, *, dry_run: bool) -> tuple[Sequence[Key], Sequence[str]]:
    """What is ours in the namespace, and the namespace if we made it and nobody else uses it; what stays, and why."""
    space = await api.see(NAMESPACE, namespace)
    made = space if space is not None and OURS.items() <= labels(space).items() and not leaving(space) else None
    found = [each for kind in KINDS for each in await api.every(kind, namespace, selector(OURS))]
    told: list[str] = []
    if made is not None and (others := belongings.foreign(await belongings.of(api, namespace), OURS)):
        some = ", ".join(str(Key.of(each)) for each in others[:6])
        told, made = [f"the namespace {namespace} stays, for it holds what is not ours: {some}"], None
    keys = [Key.of(each) for each in (*found, *([made] if made else []))]
    if dry_run or not keys:
        return keys, told
    for each in found:
        await api.delete(each)
    if made is not None:
        await api.delete(made)
    if not await until(lambda: _is_gone(api, namespace, made), within_s=within_s, every_s=LOOK_S):
        raise EngineError(
            f"what was set up in the namespace {namespace} was not gone after {within_s:.0f} s",
            next_step=f"'kubectl get all -n {namespace}' tells what keeps it; undo it again",
        )
    return keys, told


async def _is_gone(api: Api, namespace: str, made: Object | None) -> bool:
    if made is not None:
        still = await api.get(NAMESPACE, namespace)
        return still is None or uid(still) != uid(made)
    pods = [await api.every(POD, namespace, f"app.kubernetes.io/name={each}") for each in ("zipkin", "otel-collector")]
    left = [await api.every(kind, namespace, selector(OURS)) for kind in KINDS]
    return not any((*left, *pods))
