"""When each pod of a run came up: as the API server tells it, in whole seconds, and, finer, as our watch saw it.

May live here: the moments of pods. May not: what is made of them (`measure.cold`, `measure.witnesses`).

Timestamps of conditions and events have no fraction of a second. A change reaches a watch after it was made, and a
moment that is told as :07 lies before :08: the arrival at the watch is taken where it lies in that second, and the
nearer end of the second where not. Arrivals are on the clock of this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from toolkit.engines.knative import conditions
from toolkit.engines.knative.evidence import USER_CONTAINER
from toolkit.engines.knative.kinds import Object, labels, name
from toolkit.manifests.names import FUNCTION, GENERATOR
from toolkit.results import Instance

SECOND_NS = 1_000_000_000
CONDITIONS = {"PodScheduled": "scheduled", "Ready": "ready"}
PULLED, OF_THE_FUNCTION = "Pulled", f"spec.containers{{{USER_CONTAINER}}}"


@dataclass
class _Pod:
    function: str
    marks: dict[str, int] = field(default_factory=dict)
    coarse: dict[str, int] = field(default_factory=dict)
    image: str | None = None


class Instances:
    """The pods of one deployment since it was first looked at, those that left included."""

    def __init__(self) -> None:
        self._pods: dict[str, _Pod] = {}

    def saw(self, pods: Iterable[Object], at_ns: int | None) -> None:
        """Pods as they are at `at_ns` of the wall clock; None of what may have been so for long."""
        for pod in pods:
            if FUNCTION in labels(pod) and GENERATOR not in labels(pod):
                kept = self._pods.setdefault(name(pod), _Pod(labels(pod)[FUNCTION]))
                for moment, told_ns in _moments(pod):
                    self._keep(kept, moment, told_ns, at_ns)

    def saw_events(self, events: Iterable[Object], at_ns: int | None) -> None:
        """Of these, those that say that a function's image is on the node."""
        for event in events:
            about = event.get("involvedObject") or {}
            if event.get("reason") != PULLED or about.get("fieldPath") != OF_THE_FUNCTION:
                continue
            kept, told_ns = self._pods.get(str(about.get("name"))), _nanoseconds(event.get("firstTimestamp"))
            if kept is not None and told_ns is not None:
                kept.image = kept.image or str(event.get("message") or "")
                self._keep(kept, "pulled", told_ns, at_ns)

    def told(self) -> list[Instance]:
        return [
            Instance(pod.function, pod_name, dict(pod.marks), dict(pod.coarse), pod.image)
            for pod_name, pod in self._pods.items()
        ]

    @staticmethod
    def _keep(pod: _Pod, moment: str, told_ns: int, at_ns: int | None) -> None:
        """The first time only: a pod that is no longer ready was ready before."""
        if moment not in pod.coarse:
            pod.coarse[moment] = told_ns
            pod.marks[moment] = told_ns if at_ns is None else finer(told_ns, at_ns)


def finer(told_ns: int, arrived_ns: int) -> int:
    """The arrival, within the second that was told."""
    return min(max(arrived_ns, told_ns), told_ns + SECOND_NS - 1)


def _moments(pod: Object) -> Iterator[tuple[str, int]]:
    found: dict[str, Any] = {"created": pod["metadata"].get("creationTimestamp")}
    status: Mapping[str, Any] = pod.get("status") or {}
    for each in status.get("conditions") or ():
        if each.get("status") == "True" and (moment := CONDITIONS.get(str(each.get("type")))):
            found[moment] = each.get("lastTransitionTime")
    for each in conditions.containers(pod):
        if each["name"] == USER_CONTAINER:
            found["started"] = ((each.get("state") or {}).get("running") or {}).get("startedAt")
    for moment, text in found.items():
        if (at_ns := _nanoseconds(text)) is not None:
            yield moment, at_ns


def _nanoseconds(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return round(datetime.fromisoformat(text).timestamp()) * SECOND_NS
    except ValueError:
        return None
