"""Why a generator of load does not come, or leaves, as rules over its Job's pod, events and log. Pure.

May live here: what is particular about generators. What holds for every pod is told in the same words by
`service_causes`, for functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.engines.knative import conditions
from toolkit.engines.knative.evidence import Facts

Told = tuple[str, str]
_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_SAYS = "toolkit.load.worker: "  # before what a generator says on its last line
_MISSING = re.compile(r"No module named '?toolkit\b")
_KILLED = 137


def _image(facts: Facts) -> Told | None:
    for each in _containers(facts):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _PULL:
            return (
                f"its image {each.get('image')} cannot be pulled: {conditions.why(waiting)}",
                "see that the nodes have the image that --image names, or can pull it: generators run anywhere",
            )
    return None


def _unschedulable(facts: Facts) -> Told | None:
    told = [conditions.condition(pod, "PodScheduled") for pod in facts.pods]
    said = next((str(each.get("message", "")) for each in told if each.get("status") == "False"), None)
    if said is None:
        return None
    return f"no node takes its pod: {said}", "free the nodes, add one, or send the load with fewer --generators"


def _taken_away(facts: Facts) -> Told | None:
    """There was a pod, for it had come, and nothing is left of it."""
    if facts.pods or facts.trouble is not None or any(each.get("reason") == "FailedCreate" for each in facts.events):
        return None
    return "its pod is gone: somebody deleted it, or its node was drained", "see who did: 'kubectl get events' tells"


def _not_made(facts: Facts) -> Told | None:
    for each in reversed(facts.events):
        if each.get("reason") == "FailedCreate":
            return (
                f"no pod can be made for it: {each.get('message')}",
                "raise the ResourceQuota of the namespace, use fewer --generators, or send the load with --from here",
            )
    return None


def _out_of_memory(facts: Facts) -> Told | None:
    if any(_died(each).get("reason") == "OOMKilled" for each in _containers(facts)):
        return (
            "it needed more memory than it may have, and was killed for it (OOMKilled)",
            "send fewer calls, or let more --generators share them",
        )
    return None


def _no_generator(facts: Facts) -> Told | None:
    """Python names the first module that is missing, in quotes when it is on the way to the one that was asked for."""
    if any(_MISSING.search(line) for line in _lines(facts)):
        return (
            "its image holds no generator: it was built by an older toolkit",
            "'toolkit build' again, and name the new image with --image",
        )
    return None


def _said(facts: Facts) -> Told | None:
    said = next((line.removeprefix(_SAYS) for line in _lines(facts) if line.startswith(_SAYS)), None)
    if said is None:
        return None
    if said.startswith("cannot reach"):
        return (
            f"it {said}, where this machine waits for it",
            "name an address of this machine that pods reach with --advertise HOST; see that no firewall is between",
        )
    if said.startswith("asked "):
        return (
            f"it {said}",
            "see that no NetworkPolicy keeps pods of the namespace from Knative's gateway, and that the chain is well",
        )
    return f"it {said}", "'toolkit build' again with this toolkit, and name the new image with --image"


def _left(facts: Facts) -> Told | None:
    for pod in facts.pods:
        if (pod.get("status") or {}).get("reason"):  # evicted, preempted, its deadline exceeded, its node lost
            return f"its pod was ended: {conditions.why(pod['status'])}", "see what else runs on its node"
    for each in _containers(facts):
        if died := _died(each):
            status = died.get("exitCode")
            how = "was killed (SIGKILL)" if status == _KILLED else f"left with exit status {status}"
            last = next(_lines(facts), None)
            return (
                f"it {how}; " + (f"its last words: {last}" if last else "it logged nothing"),
                "its log lines tell what it missed; --from here sends the load from this machine",
            )
    return None


def _silent(facts: Facts) -> Told | None:
    """It was lost, and the cluster knows of no end."""
    if facts.trouble is not None or not facts.pods:
        return None
    return (
        "it is not heard any more, and its pod has not ended",
        "see whether its node is well, and whether this machine was asleep or its network away",
    )


RULES = (_image, _unschedulable, _out_of_memory, _no_generator, _said, _left, _not_made, _taken_away, _silent)


def _containers(facts: Facts) -> Iterator[Mapping[str, Any]]:
    for pod in facts.pods:
        yield from conditions.containers(pod)


def _died(container: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict((container.get("state") or {}).get("terminated") or {})


def _lines(facts: Facts) -> Iterator[str]:
    """The last ones first."""
    for lines in facts.logs.values():
        yield from reversed(lines)
