"""Gathers what there is to see of something that does not come up. Judges nothing (`diagnosis` does)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.engines.knative import conditions
from toolkit.engines.knative.api import Api, Query, Refused
from toolkit.engines.knative.kinds import EVENT, JOB, KSVC, NAMESPACE, POD, REVISION, Key, Object, leaving, name
from toolkit.errors import EngineError

LOG_LINES = 8  # of each container that is shown
PODS = 3
SERVICE_LABEL = "serving.knative.dev/service"
JOB_LABEL = "job-name"  # of a Job's pods
USER_CONTAINER = "user-container"
GENERATOR_CONTAINER = "generator"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API server said no to, and how."""

    code: int
    reason: str
    message: str


def refusal(error: Refused) -> Refusal:
    return Refusal(error.code, error.answer.reason, error.answer.message)


@dataclass(frozen=True, slots=True)
class Facts:
    """What could be seen of `key`. Objects as the API server shows them; events oldest first; logs by pod.

    `trouble` is what whoever waited could tell; `revisions` are those of a Service, `pods` and `logs` those of a
    Service or a Job. `needs` are the objects that this one waits for.
    """

    key: Key
    after_s: float
    trouble: str | None = None
    refusal: Refusal | None = None
    found: Object | None = None
    namespace: Object | None = None
    revisions: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)


async def gather(
    api: Api, namespace: str, key: Key, *, after_s: float, trouble: str | None, refusal: Refusal | None
) -> Facts:
    """Never fails: what cannot be seen is not there, and the facts that are there have to be told."""
    service = key.kind == KSVC
    of_it = f"{SERVICE_LABEL if service else JOB_LABEL}={key.name}"
    container = USER_CONTAINER if service else GENERATOR_CONTAINER
    found, space, revisions, pods, events = await asyncio.gather(
        _object(api, key, namespace),
        _object(api, Key(NAMESPACE, namespace), None),
        _every(api, Key(REVISION, of_it), namespace) if service else _nothing(),
        _every(api, Key(POD, of_it), namespace) if service or key.kind == JOB else _nothing(),
        _every(api, Key(EVENT, ""), namespace),
    )
    shown = sorted(pods, key=lambda each: (leaving(each), conditions.holds(each), name(each)))[:PODS]
    logs = await asyncio.gather(*(log_of(api, namespace, name(each), container) for each in shown))
    return Facts(
        key=key,
        after_s=after_s,
        trouble=trouble,
        refusal=refusal,
        found=found,
        namespace=space,
        revisions=revisions,
        pods=shown,
        events=sorted((each for each in events if _about(each, key)), key=when),
        logs={name(pod): lines for pod, lines in zip(shown, logs, strict=True) if lines},
    )


def when(event: Object) -> str:
    """When it was seen last, as text that sorts."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _about(event: Object, key: Key) -> bool:
    """Of the object itself, or of what Knative and Kubernetes made for it, which they name after it."""
    about = str((event.get("involvedObject") or {}).get("name", ""))
    return about == key.name or about.startswith(f"{key.name}-")


async def _object(api: Api, key: Key, namespace: str | None) -> Object | None:
    try:
        return await api.get(key.kind, key.name, namespace)
    except EngineError:
        return None


async def _every(api: Api, key: Key, namespace: str) -> Sequence[Object]:
    try:
        return await api.every(key.kind, namespace, key.name)
    except EngineError:
        return ()


async def _nothing() -> Sequence[Object]:
    return ()


async def log_of(api: Api, namespace: str, pod: str, container: str = USER_CONTAINER) -> Sequence[str]:
    """The last lines of a container: those of its last try, when it is about to try again. Never fails."""
    try:
        path = await api.path(POD, namespace, pod)
        for previous in (False, True):
            query: Query = {"container": container, "tailLines": LOG_LINES, "previous": previous}
            if text := await api.text(f"{path}/log", query):
                return text.rstrip().splitlines()[-LOG_LINES:]
    except EngineError:
        return ()
    return ()
