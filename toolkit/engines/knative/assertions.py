"""What has to be true of a deployment that is ready, beyond that everything says that it is.

May live here: looking at what stands. May not: waiting for it to stand (`rollout`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from toolkit.contract import K_SINK
from toolkit.engines.knative import conditions
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.kinds import KSVC, REVISION, Key, Object
from toolkit.engines.knative.observer import mismatches
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.plan import Plan

PORT = 80  # of Knative's routes inside the cluster


def address(found: Object) -> str:
    """The URL of something addressable. Raises EngineError."""
    url = ((found.get("status") or {}).get("address") or {}).get("url")
    if not url:
        raise EngineError(f"{Key.of(found)} is ready and has no address", next_step="see 'kubectl get -o yaml' of it")
    return str(url)


def target(service: Object) -> str:
    """The gRPC target of a function inside the cluster."""
    parts = urlsplit(address(service))
    return f"{parts.hostname}:{parts.port or PORT}"


def see_that_callers_know(plan: Plan, told: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Each function that is called is where its callers were told that it is. Raises EngineError."""
    for edge in plan.chain.edges:
        if edge.via != "call" or told[edge.to] == found[edge.to]:
            continue
        domain = found[edge.to].rpartition(":")[0].partition(".svc.")[2]
        raise EngineError(
            f"{edge.to} is at {found[edge.to]} in the cluster, and {edge.source} calls it at {told[edge.to]}",
            next_step=f"name the cluster's domain: --cluster-domain {domain or 'NAME'} (or $TOOLKIT_CLUSTER_DOMAIN)",
        )


async def see_that_sinks_are_bound(
    api: Api, namespace: str, functions: Iterable[str], sink: str | None, within_s: float
) -> None:
    """Each of the functions serves from a revision that sends its events to this very sink."""
    for function in functions:
        await _bound(api, namespace, function, sink, within_s)


async def see_that_all_are_subscribed(api: Api, namespace: str, ours: str, within_s: float) -> None:
    """The broker's channel sends to the Triggers of this run, and to nobody else."""
    wrong: list[str] = []

    async def right() -> bool:
        nonlocal wrong
        wrong = await mismatches(api, namespace, ours)
        return not wrong

    if not await until(right, within_s=within_s, every_s=0.2):
        raise EngineError(
            f"the broker's channel does not fit the Triggers: {'; '.join(wrong)}",
            next_step=f"delete the broker and deploy again, or choose another namespace than {namespace} with -n",
        )


async def _bound(api: Api, namespace: str, function: str, sink: str | None, within_s: float) -> None:
    revision, seen = "", None

    async def right() -> bool:
        nonlocal revision, seen
        service = await api.get(KSVC, function, namespace)
        revision = (service and conditions.revision_with_the_traffic(service)) or ""
        serving = await api.get(REVISION, revision, namespace) if revision else None
        seen = conditions.environment(serving["spec"]).get(K_SINK) if serving else None
        return seen == sink

    if not await until(right, within_s=within_s, every_s=0.2):
        raise EngineError(
            f"{function} sends its events elsewhere: {K_SINK} of its revision {revision or '(none has the traffic)'} "
            f"is {seen or 'not set'}, and the broker is {sink}",
            next_step=f"see 'kubectl get sinkbinding {function} -n {namespace} -o yaml', and that nobody else binds it",
        )
