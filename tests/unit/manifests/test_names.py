"""Labels and addresses that follow from a plan."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.manifests.samples import chain, function, shipped
from toolkit import manifests, plan
from toolkit.manifests.names import label_value

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no bug
ALLOWED = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")  # k8s.io/apimachinery, labelValueFmt


def test_targets_are_fully_qualified_and_the_sink_is_the_brokers() -> None:
    made = manifests.bound(shipped("chained-mixed"), "space")
    assert made.targets["consumer"] == "consumer.space.svc.cluster.local:80"
    assert list(made.targets) == ["producer", "publisher", "subscriber", "consumer"]
    assert made.sink == "http://broker-ingress.knative-eventing.svc.cluster.local/space/default"


def test_a_cluster_may_have_another_domain() -> None:
    made = manifests.bound(shipped("chained-mixed"), "space", "corp.example")
    assert made.targets["consumer"] == "consumer.space.svc.corp.example:80"
    assert made.sink == "http://broker-ingress.knative-eventing.svc.corp.example/space/default"


def test_without_events_there_is_no_sink() -> None:
    assert manifests.bound(shipped("chained-serving"), "space").sink is None


def test_labels_tell_owner_chain_run_and_function() -> None:
    made = plan.make(chain([function("a")]), "2026-01-02T03-04-05-sample-abcd")
    assert manifests.labels(made, "a") == {
        "app.kubernetes.io/managed-by": "kn-bench",
        "app.kubernetes.io/part-of": "sample",
        "kn-bench.dev/run": "2026-01-02T03-04-05-sample-abcd",
        "kn-bench.dev/function": "a",
    }
    assert "kn-bench.dev/function" not in manifests.labels(made)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("run-1", "run-1"),
        ("", ""),
        ("a" * 63, "a" * 63),
        ("a" * 64, f"{'a' * 54}-{label_value('a' * 64)[-8:]}"),
        ("-run", "run-" + label_value("-run")[-8:]),
        ("my run", "my-run-" + label_value("my run")[-8:]),
        ("日本", label_value("日本")[-8:]),
    ],
)
def test_a_text_that_is_no_label_value_becomes_one(text: str, label: str) -> None:
    assert label_value(text) == label


@calm
@given(st.text())
def test_every_text_has_a_label_value(text: str) -> None:
    made = label_value(text)
    assert ALLOWED.fullmatch(made)
    assert len(made) <= 63


def test_different_texts_have_different_label_values() -> None:
    assert label_value("my run") != label_value("my-run") != label_value("my/run")
