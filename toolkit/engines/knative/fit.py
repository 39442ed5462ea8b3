"""What can be seen to be wrong in manifests: things that the cluster takes, and that then never work. Pure.

May live here: checks before anything is applied. May not: what the API server would refuse by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from toolkit.engines.knative.kinds import BROKER, KSVC, TRIGGER, Key, Object, labels
from toolkit.errors import EngineError
from toolkit.plan import Plan

VISIBILITY = "networking.knative.dev/visibility"


def check(plan: Plan, manifests: Sequence[Object], *, from_inside: bool = False) -> None:
    """Raises EngineError for the first thing that cannot work. `from_inside`: no call is sent from this machine."""
    for function in plan.chain.functions:
        if function.prepare and not function.image:
            raise EngineError(
                f"'{function.name}' has a program that is prepared on this machine, and the chain's image holds none",
                next_step=f"put the program into an image of its own, and name that as `image:` of {function.name}",
            )
    found = {Key.of(each): each for each in manifests}
    for subscriber in _subscribers(found.values()):
        service = found.get(Key(KSVC, subscriber))
        if service is not None and _port(service) == "h2c":
            raise EngineError(
                f"{subscriber} gets events, and its port is named h2c: the dispatcher of events speaks HTTP/1.1 only. "
                "Each event would arrive, be taken for undelivered and come again, and who sent it would wait",
                next_step=f"name the port of {subscriber} http1, as 'toolkit render' does for who has event edges in",
            )
    entry = found.get(Key(KSVC, plan.entry))
    if entry is not None and labels(entry).get(VISIBILITY) == "cluster-local" and not from_inside:
        raise EngineError(
            f"the entry {plan.entry} is visible inside the cluster only, so no call can be sent to it from here",
            next_step=f"leave 'visibility: cluster' away from {plan.entry} in chain.yaml, or call it --from cluster",
        )


def _subscribers(manifests: Iterable[Object]) -> Iterator[str]:
    """The names of the Services that are sent events: by a Trigger, or as a dead-letter sink."""
    for each in manifests:
        spec, kind = each.get("spec") or {}, Key.of(each).kind
        if kind == TRIGGER:
            destination = spec.get("subscriber") or {}
        elif kind == BROKER:
            destination = (spec.get("delivery") or {}).get("deadLetterSink") or {}
        else:
            continue
        if (ref := destination.get("ref")) and ref.get("kind") == KSVC.kind:
            yield ref["name"]


def _port(service: Object) -> str:
    ports = service["spec"]["template"]["spec"]["containers"][0].get("ports") or ()
    return str(ports[0].get("name", "")) if ports else ""
