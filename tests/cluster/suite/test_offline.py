"""What the suite itself does, without a cluster: reading the recording, finding the ingress, providing images."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.suite import images, ingress, namespaces, probe, taker, verdicts
from tests.cluster.suite.cluster import NotInTime
from tests.cluster.suite.images import NoImages
from tests.cluster.suite.waiting import until

ROOT = Path(__file__).parents[3]


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
    done = suite("tests/cluster/suite", "-m", "cluster")
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
