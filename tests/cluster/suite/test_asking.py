"""What the suite does with an API server (a fake): waiting, applying, and saying what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.suite import platform
from tests.cluster.suite.api import KSVC, Kind, Refused, Unreachable
from tests.cluster.suite.cluster import Cluster, NotInTime, holds
from tests.cluster.suite.fake_api import FakeApi

SERVICES = "/apis/serving.knative.dev/v1/namespaces/here/services"


def service(ready: str, *, generation: int = 1, observed: int = 1, reason: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "reason": reason}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "f", "namespace": "here", "generation": generation, "resourceVersion": "7"},
        "status": {"observedGeneration": observed, "conditions": [condition]},
    }


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "metadata": {"resourceVersion": "7"}}


@pytest.fixture
def fake() -> FakeApi:
    return FakeApi()


@pytest.fixture
def small(fake: FakeApi, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of which only the fake knows."""
    with fake.serving(tmp_path) as kubeconfig:
        made = Cluster.of(kubeconfig)
        yield made
        made.api.client.rest_client.pool_manager.clear()


def test_what_is_ready_already_is_not_waited_for(small: Cluster, fake: FakeApi) -> None:
    fake.give(f"GET {SERVICES}", listed(service("True")))
    assert small.wait(KSVC, "f", "here")["metadata"]["name"] == "f"
    assert [query for _, path, query, _ in fake.asked if path == SERVICES] == [
        {"fieldSelector": "metadata.name=f", "type": "application/json"}
    ]


def test_a_wait_follows_the_object_and_begins_anew_when_its_stream_expires(small: Cluster, fake: FakeApi) -> None:
    expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    fake.give(f"GET {SERVICES}", listed(), listed(service("Unknown")))
    fake.give(f"GET {SERVICES} watch", [{"type": "ADDED", "object": service("True", generation=2)}, expired])
    fake.give(f"GET {SERVICES} watch", [{"type": "MODIFIED", "object": service("True", generation=2, observed=2)}])
    assert small.wait(KSVC, "f", "here", within_s=10)["status"]["observedGeneration"] == 2


def test_a_wait_in_vain_shows_conditions_pods_events_and_logs(small: Cluster, fake: FakeApi) -> None:
    waiting = {"name": "user-container", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    pod = {
        "metadata": {"name": "f-1", "namespace": "here"},
        "spec": {"containers": [{"name": "user-container"}]},
        "status": {"phase": "Running", "containerStatuses": [waiting]},
    }
    event = {"metadata": {}, "involvedObject": {"kind": "Pod", "name": "f-1"}, "reason": "BackOff", "message": "again"}
    fake.give(f"GET {SERVICES}", listed(service("False", reason="RevisionFailed")))
    fake.give(f"GET {SERVICES} watch", [])
    fake.give("GET /api/v1/namespaces/here/pods", listed(pod))
    fake.give("GET /api/v1/namespaces/here/events", listed(event))
    fake.give("GET /api/v1/namespaces/here/pods/f-1/log", "toolkit.sdk: no wiring\n")
    with pytest.raises(NotInTime) as raised:
        small.wait(KSVC, "f", "here", within_s=0.2)
    text = str(raised.value)
    assert text.startswith("Service (serving.knative.dev/v1) here/f was not Ready within 0 s\n")
    assert "  Ready=False (RevisionFailed)" in text
    assert "    f-1: Running; user-container not ready, restarted 3 times, waiting (CrashLoopBackOff)" in text
    assert "    Pod/f-1 BackOff: again" in text
    assert "    toolkit.sdk: no wiring" in text


def test_an_apply_takes_the_fields_for_the_suite(small: Cluster, fake: FakeApi) -> None:
    fake.give(f"PATCH {SERVICES}/f", service("Unknown"))
    small.apply(service("True"))
    method, path, query, body = fake.asked[-1]
    assert (method, path, json.loads(body)) == ("PATCH", f"{SERVICES}/f", service("True"))
    assert query == {"fieldManager": "kn-bench-tests", "force": "true", "type": "application/apply-patch+yaml"}


def test_a_refused_apply_says_what_was_refused_and_why(small: Cluster, fake: FakeApi) -> None:
    fake.give(f"PATCH {SERVICES}/f", {"kind": "Status", "message": "denied the request"}, code=400)
    with pytest.raises(Refused, match="apply Service f: 400: denied the request"):
        small.apply(service("True"))


def test_a_verdict_is_code_message_and_warnings_as_they_came(small: Cluster, fake: FakeApi) -> None:
    fake.warnings = ("one, with a comma", 'another "quoted"'.replace('"', '\\"'))
    fake.give(f"POST {SERVICES}", {"kind": "Status", "message": "no"}, code=400)
    answer = small.create("kind: Service\n", kind=KSVC, namespace="here")
    assert (answer.code, answer.message, answer.warnings) == (400, "no", ("one, with a comma", 'another "quoted"'))
    _, _, query, body = fake.asked[-1]
    assert body == "kind: Service\n"
    assert query["type"] == "application/yaml"
    assert (query["dryRun"], query["fieldValidation"]) == ("All", "Strict")


def test_a_kind_that_is_not_installed_is_named(small: Cluster) -> None:
    with pytest.raises(LookupError, match=r"knows no Broker \(eventing.knative.dev/v1\)"):
        small.get(Kind("eventing.knative.dev/v1", "Broker"), "default", "here")


def component(name: str, replicas: int, ready: int) -> dict[str, Any]:
    available = {"type": "Available", "status": "True" if ready else "False", "message": "too few"}
    status = {"readyReplicas": ready, "conditions": [available]}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas}, "status": status}


def component_pod(name: str, restarts: int) -> dict[str, Any]:
    last = {"terminated": {"reason": "Error", "exitCode": 137}} if restarts else {}
    container = {"name": "filter", "ready": True, "restartCount": restarts, "state": {"running": {}}, "lastState": last}
    return {"metadata": {"name": name}, "status": {"phase": "Running", "containerStatuses": [container]}}


def test_a_component_that_is_away_or_was_killed_is_complained_about(small: Cluster, fake: FakeApi) -> None:
    parts = (component("well", 1, 1), component("away", 1, 0), component("none", 0, 0))
    fake.give("GET /apis/apps/v1/namespaces/knative-eventing/deployments", listed(*parts))
    pods = listed(component_pod("well-1", 0), component_pod("killed-1", 1))
    fake.give("GET /api/v1/namespaces/knative-eventing/pods", pods)
    assert platform.complaints(small, "knative-eventing") == [
        "away: 0 of 1 ready: too few",
        "none is scaled to no replicas",
        "killed-1: Running; filter ready, restarted 1 times, was terminated (Error: 137)",
    ]
    assert "mt-broker-filter" in platform.missing(small, "knative-eventing")


def test_a_component_that_began_again_is_another_one(small: Cluster, fake: FakeApi) -> None:
    for each in platform.NAMESPACES:
        fake.give(f"GET /api/v1/namespaces/{each}/pods", listed(component_pod("a", 0)), listed(component_pod("a", 1)))
    first, then = platform.containers(small), platform.containers(small)
    assert {each.restarts for each in first - then} == {0}
    assert {each.restarts for each in then - first} == {1}


@pytest.mark.parametrize("text", ["", "{", "nothing: here\n", "- a\n"])
def test_what_is_no_kubeconfig_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(Unreachable, match="kubeconfig"):
        Cluster.of(path)


def test_a_generation_that_was_not_observed_yet_is_not_ready() -> None:
    assert holds(service("True"), "Ready")
    assert not holds(service("True", generation=2), "Ready")
    assert not holds(service("Unknown"), "Ready")
    assert not holds(None, "Ready")
