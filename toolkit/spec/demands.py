"""What a function asks of a cluster, from the keys of its record; and the rules between these keys.

May not live here: what one key may say (`cluster`), and annotations (`annotations`).
The rules are those of Knative's webhooks, and those of Kubernetes that Knative only meets once the webhooks have let a
function through: it then waits for ever, and no condition says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit.contract.units import shown
from toolkit.spec import quantities
from toolkit.spec.annotations import sort
from toolkit.spec.cluster import FIELDS
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.model import Resources, Scale
from toolkit.spec.shapes import Row

Keys = Mapping[str, At]


@dataclass(frozen=True, slots=True)
class Demands:
    """The part of a `model.Function` that is for clusters only; its fields are told there."""

    scale: Scale = field(default_factory=Scale)
    concurrency: int | None = None
    timeout_s: float | None = None
    response_start_s: float | None = None
    idle_s: float | None = None
    resources: Resources = field(default_factory=Resources)
    visibility: Literal["cluster", "public"] | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    service_annotations: Mapping[str, str] = field(default_factory=dict)


def read(keys: Keys, found: Findings) -> Demands:
    """What the keys of a function's record ask for; what contradicts itself becomes a problem."""
    placed = sort(_value(keys, "annotations") or {}, found)
    return Demands(
        scale=_scale(_value(keys, "scale") or {}, keys.get("replicas"), found),
        concurrency=_value(keys, "concurrency"),
        timeout_s=_value(keys, "timeout"),
        response_start_s=_value(keys, "response-start-timeout"),
        idle_s=_value(keys, "idle-timeout"),
        resources=_resources(_value(keys, "resources") or {}, found),
        visibility=_value(keys, "visibility"),
        node_selector=_texts(_value(keys, "node-selector") or {}),
        annotations=placed.revision,
        service_annotations=placed.service,
    )


def _value(keys: Keys, key: str) -> Any:
    return keys[key].value if key in keys else None


def _texts(rows: Mapping[str, Row]) -> dict[str, str]:
    return {name: row.value.value for name, row in rows.items() if row.value.value is not None}


def _scale(said: Keys, replicas: At | None, found: Findings) -> Scale:
    values = {FIELDS[key]: at.value for key, at in said.items() if at.value is not None}
    if replicas is not None and replicas.value is not None:  # as many pods as the local engine has processes
        for bound in ("min", "max"):
            if bound not in said:
                values[bound] = replicas.value
    if values.get("metric") in ("cpu", "memory"):
        values.setdefault("autoscaler", "hpa")  # the only one that knows them
    scale = Scale(**values)
    _bounds(scale, said, replicas, found)
    if scale.autoscaler == "kpa" and scale.metric in ("cpu", "memory"):
        why = "kpa scales by concurrency or rps; leave `autoscaler` out, or write hpa"
        found.add(said["metric"].place, f"{scale.metric} is a metric of the horizontal pod autoscaler, and {why}")
    return scale


def _bounds(scale: Scale, said: Keys, replicas: At | None, found: Findings) -> None:
    """min <= activation <= max, where a max of 0 is none (annotation_validation.go, validateMinMaxScale)."""
    least, most = (_Bound.of(key, said, replicas) for key in ("min", "max"))
    if scale.max and scale.min is not None and scale.max < scale.min:
        said_late = most if most.name == "max" else least
        found.add(
            said_late.place, f"the most pods are {scale.max} (`{most.name}`), the least {scale.min} (`{least.name}`)"
        )
    if scale.activation is None:
        return
    if scale.min is not None and scale.min > scale.activation:
        found.add(said["activation"].place, f"{scale.activation} is below the least pods, {scale.min} (`{least.name}`)")
    if scale.max and scale.max < scale.activation:
        found.add(said["activation"].place, f"{scale.activation} is above the most pods, {scale.max} (`{most.name}`)")


@dataclass(frozen=True, slots=True)
class _Bound:
    """The key that says how many pods there are at least, or at most, and where it stands."""

    name: str
    place: Place

    @staticmethod
    def of(key: str, said: Keys, replicas: At | None) -> _Bound:
        at = said.get(key, replicas)
        return _Bound(key if key in said else "replicas", at.place if at else Place(0, 0, ""))


def _resources(said: Keys, found: Findings) -> Resources:
    rows: dict[str, Mapping[str, Row]] = {key: _value(said, key) or {} for key in ("requests", "limits")}
    requests, limits = (_texts(each) for each in rows.values())
    for name in {**requests, **limits}:
        at = rows["limits" if name in limits else "requests"][name].value.place
        if fault := _misfit(name, requests.get(name), limits.get(name)):
            found.add(at, fault)
    return Resources(requests, limits)


def _misfit(name: str, least: str | None, most: str | None) -> str | None:
    """Why no pod is made of this request and this limit, or none that starts.

    k8s.io/kubernetes/pkg/apis/core/validation.go, ValidateContainerResourceRequirements. Knative's webhooks do not ask
    for it but in a dry run: a real Service is accepted, and waits.
    """
    for text in (least, most):
        if text is not None and "/" in name and not _whole(text):
            return f"{shown(text)} is not a whole number of {name}"
    if most is not None and name != "cpu" and not _whole(most):
        meant = f" — did you mean '{most[:-1]}Mi'?" if most.endswith("m") else ""
        return f"{shown(most)} is a fraction of a byte{meant}"
    if most is not None and least is not None and quantities.amount(most) < quantities.amount(least):
        why = "no Deployment is made of that, and the function waits"
        return f"the limit of {name} is {shown(most)}, below the request of {shown(least)}; {why}"
    if "/" in name and least is not None and (most is None or quantities.amount(most) != quantities.amount(least)):
        return f"{name} cannot be shared, so its limit is what it requests; write the same for both"
    return None


def _whole(text: str) -> bool:
    amount = quantities.amount(text)
    return amount == amount.to_integral_value()
