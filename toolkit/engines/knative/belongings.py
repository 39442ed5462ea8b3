"""What lies in a namespace, of whatever kind: before one is deleted, nobody else's may be in it.

May live here: looking through a namespace. May not: deleting (`removal`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from toolkit.engines.knative.api import Api, accepted
from toolkit.engines.knative.kinds import Kind, Object, labels, owned_by, uid

AT_ONCE = 8
_NEVER_MEANT = frozenset(("Event", "Endpoints", "EndpointSlice", "Lease", "PodMetrics"))  # made and unmade by others
_EVERYWHERE = frozenset(
    (
        *(("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")),  # Kubernetes
        *(("ConfigMap", "istio-ca-root-cert"), ("ConfigMap", "openshift-service-ca.crt")),
        *(("ServiceAccount", "builder"), ("ServiceAccount", "deployer")),  # OpenShift
    )
)


async def of(api: Api, namespace: str) -> list[Object]:
    """Every object in the namespace that is not there by itself.

    Raises EngineError when some kind cannot be looked at: then nobody knows.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def of_kind(kind: Kind) -> list[Object]:
        async with gate:
            return await api.every(kind, namespace)

    found = await asyncio.gather(*map(of_kind, await _kinds(api)))
    everything = (each for listed in found for each in listed)
    return [each for each in everything if (each["kind"], each["metadata"]["name"]) not in _EVERYWHERE]


def foreign(objects: Sequence[Object], ours: Mapping[str, str]) -> list[Object]:
    """Those without our labels that nothing of ours owns, directly or through others. Pure."""
    known = {uid(each) for each in objects if ours.items() <= labels(each).items()}
    left = [each for each in objects if uid(each) not in known]
    while owned := [each for each in left if any(owned_by(each, owner) for owner in known)]:
        known |= {uid(each) for each in owned}
        left = [each for each in left if uid(each) not in known]
    return left


async def _kinds(api: Api) -> list[Kind]:
    """Every kind that lives in namespaces and can be listed and deleted, in the version that the cluster prefers."""
    groups = accepted("list the API groups", await api.ask("GET", "/apis"))["groups"]
    versions = ["v1", *(each["preferredVersion"]["groupVersion"] for each in groups)]
    found = await asyncio.gather(*(_of_version(api, version) for version in versions))
    return [kind for kinds in found for kind in kinds]


async def _of_version(api: Api, version: str) -> list[Kind]:
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    answer = await api.ask("GET", base, tries=2)  # an aggregated API may be down for good
    resources = answer.body.get("resources", ()) if answer.code == 200 else ()
    return [Kind(version, each["kind"]) for each in resources if _kept(each)]


def _kept(resource: Object) -> bool:
    verbs = resource.get("verbs", ())
    own = resource["namespaced"] and "/" not in resource["name"] and "list" in verbs and "delete" in verbs
    return bool(own and resource["kind"] not in _NEVER_MEANT)
