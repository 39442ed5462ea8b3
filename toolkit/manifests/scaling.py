"""Knative's autoscaling annotations: what a function's `scale` means to a revision. Pure.

May live here: keys and how their values are written. May not: whether a combination makes sense (`toolkit.spec`).
https://knative.dev/docs/serving/autoscaling/
"""

from __future__ import annotations

from toolkit.manifests.templates import decimal
from toolkit.spec.model import Function, Scale

PREFIX = "autoscaling.knative.dev"
_HPA_METRICS = ("cpu", "memory")


def of_revision(function: Function) -> dict[str, str]:
    """The annotations of a function's revisions: its own, and those that its scale asks for. All values are text."""
    scale = function.scale
    least, most = _bounds(function)
    said = {
        "class": _class(scale),
        "metric": scale.metric,
        "target": _number(scale.target),
        "min-scale": _number(least),
        "max-scale": _number(most),
        "initial-scale": _number(scale.initial),
        "window": None if scale.window_s is None else f"{decimal(scale.window_s)}s",
        "target-burst-capacity": _number(scale.burst),
    }
    return {f"{PREFIX}/{key}": value for key, value in said.items() if value is not None} | dict(function.annotations)


def _bounds(function: Function) -> tuple[int | None, int | None]:
    """`replicas` is how many there are, neither more nor less; `scale` says otherwise where it says anything."""
    fixed = function.replicas if function.replicas > 1 else None
    scale = function.scale
    return (fixed if scale.min is None else scale.min, fixed if scale.max is None else scale.max)


def _class(scale: Scale) -> str | None:
    """Only the horizontal pod autoscaler knows CPU and memory; the webhook refuses them of any other class."""
    kind = scale.autoscaler or ("hpa" if scale.metric in _HPA_METRICS else None)
    return None if kind is None else f"{kind}.{PREFIX}"


def _number(value: float | None) -> str | None:
    return None if value is None else decimal(value)
