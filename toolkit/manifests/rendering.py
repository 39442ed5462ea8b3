"""A plan and a target become manifests: which objects there are, in which order, and what each template is told.

May not live here: what the objects look like, which the templates say.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from toolkit import plan as plans
from toolkit.contract import DEFAULT_PORT, READY_PATH, WIRING, Wiring
from toolkit.errors import UsageError
from toolkit.manifests import ledgers, names, scaling, stores, strangers, templates
from toolkit.manifests.scalars import document
from toolkit.manifests.target import Target
from toolkit.manifests.templates import Manifest
from toolkit.plan import Plan
from toolkit.spec.model import Function

_RESPONSE_START_S = 300  # Knative's default for responseStartTimeoutSeconds (pkg/apis/config/defaults.go)


def render(plan: Plan, target: Target) -> tuple[Manifest, ...]:
    """The objects of a plan in the order in which they are to be applied; the same plan and target, the same objects.

    Namespace, Broker, SinkBindings (before their functions, which else get a second revision), the ledger, Services,
    Triggers.
    Raises UsageError when the target cannot carry what the chain asks for.
    """
    _see_that_it_can_be_said(plan, target)
    strangers.see_that_they_can_run(plan, target)
    return tuple(_objects(plan, target))


def left_out(plan: Plan, target: Target) -> tuple[str, ...]:
    """What the chain asks for and the manifests do not say, because nothing would heed it there: a sentence each."""
    if target.vhive is None or target.vhive.sandbox != "firecracker":
        return ()
    asking = [each.name for each in plan.chain.functions if each.resources.requests or each.resources.limits]
    return tuple(f"'{name}': its resources are left out, vHive's machines are all of one size" for name in asking)


def text(manifests: Iterable[Manifest]) -> str:
    """One YAML stream for `kubectl apply -f -`."""
    return "---\n".join(document(each) for each in manifests)


def as_list(manifests: Iterable[Manifest]) -> str:
    """One JSON document, a `List`, for `kubectl apply -f -`."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}, indent=2) + "\n"


def wiring(plan: Plan, target: Target, function: str) -> Wiring:
    """The whole wiring of a function. Where no environment reaches it, the sink of its events is in it too."""
    return _wiring(plan, target, function, _bound(plan, target))


def _bound(plan: Plan, target: Target) -> names.Addresses:
    return names.bound(plan, target.namespace, target.cluster_domain)


def _wiring(plan: Plan, target: Target, function: str, addresses: names.Addresses) -> Wiring:
    asked = strangers.wired(plan.chain.function(function), plan.wirings[function])
    ledger = ledgers.url(plan, target)
    made = plans.bind(asked, addresses.targets, receipts=target.receipts, endpoint=target.endpoint, ledger=ledger)
    if not _strict(target):
        return made
    edges = (
        dataclasses.replace(each, address=addresses.sink) if each.via == "event" else each for each in made.outgoing
    )
    return dataclasses.replace(made, outgoing=tuple(edges))


def _objects(plan: Plan, target: Target) -> Iterator[Manifest]:
    places = _places(target)
    common = {"namespace": target.namespace, "labels": names.labels(plan)}
    if target.create_namespace:
        security = "baseline" if any(each.image for each in plan.chain.functions) else "restricted"
        yield templates.render("namespace", places, {**common, "security": security})
    if plan.broker is not None:
        yield templates.render("broker", places, {**common, "broker": plan.broker})
        for function in _emitters(plan, target):
            values = {**common, "labels": names.labels(plan, function.name), "function": function}
            yield templates.render("sinkbinding", places, {**values, "broker": plan.broker})
    yield from ledgers.objects(plan, target, places)
    addresses = _bound(plan, target)
    for function in plan.chain.functions:
        wired = _wiring(plan, target, function.name, addresses)
        yield templates.render("service", places, _service(plan, target, function, wired))
    for trigger in plan.triggers:
        yield templates.render("trigger", places, {**common, "trigger": trigger})


def _service(plan: Plan, target: Target, function: Function, wired: Wiring) -> Mapping[str, Any]:
    return {
        "namespace": target.namespace,
        "labels": names.labels(plan, function.name),
        "function": function,
        "public": (function.visibility or _usual_visibility(plan, function)) == "public",
        "annotations": scaling.of_revision(function),
        "timeouts": _timeouts(function),
        "image": _image(target, function.name),
        "stub": target.vhive.stub if target.vhive else None,
        "port": DEFAULT_PORT,
        "port_name": "http1" if wired.consumes else "h2c",  # the dispatcher of events speaks no h2c
        "consumes": wired.consumes,
        "ready_path": READY_PATH,
        "environment": {**_environment(function, wired), **strangers.way_out(function, wired)},
        "stranger": strangers.container(function, wired),
        "secret": stores.secret(plan, wired),
    }


def _usual_visibility(plan: Plan, function: Function) -> str:
    """Callers reach the entry, and the gateway if there is one."""
    return "public" if function.name == plan.entry or function.gateway else "cluster"


def _timeouts(function: Function) -> dict[str, int]:
    """In whole seconds, as Knative counts. Above 300 it would still cut an answer off that has not begun by then."""
    begins_s = function.response_start_s
    if begins_s is None and (function.timeout_s or 0) > _RESPONSE_START_S:
        begins_s = function.timeout_s
    said = {
        "timeoutSeconds": function.timeout_s,
        "responseStartTimeoutSeconds": begins_s,
        "idleTimeoutSeconds": function.idle_s,
    }
    return {name: math.ceil(value) for name, value in said.items() if value is not None}


def _environment(function: Function, wired: Wiring) -> dict[str, str]:
    """Kubernetes replaces `$(NAME)` in values, and makes one `$` of two: ours are meant as they are."""
    said = {**function.env, WIRING: wired.encode()}
    return {name: value.replace("$", "$$") for name, value in said.items()}


def _emitters(plan: Plan, target: Target) -> list[Function]:
    """The functions that a SinkBinding tells where events go; where no environment reaches them, none."""
    sources = {each.source for each in plan.chain.edges if each.via == "event"}
    return [] if _strict(target) else [each for each in plan.chain.functions if each.name in sources]


def _places(target: Target) -> Sequence[str]:
    """Where templates are looked for, the first that has one counts."""
    if target.vhive is None:
        return ("knative",)
    if target.vhive.sandbox == "gvisor":
        return ("vhive/gvisor", "knative")
    return ("vhive/strict", "vhive", "knative") if _strict(target) else ("vhive", "knative")


def _strict(target: Target) -> bool:
    return target.vhive is not None and target.vhive.sandbox == "firecracker" and target.vhive.profile == "strict"


def _image(target: Target, function: str) -> str:
    return target.vhive.images.get(function, target.image) if target.vhive else target.image


def _see_that_it_can_be_said(plan: Plan, target: Target) -> None:
    stores.see_that_they_are_reached(plan, environment=not _strict(target))
    if target.vhive is None or not _strict(target):
        return
    for function in plan.chain.functions:
        if function.name not in target.vhive.images:
            raise UsageError(
                f"'{function.name}' has no image of its own, and without an environment only an image can hold wiring",
                next_step="build one for each function with 'toolkit build --wiring', or use the profile env",
            )
        if function.env:
            raise UsageError(
                f"'{function.name}' sets {next(iter(function.env))}, and vHive's strict profile passes no environment",
                next_step="put it into the image, or use the profile env",
            )
