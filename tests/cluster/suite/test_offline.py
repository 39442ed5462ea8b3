"""What the suite itself does, without a cluster: reading, waiting, finding, and saying what went wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.suite import images, ingress, namespaces, probe, taker, verdicts
from tests.cluster.suite.api import KSVC, Kind, Refused, Unreachable
from tests.cluster.suite.cluster import Cluster, NotInTime, holds
from tests.cluster.suite.fake_api import FakeApi
from tests.cluster.suite.images import NoImages
from tests.cluster.suite.waiting import until

ROOT = Path(__file__).parents[3]
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


def test_waiting_in_vain_ends_with_what_there_was_instead() -> None:
    with pytest.raises(NotInTime, match="waited 0 s in vain for a reply\nonly this"):
        until(lambda: False, "a reply", 0.0, otherwise=lambda: "only this")


def gateway(**more: Any) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": 443}, {"port": 80, "nodePort": 31080}], "clusterIP": "10.0.0.9"}, **more}


NODES = [
    {"status": {"addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "fd00::1"}]}}
]


def test_the_ingress_is_looked_for_at_balancer_cluster_and_nodes_in_this_order() -> None:
    balanced = gateway(status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    assert list(ingress.candidates(balanced, NODES)) == ["192.0.2.1:80", "10.0.0.9:80", "[fd00::1]:31080"]


def test_a_service_without_a_domain_of_its_own_cannot_be_asked_from_outside() -> None:
    assert ingress.authority("http://f.here.example.com") == "f.here.example.com"
    with pytest.raises(AssertionError, match="config-domain"):
        ingress.authority("http://f.here.svc.cluster.local")


def test_a_load_command_gets_the_tarball_and_no_shell() -> None:
    words = images.load_command("kind load image-archive {} --name 'my cluster'", Path("/a b/c.tar"))
    assert words == ["kind", "load", "image-archive", "/a b/c.tar", "--name", "my cluster"]
    with pytest.raises(NoImages, match="does not say where the tarball goes"):
        images.load_command("kind load image-archive", Path("c.tar"))


def test_without_a_way_to_the_cluster_images_name_the_variables_that_give_one(tmp_path: Path) -> None:
    with pytest.raises(NoImages, match=r"set \$KNBENCH_LOAD_IMAGE, .* or \$KNBENCH_REGISTRY"):
        images.provide("chained-serving", tmp_path, {"KNBENCH_BASE": str(tmp_path)})


def test_a_command_that_fails_is_shown_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(NoImages, match="left with status 3:\nno room"):
        images.run([sys.executable, "-c", "import sys; print('no room', file=sys.stderr); sys.exit(3)"], 30.0)


def test_random_parts_of_a_message_are_made_the_same() -> None:
    message = 'Pod "dry-run-validation4v6vb" is invalid: {0x389161b3c740 <nil>}'
    assert verdicts.stable(message) == 'Pod "dry-run-validation<random>" is invalid: {<pointer> <nil>}'


def test_the_recording_is_whole_and_stable() -> None:
    cases = verdicts.recorded("elsewhere")
    assert len(cases) == 184
    assert verdicts.NAMESPACE not in str(cases)
    for each in cases.values():
        assert (each.verdict.message is None) == (each.verdict.code < 400)
        assert verdicts.stable(each.verdict.message or "") == (each.verdict.message or "")
        assert each.update is None or each.update_method
    assert set(verdicts.DIFFERENCES) <= set(cases)


def test_a_replacement_keeps_the_creator_unless_it_leaves_annotations_out() -> None:
    live = {"metadata": {"resourceVersion": "9", "annotations": {"x.dev/creator": "me", "a": "live"}}}
    said = {"metadata": {"name": "f", "annotations": {"x.dev/creator": "admin", "a": "1"}}}
    replaced = verdicts.with_live_annotations(said, live)
    assert replaced["metadata"] == {
        "name": "f",
        "resourceVersion": "9",
        "annotations": {"x.dev/creator": "me", "a": "1"},
    }
    dropped = verdicts.with_live_annotations({"metadata": {"name": "f", "annotations": {}}}, live)
    assert dropped["metadata"]["annotations"] == {}


def test_the_taker_writes_every_line_it_gets_and_leaves_when_told() -> None:
    with subprocess.Popen([sys.executable, "-u", "-c", taker_at_port_0()], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        for line in (b"one\n", b"two\n"):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(line)
            assert process.stdout.readline() == line
        process.terminate()
        assert process.wait(10) == 0


def taker_at_port_0() -> str:
    """The source that runs in the pod, but at a port of the kernel's choice, which it tells."""
    source = Path(taker.__file__).read_text()
    serving = "        server.serve_forever()\n"
    assert serving in source
    told = source.replace(serving, "        print(server.server_address[1])\n" + serving)
    return told.replace("PORT = 9000", "PORT = 0")


def test_the_probe_tells_what_it_may_write(tmp_path: Path) -> None:
    assert probe.write(str(tmp_path)) == 0
    assert probe.write(str(tmp_path / "missing")) != 0


def test_a_session_is_over_when_its_process_is_gone_or_it_was_long_ago_elsewhere() -> None:
    made = datetime(2026, 1, 2, 3, tzinfo=UTC)
    soon, late = made + timedelta(minutes=50), made + timedelta(minutes=70)
    assert not namespaces.is_over(namespaces.SESSION, made, late)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert namespaces.is_over(f"{namespaces.HOST}.{process.pid}", made, soon)
    for other in ("another-machine.1", "", f"{namespaces.HOST}.one"):
        assert not namespaces.is_over(other, made, soon)
        assert namespaces.is_over(other, made, late)


def suite(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("KNBENCH_", "PYTEST_", "KUBECONFIG"))
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def test_without_a_cluster_its_tests_are_skipped_with_one_reason() -> None:
    done = suite("tests/cluster/suite", "--deselect", "tests/cluster/suite/test_offline.py")
    assert done.returncode == 0, done.stdout + done.stderr
    reasons = {line.split(": ", 1)[1] for line in done.stdout.splitlines() if line.startswith("SKIPPED")}
    wanted = "needs a cluster: make cluster-up && make test-cluster, or KUBECONFIG=… (KUBECONFIG is not set)"
    assert reasons == {wanted}
    assert "passed" not in done.stdout


def test_a_cluster_that_was_asked_for_and_is_not_there_is_a_failure(tmp_path: Path) -> None:
    missing = tmp_path / "kubeconfig"
    done = suite("tests/cluster/suite/test_platform.py", KNBENCH_CLUSTER="1", KUBECONFIG=str(missing))
    assert done.returncode == 1
    assert f"{missing}" in done.stdout
    assert "skipped" not in done.stdout
