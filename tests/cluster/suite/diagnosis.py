"""What there is to see of something that is not ready: its conditions, pods, events and last log lines.

May live here: words for a person who reads a red test. May not: any judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.cluster.suite.api import EVENT, POD, Api, Kind, Unreachable

EVENTS, LOG_LINES, PODS = 12, 12, 8  # how many are shown


def explain(api: Api, kind: Kind, name: str, namespace: str | None, found: Mapping[str, Any] | None) -> str:
    """Never fails: a cluster that answers no more has that to say."""
    try:
        return "\n".join(_lines(api, found, namespace))
    except (Unreachable, LookupError) as error:
        return f"  (nothing more can be seen of {kind} {name}: {error})"


def _lines(api: Api, found: Mapping[str, Any] | None, namespace: str | None) -> Iterator[str]:
    yield from conditions(found)
    if namespace is None:
        return
    pods = api.ask("GET", api.path(POD, namespace)).body.get("items", ())
    yield f"  pods of {namespace}:" + ("" if pods else " none")
    for pod in pods[:PODS]:
        yield f"    {pod['metadata']['name']}: {pod_state(pod)}"
    yield from _events(api.ask("GET", api.path(EVENT, namespace)).body.get("items", ()))
    for pod in pods[:PODS]:
        yield from _logs(api, pod)


def conditions(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "  it is not there"
        return
    metadata, status = found["metadata"], found.get("status", {})
    yield f"  generation {metadata.get('generation')}, observed {status.get('observedGeneration')}"
    for each in status.get("conditions", ()) or ({"type": "no condition", "status": "yet"},):
        why = ": ".join(text for text in (each.get("reason"), each.get("message")) if text)
        yield f"  {each['type']}={each['status']}" + (f" ({why})" if why else "")


def pod_state(pod: Mapping[str, Any]) -> str:
    """Phase, and of each container whether it is ready, how often it began again, and what it waits for or died of."""
    status = pod.get("status", {})
    leaving = ", on its way out" if "deletionTimestamp" in pod["metadata"] else ""
    containers = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    return "; ".join((str(status.get("phase")) + leaving, *map(_container_state, containers)))


def _container_state(container: Mapping[str, Any]) -> str:
    said = [f"{container['name']} {'ready' if container.get('ready') else 'not ready'}"]
    if container.get("restartCount"):
        said.append(f"restarted {container['restartCount']} times")
    for when in ("state", "lastState"):
        for state, detail in container.get(when, {}).items():
            if state != "running":
                why = ": ".join(str(detail[key]) for key in ("reason", "exitCode", "message") if detail.get(key))
                said.append(f"{'was ' if when == 'lastState' else ''}{state} ({why})")
    return ", ".join(said)


def _events(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    ordered = sorted(items, key=_when)[-EVENTS:]
    yield "  last events:" + ("" if ordered else " none")
    for each in ordered:
        about = each.get("involvedObject", {})
        yield f"    {about.get('kind')}/{about.get('name')} {each.get('reason')}: {each.get('message')}"


def _when(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _logs(api: Api, pod: Mapping[str, Any]) -> Iterator[str]:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    for container in pod["spec"]["containers"]:
        query = {"container": container["name"], "tailLines": LOG_LINES}
        lines = (api.text(api.path(POD, namespace, name) + "/log", query) or "(it logged nothing)").splitlines()
        yield f"  {name}/{container['name']} said last:"
        yield from (f"    {line}" for line in lines)
