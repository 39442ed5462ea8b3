"""Why a Knative Service does not become ready, as rules over its conditions, pods, events and logs. Pure.

May live here: knowledge of how Knative Serving and Kubernetes fail. Recorded from a real cluster; the tests hold the
records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.engines.knative import conditions, probes
from toolkit.engines.knative.evidence import USER_CONTAINER, Facts
from toolkit.engines.knative.kinds import Object

Told = tuple[str, str]
_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_BAD_WIRING = 2  # a function's exit status
_STATUS_OF_KILL = 137


def _image(facts: Facts) -> Told | None:
    for each in _user_containers(facts):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _PULL:
            return f"its image {each.get('image')} cannot be pulled: {_last_words(waiting.get('message'))}", _IMAGE
    unresolved = (each for each in _failed(facts) if "Unable to fetch image" in each)
    said = next(unresolved, None)
    return (f"its image cannot be looked up: {said}", _IMAGE) if said is not None else None


_IMAGE = (
    "see that --image names what 'toolkit build' made and that the cluster has it: push it to a registry that the "
    "nodes reach (a private one needs an imagePullSecret), or load it ('kind load image-archive'); names that begin "
    "with dev.local/ are looked for on the nodes only"
)


def _unschedulable(facts: Facts) -> Told | None:
    told = [conditions.condition(pod, "PodScheduled") for pod in facts.pods]
    said = next((str(each.get("message", "")) for each in told if each.get("status") == "False"), None)
    if said is None:
        return None
    step = "free the nodes, add one, or change what the function asks for"
    for word, remedy in _SHORT_OF.items():
        if word in said:
            step = remedy
            break
    return f"no node takes its pod: {said}", step


_SHORT_OF = {
    "Insufficient cpu": "ask for less with resources.requests.cpu in chain.yaml, or add a larger node",
    "Insufficient memory": "ask for less with resources.requests.memory in chain.yaml, or add a larger node",
    "node affinity/selector": "'kubectl get nodes --show-labels' shows which labels its node_selector could name",
    "untolerated taint": "'kubectl describe nodes' shows the taints that keep it away",
    "Too many pods": "the nodes are full: delete other pods, or add a node",
}


def _out_of_memory(facts: Facts) -> Told | None:
    for each in _user_containers(facts):
        if _died(each).get("reason") == "OOMKilled":
            return (
                "its container needs more memory than it may have, and is killed for it (OOMKilled)",
                "raise resources.limits.memory of the function in chain.yaml: a Python function needs some 60Mi",
            )
    return None


def _does_not_start(facts: Facts) -> Told | None:
    for each in _user_containers(facts):
        waiting, died = (each.get("state") or {}).get("waiting") or {}, _died(each)
        if waiting.get("reason") in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            return f"its container cannot be made: {waiting.get('message')}", "correct what it refers to"
        if died.get("reason") in ("StartError", "ContainerCannotRun"):
            return (
                f"its container cannot be started: {_last_words(died.get('message'))}",
                "see that --image is an image of 'toolkit build' for this cluster's processors",
            )
    return None


def _crash(facts: Facts) -> Told | None:
    for each in _user_containers(facts):
        died = _died(each)
        if not died:
            continue
        status, lines = died.get("exitCode"), [line for said in facts.logs.values() for line in said]
        ours = next((line for line in reversed(lines) if line.startswith("toolkit.sdk: ")), None)
        if status == _BAD_WIRING and ours is not None:
            return (
                f"the function cannot start: {ours.removeprefix('toolkit.sdk: ')}",
                "see that --image was built from this chain as it is: 'toolkit build' again, and name the new image",
            )
        last = f"; its last words: {lines[-1]}" if lines else "; it logged nothing"
        how = "was killed" if status == _STATUS_OF_KILL else f"leaves with exit status {status}"
        return f"its container {how} at once, again and again{last}", "the log lines above tell what it missed"
    return None


def _not_made(facts: Facts) -> Told | None:
    """Pods or Deployments that Kubernetes refuses to make for Knative: the words are in conditions or events only."""
    for each in (*_failed(facts), *_internal_errors(facts)):
        for pattern, step in _REFUSED:
            if pattern in each:
                return f"no pod can be made for it: {each}", step
    return None


_REFUSED = (
    (
        "exceeded quota",
        "raise the ResourceQuota of the namespace, or let the functions ask for less (resources, scale.max)",
    ),
    (
        "must specify",
        "a ResourceQuota of the namespace wants this said: set resources.requests and limits in chain.yaml",
    ),
    (
        "violates PodSecurity",
        "the namespace forbids such pods: 'kubectl get namespace -o yaml' shows its pod-security labels",
    ),
    ("serviceaccount", "make the ServiceAccount, or leave it away"),
    (
        "failed to create deployment",
        "correct what the message names; Knative takes it and can make no Deployment of it",
    ),
    ("forbidden", "something in the cluster's admission forbids it: the message says what"),
)


def _does_not_answer(facts: Facts) -> Told | None:
    running = [
        pod
        for pod in facts.pods
        if any("running" in (each.get("state") or {}) for each in _containers_of(pod, USER_CONTAINER))
    ]
    if not running or any(conditions.holds(pod) for pod in running):
        return None
    said = facts.trouble or ""
    return (
        said if said.startswith(probes.RUNS) else probes.verdict(running[0]),
        "a function has to listen on $PORT, on every interface, with the protocol of its edges (h2c for calls, "
        "HTTP/1.1 for events); its log tells where it listens. One that takes long to start needs a longer "
        "--ready-timeout",
    )


def _no_route(facts: Facts) -> Told | None:
    """The revision is ready, and the ingress does not know of it."""
    said = conditions.condition(facts.found or {"metadata": {}}, "RoutesReady")
    if said.get("reason") not in ("IngressNotConfigured", "Uninitialized", "NotReconciled"):
        return None
    return (
        f"its pods are ready, but the ingress does not lead to them: {conditions.why(said)}",
        "see that an ingress of Knative is installed and that ingress-class of config-network in knative-serving names "
        "it (Kourier: kourier.ingress.networking.knative.dev), and that its pods run",
    )


RULES = (
    *(_image, _unschedulable, _out_of_memory, _does_not_start, _crash),
    *(_not_made, _does_not_answer, _no_route),
)


def _user_containers(facts: Facts) -> Iterator[Mapping[str, Any]]:
    for pod in facts.pods:
        yield from _containers_of(pod, USER_CONTAINER)


def _containers_of(pod: Object, wanted: str) -> Iterator[Mapping[str, Any]]:
    return (each for each in conditions.containers(pod) if each["name"] == wanted)


def _died(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """How it ended: now, or the last time."""
    for when in ("state", "lastState"):
        if found := (container.get(when) or {}).get("terminated"):
            return dict(found)
    return {}


def _failed(facts: Facts) -> Iterator[str]:
    """What the conditions that are false say, those of the revisions first."""
    for found in (*facts.revisions, facts.found):
        for each in conditions.unmet(found) if found is not None else ():
            if each["status"] == "False" and each.get("message"):
                yield str(each["message"])


def _internal_errors(facts: Facts) -> Iterator[str]:
    for each in reversed(facts.events):
        if each.get("type") == "Warning" and each.get("reason") in ("InternalError", "FailedCreate"):
            yield str(each.get("message", ""))


def _last_words(text: object) -> str:
    """The end of a chain of Go errors, where the reason is; the rest is in the evidence."""
    parts = re.split(r": (?=[a-z\"])", str(text or "no reason given"))
    return ": ".join(parts[-3:])
