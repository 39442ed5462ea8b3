"""Each knob of a function's scale lands in the annotation that Knative reads, as text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.manifests.samples import function
from toolkit.manifests.scaling import of_revision
from toolkit.spec.model import Scale


@pytest.mark.parametrize(
    ("scale", "key", "value"),
    [
        ({"min": 0}, "min-scale", "0"),
        ({"max": 10}, "max-scale", "10"),
        ({"initial": 0}, "initial-scale", "0"),
        ({"activation": 2}, "activation-scale", "2"),
        ({"target": 1}, "target", "1"),
        ({"target": 0.5}, "target", "0.5"),
        ({"target": 1e-05}, "target", "0.00001"),
        ({"target": 100000000000000000.0}, "target", "100000000000000000"),
        ({"utilization": 70}, "target-utilization-percentage", "70"),
        ({"metric": "rps"}, "metric", "rps"),
        ({"autoscaler": "kpa"}, "class", "kpa.autoscaling.knative.dev"),
        ({"autoscaler": "hpa"}, "class", "hpa.autoscaling.knative.dev"),
        ({"metric": "cpu"}, "class", "hpa.autoscaling.knative.dev"),
        ({"metric": "memory"}, "class", "hpa.autoscaling.knative.dev"),
        ({"algorithm": "weighted-exponential"}, "metric-aggregation-algorithm", "weighted-exponential"),
        ({"window_s": 60}, "window", "60s"),
        ({"window_s": 90.0}, "window", "90s"),
        ({"panic_window": 12.5}, "panic-window-percentage", "12.5"),
        ({"panic_threshold": 200}, "panic-threshold-percentage", "200"),
        ({"down_delay_s": 30}, "scale-down-delay", "30s"),
        ({"retention_s": 1.5}, "scale-to-zero-pod-retention-period", "1.5s"),
        ({"burst": 0}, "target-burst-capacity", "0"),
        ({"burst": -1}, "target-burst-capacity", "-1"),
    ],
)
def test_a_knob_is_an_annotation(scale: dict[str, Any], key: str, value: str) -> None:
    assert of_revision(function(scale=Scale(**scale)))[f"autoscaling.knative.dev/{key}"] == value


def test_what_nobody_set_is_left_to_the_cluster() -> None:
    assert of_revision(function()) == {}


def test_every_knob_has_its_annotation() -> None:
    everything: dict[str, Any] = {
        "metric": "rps", "autoscaler": "kpa", "algorithm": "linear",
        **dict.fromkeys(set(Scale.__dataclass_fields__) - {"metric", "autoscaler", "algorithm"}, 7),
    }  # fmt: skip
    assert len(of_revision(function(scale=Scale(**everything)))) == len(Scale.__dataclass_fields__)


def test_annotations_of_the_user_are_there_as_they_are() -> None:
    made = function(scale=Scale(min=1), annotations={"example.com/a": "yes"})
    assert of_revision(made) == {"autoscaling.knative.dev/min-scale": "1", "example.com/a": "yes"}
