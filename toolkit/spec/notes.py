"""What a chain asks of a cluster that is right, and still not what it looks like: for `toolkit describe` and whoever
deploys. Pure.

May not live here: what no cluster can run, which is a problem of the chain.yaml (`demands`, `annotations`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from toolkit.contract.units import show_seconds
from toolkit.spec import quantities
from toolkit.spec.cluster import FIELDS
from toolkit.spec.model import ChainSpec, Delivery, Function, Resources, Scale

_USUAL_TIMEOUT_S = 300  # config-defaults revision-response-start-timeout-seconds
_LEAST_MEMORY = 48 << 20
_OLD_ENV = r"[-._a-zA-Z][-._a-zA-Z0-9]*"  # RelaxedEnvironmentVariableValidation is on from 1.32
# What the horizontal pod autoscaler has no use for, by the key that says it.
_KPA_ALONE = (
    "activation",
    "algorithm",
    "panic-window",
    "panic-threshold",
    "down-delay",
    "retention",
    "utilization",
    "burst",
)


def notes(chain: ChainSpec) -> tuple[str, ...]:
    """A sentence each, which begins with the place: `relay.scale: …`."""
    found = [f"{each.name}.{note}" for each in chain.functions for note in _of_function(each)]
    if chain.broker is not None:
        found += [f"broker.delivery.{note}" for note in _of_delivery(chain.broker.delivery)]
    return tuple(found)


def _of_function(function: Function) -> Iterator[str]:
    scale = function.scale
    if scale.autoscaler == "hpa":
        yield from _of_hpa(scale)
    if function.concurrency and scale.metric in (None, "concurrency") and (scale.target or 0) > function.concurrency:
        yield f"scale.target: a pod takes {function.concurrency} at once (`concurrency`), so Knative aims at that"
    if (function.timeout_s or 0) > _USUAL_TIMEOUT_S and function.response_start_s is None:
        yield "timeout: its answer must still begin within 5m; write `response-start-timeout` for more"
    for name in function.env:
        if not re.fullmatch(_OLD_ENV, name):
            yield f"env: Kubernetes before 1.32 refuses the name {name!r}"
    if function.node_selector:
        yield "node-selector: stock Knative refuses it until config-features says kubernetes.podspec-nodeselector"
    yield from _of_resources(function.resources)
    for name in function.service_annotations:
        if name.endswith(("/ingress-class", "/ingress.class")):
            yield f"annotations: it waits until the ingress {function.service_annotations[name]!r} is installed"


def _of_resources(resources: Resources) -> Iterator[str]:
    for name in sorted({*resources.requests, *resources.limits}):
        if "/" in name:
            yield f"resources: it waits until a node has {name}"
    memory = quantities.amount(resources.limits.get("memory", "0"))
    if 0 < memory < _LEAST_MEMORY:
        yield "resources: Python with gRPC takes 40Mi before the handler does anything, so it hardly starts"
    for name, text in resources.requests.items():
        if name in ("memory", "ephemeral-storage") and (amount := quantities.amount(text)) != int(amount):
            yield f"resources: {text} of {name} is a fraction of a byte"


def _of_hpa(scale: Scale) -> Iterator[str]:
    yield "scale.autoscaler: hpa is an extension of Knative (serving-hpa); without it the function is never ready"
    if scale.metric in ("concurrency", "rps"):
        yield f"scale.metric: hpa finds {scale.metric} only with an adapter for custom metrics"
    if scale.min == 0:
        yield "scale.min: hpa keeps one pod at least; only kpa scales to zero"
    said = [key for key in _KPA_ALONE if getattr(scale, FIELDS[key]) is not None]
    if said:
        yield f"scale: hpa takes no notice of {', '.join(said)}"


def _of_delivery(delivery: Delivery) -> Iterator[str]:
    """Eventing reads its durations with one decimal (github.com/rickb777/date/period) and cuts the others off."""
    for key, said in (("delay", delivery.delay_s), ("timeout", delivery.timeout_s)):
        if said is not None and (there := _tenths(said)) != said:
            yield f"{key}: {show_seconds(said)} is {show_seconds(there)} there: Knative reads one decimal of a second"


def _tenths(seconds: float) -> float:
    return float(Decimal(repr(seconds)) // Decimal("0.1") * Decimal("0.1"))
