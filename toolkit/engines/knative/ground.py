"""Whether there is room for a deployment: the namespace, and what is there already. Nobody else's object is ever taken.

May live here: looking before anything is applied. May not: taking anything away (`removal`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import NAMESPACE, Key, Kind, Object, labels, leaving
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.manifests.names import MANAGED_BY, OWNER, PART_OF, RUN


async def prepare(api: Api, namespace: str, ours: Mapping[str, str], settings: Settings, audience: Audience) -> bool:
    """Whether the namespace has to be made. One that is just ending is waited for. Raises EngineError."""
    key = Key(NAMESPACE, namespace)
    found = await api.get(NAMESPACE, namespace)
    if found is not None and leaving(found):
        audience.stage(key, "waiting for its end")

        async def gone() -> bool:
            nonlocal found
            found = await api.get(NAMESPACE, namespace)
            return found is None or not leaving(found)

        if not await until(gone, within_s=settings.ready_within_s, every_s=0.1):
            raise EngineError(f"the namespace {namespace} is ending")
    return found is None or labels(found).get(RUN) == ours[RUN]


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
