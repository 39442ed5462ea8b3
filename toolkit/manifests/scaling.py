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
    said = {
        "class": _class(scale),
        "metric": scale.metric,
        "target": _number(scale.target),
        "target-utilization-percentage": _number(scale.utilization),
        "min-scale": _number(scale.min),
        "max-scale": _number(scale.max),
        "initial-scale": _number(scale.initial),
        "activation-scale": _number(scale.activation),
        "window": _seconds(scale.window_s),
        "panic-window-percentage": _number(scale.panic_window),
        "panic-threshold-percentage": _number(scale.panic_threshold),
        "scale-down-delay": _seconds(scale.down_delay_s),
        "scale-to-zero-pod-retention-period": _seconds(scale.retention_s),
        "target-burst-capacity": _number(scale.burst),
        "metric-aggregation-algorithm": scale.algorithm,
    }
    return {f"{PREFIX}/{key}": value for key, value in said.items() if value is not None} | dict(function.annotations)


def _class(scale: Scale) -> str | None:
    """Only the horizontal pod autoscaler knows CPU and memory; the webhook refuses them of any other class."""
    kind = scale.autoscaler or ("hpa" if scale.metric in _HPA_METRICS else None)
    return None if kind is None else f"{kind}.{PREFIX}"


def _number(value: float | None) -> str | None:
    return None if value is None else decimal(value)


def _seconds(value: float | None) -> str | None:
    """As Go's `time.ParseDuration` reads it."""
    return None if value is None else f"{decimal(value)}s"
