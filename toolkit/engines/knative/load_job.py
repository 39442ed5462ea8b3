"""Generators of load as Jobs: their manifests, their coming, what became of one that left, and their end.

May live here: Jobs and their pods. May not: what generators are told (`engines.generators`), when (`inside`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toolkit import manifests
from toolkit.engines.knative import conditions, evidence
from toolkit.engines.knative.api import Api, Refused
from toolkit.engines.knative.diagnosis import DeploymentFailed, Diagnosis, diagnose
from toolkit.engines.knative.evidence import GENERATOR_CONTAINER, JOB_LABEL
from toolkit.engines.knative.kinds import EVENT, POD, Key, Object, labels, leaving, selector
from toolkit.engines.knative.watching import View
from toolkit.errors import EngineError
from toolkit.load import pacing, wire
from toolkit.manifests import Manifest, templates
from toolkit.manifests.names import GENERATOR
from toolkit.plan import Plan
from toolkit.results import Load

REQUESTS = {"cpu": "100m", "memory": "96Mi"}
LIMITS = {"memory": "1Gi"}  # some 1.2 KiB a call; no limit of the processor, which would make calls late
SPARE_S = 900.0  # to come, to dial, to wait for answers
LONGEST_S = 7 * 86_400.0
TOLD_WITHIN_S = 6.0  # how a container ended, by the kubelet
NEW_S = 0.1


def jobs(
    plan: Plan, namespace: str, image: str, load: Load, address: tuple[str, int], token: str, count: int
) -> tuple[Manifest, ...]:
    """One for each generator: where one leaves, the others go on. Their names are of this run alone."""
    mark = hashlib.blake2b(plan.run.encode(), digest_size=5).hexdigest()
    host, port = address
    return tuple(
        templates.render(
            "generator",
            ("knative",),
            {
                "name": f"load-{mark}-{index}",
                "namespace": namespace,
                "labels": {**manifests.labels(plan), GENERATOR: str(index)},
                "deadline": math.ceil(min(pacing.longest_s(load) + SPARE_S, LONGEST_S)),
                "container": GENERATOR_CONTAINER,
                "image": image,
                "command": ["python3", "-P", "-m", "toolkit.load.worker", host, str(port), str(index)],
                "token_name": wire.TOKEN,
                "token": token,
                "requests": REQUESTS,
                "limits": LIMITS,
            },
        )
        for index in range(count)
    )


@dataclass(frozen=True, slots=True)
class Missing:
    """One that will not come. `trouble` is why, None when it left."""

    key: Key
    trouble: str | None = None


class Jobs:
    """The Jobs of one load. `async with` it: they are taken away in the end, whatever becomes of the load."""

    def __init__(self, api: Api, namespace: str, plan: Plan) -> None:
        self._api, self._namespace = api, namespace
        ours = f"{selector(manifests.labels(plan))},{GENERATOR}"
        self._view = View(api, namespace, {POD: ours, EVENT: ""}, optional=(EVENT,))
        self._applied: list[Object] = []
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._bad_since: dict[str, float] = {}

    async def __aenter__(self) -> Jobs:
        await self._view.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._view.__aexit__()
        for each in self._applied:
            with contextlib.suppress(EngineError):  # who takes the deployment away meets it again
                await self._api.delete(each)

    def name(self, index: int) -> Key:
        return Key.of(self._applied[index])

    async def apply(self, wanted: Sequence[Manifest]) -> None:
        """Raises DeploymentFailed when the cluster refuses one."""
        for each in wanted:
            try:
                self._applied.append(await self._api.apply(each))
            except Refused as error:
                facts = evidence.Facts(Key.of(each), 0.0, refusal=evidence.refusal(error))
                raise DeploymentFailed(diagnose(facts)) from error

    async def until(self, here: Callable[[], bool], within_s: float, error_s: float) -> None:
        """Returns once `here` holds. Raises DeploymentFailed, of the first one that will not come."""

        def look() -> Missing | bool | None:
            return here() or self._hopeless(error_s)

        settled = await self._view.until(look, within_s, every_s=NEW_S)
        if settled is None:
            settled = Missing(self._slowest(), "it did not come in time")
        if isinstance(settled, Missing):
            raise DeploymentFailed(await self.why(settled.key, settled.trouble))

    def _hopeless(self, error_s: float) -> Missing | None:
        """The first whose pod ended, or has been in a trouble for so long that it will not pass."""
        for key, pod in ((Key.of(each), self._pod(Key.of(each))) for each in self._applied):
            if pod is not None and _ended(pod):
                return Missing(key)
            trouble = conditions.pod_trouble(pod) if pod is not None else self._not_made(key)
            if trouble is None:
                self._bad_since.pop(key.name, None)
            elif self._clock() - self._bad_since.setdefault(key.name, self._clock()) >= error_s * trouble.patience:
                return Missing(key, trouble.text)
        return None

    def _not_made(self, key: Key) -> conditions.Trouble | None:
        for each in self._view.every(EVENT):
            if (each.get("involvedObject") or {}).get("name") == key.name and each.get("reason") == "FailedCreate":
                return conditions.Trouble(str(each.get("message")))
        return None

    def _slowest(self) -> Key:
        """One that does not run, else the first."""
        keys = [Key.of(each) for each in self._applied]
        return next((key for key in keys if not _running(self._pod(key))), keys[0])

    def _pod(self, key: Key) -> Object | None:
        pods = (each for each in self._view.every(POD) if labels(each).get(JOB_LABEL) == key.name)
        return next(pods, None)

    async def why(self, key: Key, trouble: str | None = None) -> Diagnosis:
        """Why it did not come; without a `trouble` that says so, why it is gone.

        The kubelet takes a moment to tell how a container ended, and so does the cluster until it is told of an end.
        """
        if trouble is None:
            with contextlib.suppress(EngineError):  # a cluster that cannot be watched: what else is seen has to do
                await self._view.until(lambda: _ended(self._pod(key)) or None, TOLD_WITHIN_S, every_s=NEW_S)
        facts = await evidence.gather(
            self._api, self._namespace, key, after_s=self._clock() - self._began, trouble=trouble, refusal=None
        )
        return diagnose(replace(facts, found=None))  # a Job has no conditions before its end

    @property
    def nodes(self) -> int:
        """On how many nodes they run."""
        return len({node for each in self._view.every(POD) if (node := each["spec"].get("nodeName"))})


def _ended(pod: Object | None) -> bool:
    """Whether all that will ever be known of its end is known."""
    if pod is None or leaving(pod):
        return True
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def _running(pod: Object | None) -> bool:
    return pod is not None and any("running" in (each.get("state") or {}) for each in conditions.containers(pod))
