"""Whether there is room for a deployment: the namespace, and what is there already. Nobody else's object is ever taken.

May live here: looking before anything is applied. May not: taking anything away (`removal`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from toolkit.engines.knative.api import FORBIDDEN, Api, Refused, UnknownKind
from toolkit.engines.knative.kinds import NAMESPACE, Key, Kind, Object, labels, leaving
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.manifests.names import MANAGED_BY, OWNER, PART_OF, RUN


async def prepare(api: Api, namespace: str, ours: Mapping[str, str], settings: Settings, audience: Audience) -> bool:
    """Whether the namespace has to be made. One that is just ending is waited for. Raises EngineError."""
    key = Key(NAMESPACE, namespace)
    try:
        found = await api.get(NAMESPACE, namespace)
    except Refused as error:
        if error.code != FORBIDDEN:
            raise
        return False  # who may not look at it, may not make it either
    if found is not None and leaving(found):
        audience.stage(key, "waiting for its end")

        async def gone() -> bool:
            nonlocal found
            found = await api.get(NAMESPACE, namespace)
            return found is None or not leaving(found)

        if not await until(gone, within_s=settings.ready_within_s, every_s=0.1):
            raise EngineError(
                f"the namespace {namespace} is ending, and was not gone after {settings.ready_within_s:.0f} s"
                f"{_what_keeps(found)}",
                next_step="take away what keeps it, or choose another namespace with -n",
            )
    return found is None or labels(found).get(RUN) == ours[RUN]


def _what_keeps(namespace: Object | None) -> str:
    """What its controller says is left in it."""
    status = (namespace or {}).get("status") or {}
    told = [
        str(each.get("message"))
        for each in status.get("conditions") or ()
        if each["status"] == "True" and each.get("message")
    ]
    return f": {'; '.join(told)}" if told else ""


async def see_that_knative_is_there(api: Api, manifests: Sequence[Object]) -> None:
    """Raises EngineError when the cluster does not know a kind, with what has to be installed."""
    for kind in dict.fromkeys(map(Kind.of, manifests)):
        try:
            await api.path(kind)
        except UnknownKind as error:
            part = next((each for group, each in _PARTS.items() if kind.group.startswith(group)), None)
            if part is None:
                raise
            raise EngineError(
                f"{part} is not installed in the cluster {api.server}: it knows no {kind} of {kind.api_version}",
                next_step="install it (https://knative.dev/docs/install), or choose another cluster with --context",
            ) from error


_PARTS = {
    "serving.": "Knative Serving",
    "eventing.": "Knative Eventing",
    "sources.": "Knative Eventing",
    "messaging.": "Knative Eventing",
}


async def see_that_namespace_is_there(api: Api, namespace: str) -> None:
    """Raises EngineError: for objects in a namespace that is not there, a dry run would tell nothing else."""
    if await api.get(NAMESPACE, namespace) is None:
        raise EngineError(
            f"there is no namespace {namespace}, and the API server judges objects only in one that is there",
            next_step=f"'kubectl create namespace {namespace}' makes it, or name another with -n",
        )


async def see_that_it_is_free(api: Api, manifests: Sequence[Object], ours: Mapping[str, str]) -> None:
    """Raises EngineError when an object of one of these names is not this run's."""
    there = await asyncio.gather(*(_there(api, each) for each in manifests))
    for found in there:
        if found is None or labels(found).get(RUN) == ours[RUN]:
            continue
        raise EngineError(_taken(found), next_step=_next_step(found))


async def _there(api: Api, manifest: Object) -> Object | None:
    metadata = manifest["metadata"]
    return await api.get(Kind.of(manifest), metadata["name"], metadata.get("namespace"))


def _taken(found: Object) -> str:
    said = labels(found)
    whose = f"the run {said.get(RUN)}" if said.get(MANAGED_BY) == OWNER else "somebody else"
    return f"the namespace {found['metadata'].get('namespace')} has a {Key.of(found)} already, of {whose}"


def _next_step(found: Object) -> str:
    said, namespace = labels(found), found["metadata"].get("namespace")
    if said.get(MANAGED_BY) == OWNER:
        return f"'toolkit delete {said.get(PART_OF)} -n {namespace}' takes that run away; or choose another with -n"
    return "choose another namespace with -n"


def split(manifests: Sequence[Object]) -> tuple[list[Object], list[Object]]:
    """Namespaces, and what goes into them."""
    first = [each for each in manifests if Kind.of(each) == NAMESPACE]
    return first, [each for each in manifests if Kind.of(each) != NAMESPACE]
