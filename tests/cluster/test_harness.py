"""What brings the cluster up, as far as it can be tested without one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import knative, pin, versions
from tests.cluster.node import Node, overlapping_routes
from tests.cluster.running import LONGEST_LINE, ClusterError, last_lines, run


def test_the_locked_modules_are_the_pinned_ones() -> None:
    locked = dict(re.findall(r"^(?:require )?\s*(\S+) (v\S+)", (versions.GO / "go.mod").read_text(), re.MULTILINE))
    assert {module: locked.get(module) for module in versions.versions().go} == dict(versions.versions().go)


def test_kubernetes_own_libraries_have_kubernetes_version() -> None:
    replaced = re.findall(r"=> k8s.io/\S+ (v\S+)", (versions.GO / "go.mod").read_text())
    assert set(replaced) == {versions.versions().staging}
    assert versions.versions().staging.startswith("v0.")


def test_every_program_that_is_built_is_a_tool_of_the_module() -> None:
    tools = set(re.findall(r"^(?:tool )?\s*(\S+/\S+)$", (versions.GO / "go.mod").read_text(), re.MULTILINE))
    built = {each.package for each in versions.PROGRAMS if not each.package.startswith(versions.MODULE)}
    assert built <= tools
    assert set(re.findall(r"^tool (\S+)$", pin.go_mod([]), re.MULTILINE)) == built


def test_no_two_programs_share_a_name() -> None:
    names = [each.name for each in versions.PROGRAMS]
    assert len(names) == len(set(names))


DEPLOYMENT: knative.Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "activator", "labels": {"app.kubernetes.io/version": "devel"}},
    "spec": {
        "template": {
            "spec": {
                "affinity": {"podAntiAffinity": {}},
                "containers": [
                    {
                        "image": "ko://knative.dev/serving/cmd/activator",
                        "env": [{"name": "OTHER", "value": "ko://knative.dev/eventing/cmd/auth_proxy"}],
                        "resources": {"requests": {"cpu": "300m", "memory": "60Mi"}, "limits": {"memory": "600Mi"}},
                        "readinessProbe": {"httpGet": {"port": 8012}, "periodSeconds": 5},
                    }
                ],
            }
        }
    },
}


def test_a_component_gets_a_local_image_its_version_and_small_requests() -> None:
    fitted = knative.fitted(DEPLOYMENT, versions.SERVING)
    pod = fitted["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"dev.local/serving-activator:{versions.versions().bare(versions.SERVING)}"
    assert container["resources"] == {"requests": {"cpu": "20m", "memory": "30Mi"}, "limits": {"memory": "600Mi"}}
    assert container["readinessProbe"] == {"httpGet": {"port": 8012}, "periodSeconds": 5}
    assert fitted["metadata"]["labels"]["app.kubernetes.io/version"] == versions.versions().go[versions.SERVING]
    assert "affinity" not in pod


def test_an_image_that_is_not_built_says_so_in_its_name() -> None:
    (container,) = knative.fitted(DEPLOYMENT, versions.SERVING)["spec"]["template"]["spec"]["containers"]
    assert container["env"][0]["value"] == "dev.local/not-built-here/auth-proxy:0"


def test_no_image_is_called_latest() -> None:
    images = [knative.image_of(each.package) for each in versions.PROGRAMS]
    assert all(not image.endswith(":latest") and ":" in image for image in images)


def test_knatives_settings_are_fitted_and_its_examples_kept() -> None:
    manifest = {"kind": "ConfigMap", "metadata": {"name": "config-network"}, "data": {"_example": "text"}}
    data = knative.fitted(manifest, versions.SERVING)["data"]
    assert data == {"_example": "text", "ingress-class": "kourier.ingress.networking.knative.dev"}


@pytest.mark.parametrize(
    ("routes", "found"),
    [
        ([{"dst": "default", "dev": "eth0"}], []),
        ([{"dst": "10.0.0.0/8", "dev": "tun0"}], ["10.0.0.0/8 dev tun0"]),
        ([{"dst": "10.96.0.0/12", "dev": "cali0"}], ["10.96.0.0/12 dev cali0"]),
        ([{"dst": "192.168.0.0/16", "dev": "eth0"}, {"dst": "10.244.3.7", "dev": "x"}], ["10.244.3.7 dev x"]),
        ([{"dst": "fe80::/64", "dev": "eth0"}, {"type": "broadcast"}], []),
    ],
)
def test_a_route_into_the_clusters_own_ranges_is_found(routes: list[dict[str, object]], found: list[str]) -> None:
    assert overlapping_routes(routes) == found


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(ClusterError, match=r"left with status 3:\n    too bad"):
        run(sys.executable, "-c", "import sys; print('too bad', file=sys.stderr); sys.exit(3)")
    with pytest.raises(ClusterError, match="no-such-program is not installed"):
        run("no-such-program")


def test_a_long_line_of_a_log_is_cut() -> None:
    assert [len(line) for line in last_lines("short\n" + "x" * 5000, 2)] == [5, LONGEST_LINE]


def test_a_node_that_was_never_made_runs_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path / "work")
    assert node.pid is None
    assert node.components() == []
    with pytest.raises(ClusterError, match="the node does not run"):
        node.run("true")


def test_a_stranger_is_told_what_commands_there_are() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.cluster", "upp"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "one of up, down, status" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_cluster_the_tests_ask_for_one(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "KNBENCH_CLUSTER_FOLDER": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", "test"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 3
    assert "make cluster-up" in done.stderr
