"""What is right, and still not what it looks like: one sentence each, with its place."""

from __future__ import annotations

import pytest

from toolkit.spec import parse
from toolkit.spec.notes import notes


def said(function: str, broker: str = "") -> tuple[str, ...]:
    events = f"edges: [{{from: f, to: g, via: event}}]\nbroker: {{{broker}}}\n" if broker else ""
    other = ", g: {handler: 'm:g'}" if broker else ""
    text = f"name: a\nfunctions: {{f: {{handler: 'm:f', {function} }}{other}}}\n{events}"
    return notes(parse(text.encode(), origin="chain.yaml", folder="."))


def test_a_chain_that_asks_for_nothing_has_no_notes() -> None:
    assert said("replicas: 2") == ()


@pytest.mark.parametrize(
    ("function", "note"),
    [
        (
            "scale: {metric: cpu}",
            "f.scale.autoscaler: hpa is an extension of Knative (serving-hpa); without it the function is never ready",
        ),
        (
            "scale: {metric: rps, autoscaler: hpa}",
            "f.scale.metric: hpa finds rps only with an adapter for custom metrics",
        ),
        ("scale: {metric: cpu, min: 0}", "f.scale.min: hpa keeps one pod at least; only kpa scales to zero"),
        ("scale: {metric: cpu, burst: 0, panic-window: 5}", "f.scale: hpa takes no notice of panic-window, burst"),
        (
            "scale: {target: 20}, concurrency: 10",
            "f.scale.target: a pod takes 10 at once (`concurrency`), so Knative aims at that",
        ),
        (
            "timeout: 301s",
            "f.timeout: its answer must still begin within 5m; write `response-start-timeout` for more",
        ),
        ("env: {1ABC: x}", "f.env: Kubernetes before 1.32 refuses the name '1ABC'"),
        (
            "node-selector: {a: b}",
            "f.node-selector: stock Knative refuses it until config-features says kubernetes.podspec-nodeselector",
        ),
        ("resources: {nvidia.com/gpu: 1}", "f.resources: it waits until a node has nvidia.com/gpu"),
        (
            "resources: {memory: 32Mi}",
            "f.resources: Python with gRPC takes 40Mi before the handler does anything, so it hardly starts",
        ),
        ("resources: {requests: {memory: 128m}}", "f.resources: 128m of memory is a fraction of a byte"),
        (
            "annotations: {networking.knative.dev/ingress-class: foo}",
            "f.annotations: it waits until the ingress 'foo' is installed",
        ),
    ],
)
def test_what_a_cluster_does_otherwise_is_said(function: str, note: str) -> None:
    assert note in said(function)


@pytest.mark.parametrize(
    "function",
    [
        "timeout: 300s",
        "timeout: 600s, response-start-timeout: 600s",
        "scale: {target: 20, metric: rps}, concurrency: 10",
        "scale: {target: 10}, concurrency: 10",
        "scale: {target: 10}, concurrency: 0",
        "resources: {cpu: 0.5, memory: 64Mi}",
        "resources: {limits: {memory: 0}}",
        "env: {my.var-1: x}",
    ],
)
def test_what_is_as_it_looks_has_no_note(function: str) -> None:
    assert said(function) == ()


def test_a_wait_that_knative_cuts_short_is_said() -> None:
    assert said("replicas: 1", "delivery: {delay: 250ms, timeout: 1500ms}") == (
        "broker.delivery.delay: 250ms is 200ms there: Knative reads one decimal of a second",
    )
    assert said("replicas: 1", "delivery: {delay: 10ms}") == (
        "broker.delivery.delay: 10ms is 0s there: Knative reads one decimal of a second",
    )
