"""What the conditions of Knative's objects, and the states of pods, say. Pure.

A condition counts only of the newest generation: before a controller has seen a change, it still tells of the last one
(https://github.com/knative/specs/blob/main/specs/knative-overview.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.engines.knative.kinds import DEPLOYMENT, K8S_SERVICE, Kind, Object

NEVER_COMES = frozenset(
    (
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"),
        *("CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    )
)  # reasons of a waiting container (kubernetes/pkg/kubelet) that do not pass by waiting

SUBJECT_MISSING = "SubjectMissing"  # of a SinkBinding: its Service is on its way
FULL = 3  # times as long for the cluster to make room for a pod
UNSEEN = 4  # times as long for a controller to have a first look


def condition(found: Object, kind: str | None = None) -> Mapping[str, str]:
    """The condition of this type (the one that says that it is ready), empty when there is none yet."""
    kind = kind or ("Available" if _is(found, DEPLOYMENT) else "Ready")
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {})


def observed(found: Object) -> bool:
    """Whether the status is of the newest generation."""
    generation = found["metadata"].get("generation")
    return bool((found.get("status") or {}).get("observedGeneration", generation) == generation)


def ready(found: Object | None) -> bool:
    return found is not None and observed(found) and holds(found)


def holds(found: Object) -> bool:
    return _is(found, K8S_SERVICE) or condition(found).get("status") == "True"


def refusal(found: Object | None) -> str | None:
    """Why it is not ready and will not be by itself, as far as its controller knows; None while that is open."""
    if found is None or not observed(found) or condition(found).get("status") != "False":
        return None
    if _is(found, DEPLOYMENT):  # not available is how each begins; its pods tell why it stays so
        return None
    return why(condition(found))


def looked_at(found: Object) -> bool:
    """Whether any controller has written a status yet, where one does."""
    return _is(found, K8S_SERVICE) or bool((found.get("status") or {}).get("conditions"))


def _is(found: Object, kind: Kind) -> bool:
    return bool(found.get("apiVersion") == kind.api_version and found.get("kind") == kind.kind)


def event_trouble(event: Object) -> Trouble | None:
    """What Knative could not make of a revision: it tries again and again, and says so in no condition."""
    message = str(event.get("message", ""))
    told = event.get("reason") == "InternalError" and message.startswith("failed to create")
    return Trouble(message) if told else None


def trouble(found: Object | None) -> Trouble | None:
    """What the object's own status says against it."""
    if found is None:
        return None
    if not looked_at(found):
        return Trouble("no controller has looked at it", UNSEEN)
    said = None if condition(found).get("reason") == SUBJECT_MISSING else refusal(found)
    return Trouble(said) if said is not None else None


def progress(found: Object | None) -> str:
    """In a word or two what it is waiting for."""
    if found is None:
        return "applied"
    if not observed(found) or not condition(found):
        return "waiting for its controller"
    said = condition(found)
    if said.get("status") != "True" and not (said.get("reason") or said.get("message")):
        return "waiting"
    return "ready" if ready(found) else why(said)


def why(said: Mapping[str, str]) -> str:
    """Reason and message of a condition, or of a container's state."""
    return ": ".join(str(said[each]) for each in ("reason", "message") if said.get(each)) or "no reason given"


def unmet(found: Object) -> Sequence[Mapping[str, str]]:
    """The conditions that are not true, those that are false first; informational ones are left out."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    open_ones = [each for each in conditions if each["status"] != "True" and each.get("severity", "") == ""]
    return sorted(open_ones, key=lambda each: (each["status"] != "False", each["type"] == "Ready"))


def containers(pod: Object) -> Sequence[Mapping[str, Any]]:
    """The states of a pod's containers."""
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


@dataclass(frozen=True, slots=True)
class Trouble:
    """What speaks against something ever being ready. It has to last, `patience` times as long as others."""

    text: str
    patience: int = 1


def pod_trouble(pod: Object) -> Trouble | None:
    """Why a pod will not run, as far as the scheduler and the kubelet know; None while that is open."""
    return next(_pod_troubles(pod), None)


def _pod_troubles(pod: Object) -> Iterator[Trouble]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield Trouble(why(scheduled), FULL)
    if (pod.get("status") or {}).get("phase") == "Failed":
        yield Trouble(why(pod["status"]))
    for each in containers(pod):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in NEVER_COMES:
            yield Trouble(f"{each['name']}: {why(waiting)}")


def environment(pod_spec: Mapping[str, Any]) -> dict[str, str]:
    """The environment of the first container, of a pod's spec, a revision's, or a Service's template."""
    return {each["name"]: each.get("value", "") for each in pod_spec["containers"][0].get("env") or ()}


def revision_with_the_traffic(service: Object) -> str | None:
    """None while the traffic is split, or has nowhere to go yet."""
    traffic = (service.get("status") or {}).get("traffic") or ()
    return next((str(each["revisionName"]) for each in traffic if each.get("percent") == 100), None)
