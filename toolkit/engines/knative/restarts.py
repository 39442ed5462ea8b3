"""Restarts Deployments as `kubectl rollout restart` does, and waits until Deployments are rolled out.

May live here: any Deployment's rollout. May not: which have to be restarted, and why (`observability`, `tracing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from toolkit.engines.knative import conditions
from toolkit.engines.knative.api import NOT_FOUND, Api, accepted
from toolkit.engines.knative.kinds import DEPLOYMENT, POD, Key, Object, notes, selector
from toolkit.engines.knative.settings import ERROR_WINDOW_S, Audience
from toolkit.engines.waiting import until
from toolkit.errors import EngineError

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
MERGE = "application/merge-patch+json"
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Name:
    """One Deployment."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def key(self) -> Key:
        return Key(DEPLOYMENT, self.name)


def template_notes(found: Object) -> Mapping[str, str]:
    """The annotations of its pods."""
    return notes({"metadata": found["spec"]["template"].get("metadata") or {}})


async def restart(api: Api, which: Name, marks: Mapping[str, str | None]) -> bool:
    """New pods in place of the old, with these annotations (None: without). False when there is no such Deployment."""
    annotations = {RESTARTED_AT: datetime.now(UTC).isoformat(timespec="seconds"), **marks}
    body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    path = await api.path(DEPLOYMENT, which.namespace, which.name)
    answer = await api.ask("PATCH", path, body=body, content_type=MERGE)
    if answer.code == NOT_FOUND:
        return False
    accepted(f"restart the Deployment {which}", answer)
    return True


async def rolled_out(api: Api, which: Sequence[Name], within_s: float, audience: Audience, next_step: str) -> None:
    """Returns once all pods of all are new and available. Raises EngineError of the first that does not come up."""
    await asyncio.gather(*(_rolled_out(api, each, within_s, audience, next_step) for each in which))


async def _rolled_out(api: Api, which: Name, within_s: float, audience: Audience, next_step: str) -> None:
    clock = asyncio.get_running_loop().time
    began, bad_since = clock(), None
    trouble: conditions.Trouble | None = None
    state = ""

    async def settled() -> bool:
        nonlocal bad_since, trouble, state
        found = await api.get(DEPLOYMENT, which.name, which.namespace)
        state = progress(found)
        audience.stage(which.key, state)
        if state == "ready":
            return True
        trouble = await _trouble(api, found, which.namespace)
        bad_since = None if trouble is None else clock() if bad_since is None else bad_since
        return bad_since is not None and clock() - bad_since >= ERROR_WINDOW_S * (trouble.patience if trouble else 1)

    await until(settled, within_s=within_s, every_s=LOOK_S)
    if state != "ready":
        why = f"{trouble.text}" if trouble else state
        raise EngineError(
            f"the Deployment {which} was not rolled out after {clock() - began:.0f} s: {why}", next_step=next_step
        )


def progress(found: Object | None) -> str:
    """`ready`, or in a few words what it waits for; as `kubectl rollout status` sees it."""
    if found is None:
        return "not there"
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return "waiting for its controller"
    new, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if new < wanted:
        return f"{new} of {wanted} new pods made"
    if (old := status.get("replicas", 0) - new) > 0:
        return f"{old} old pods are still there"
    return "ready" if available >= wanted else f"{available} of {wanted} pods available"


async def _trouble(api: Api, found: Object | None, namespace: str) -> conditions.Trouble | None:
    """What speaks against its pods, those that are on their way out left aside."""
    if found is None:
        return None
    wanted = found["spec"]["selector"].get("matchLabels") or {}
    pods = await api.every(POD, namespace, selector(wanted)) if wanted else []
    troubles = (conditions.pod_trouble(each) for each in pods if "deletionTimestamp" not in each["metadata"])
    return next((each for each in troubles if each is not None), None)
