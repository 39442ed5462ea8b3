"""`toolkit doctor`, and what `toolkit tracing setup` would do, on the cluster: neither changes anything."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.suite import platform, rights, tracing
from tests.cluster.suite.api import Kind
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.namespaces import namespace

TOPICS = ("kubernetes", "serving", "ingress", "domain", "features", "eventing", "broker", "channel", "pods", "rights")
WITHIN_S = 60.0
PLATFORM_RULES = (
    ("", "configmaps", ["get", "update"]),
    ("apps", "deployments", ["get", "list", "patch"]),
    ("", "pods", ["list"]),
)


def doctor(*arguments: str) -> tuple[int, Mapping[str, Any], Mapping[str, Mapping[str, str]]]:
    """Its status, what it says of the cluster, and the finding of each topic; of several the last."""
    command = (sys.executable, "-m", "toolkit.cli", "doctor", "-o", "json", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.stderr == ""
    there = json.loads(done.stdout)["places"][1]
    return done.returncode, there, {each["topic"]: each for each in there["findings"]}


def test_the_cluster_that_these_tests_run_on_is_fit(cluster: Cluster) -> None:
    status, there, found = doctor()
    assert (status, there["fit"], there["server"]) == (0, True, cluster.api.client.configuration.host)
    assert [topic for topic in TOPICS if topic not in found] == []
    lacking = {topic: each["text"] for topic, each in found.items() if each["state"] not in ("ok", "remark")}
    assert lacking == {}
    assert "MTChannelBasedBroker" in found["broker"]["text"]
    assert found["tracing"]["state"] == "ok" or "toolkit tracing setup" in found["tracing"]["mend"]


def test_a_user_of_one_namespace_is_told_what_may_be_done_there_and_what_may_not_be_seen(
    cluster: Cluster, tmp_path: Path
) -> None:
    with namespace(cluster, "doctor") as place:
        robot = str(rights.user(cluster, place, tmp_path))
        status, there, found = doctor("-n", place, "--kubeconfig", robot)
        assert (status, there["fit"]) == (0, True)
        assert found["rights"]["text"] == f"all that chains need in the namespace {place}"
        assert {found[each]["state"] for each in ("domain", "broker", "tracing", "sight")} == {"unseen"}
        assert found["domain"]["text"] == "you may not get configmaps in the namespace knative-serving"
        assert "--verb=get,list --resource=configmaps" in found["sight"]["mend"]
        status, _, found = doctor("-n", "default", "--kubeconfig", robot)
    assert (status, found["rights"]["state"]) == (3, "missing")
    assert f"--serviceaccount={place}:{rights.NAME}" in found["rights"]["mend"]


@pytest.mark.parametrize("undo", [False, True])
def test_a_dry_run_of_setting_up_tracing_is_judged_and_changes_nothing(cluster: Cluster, undo: bool) -> None:
    before = tracing.settings(cluster)
    said = tracing.toolkit("tracing", "setup", "--dry-run", *(["--undo"] if undo else []))
    assert tracing.settings(cluster) == before
    assert said


@contextlib.contextmanager
def granted(cluster: Cluster, account: str, place: str) -> Iterator[None]:
    """What docs/clusters.md says that setting up tracing needs in Knative's namespaces, for a service account."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": place}
    rules = [{"apiGroups": [group], "resources": [of], "verbs": verbs} for group, of, verbs in PLATFORM_RULES]
    try:
        for space in (platform.SERVING, platform.EVENTING):
            metadata = {"name": place, "namespace": space}
            role = {"apiVersion": f"{rights.RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
            reference = {"apiGroup": rights.RBAC, "kind": "Role", "name": place}
            binding = {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}
            cluster.apply(role, {key: value for key, value in binding.items() if key != "rules"})
        yield
    finally:
        for space in (platform.SERVING, platform.EVENTING):
            for kind in ("RoleBinding", "Role"):
                cluster.delete(Kind(f"{rights.RBAC}/v1", kind), place, space)


def test_the_rights_that_the_documentation_names_are_enough_for_the_cluster_to_judge_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    with namespace(cluster, "doctor") as place, granted(cluster, rights.NAME, place):
        robot = str(rights.user(cluster, place, tmp_path))
        arguments = ("--endpoint", "http://192.0.2.1:4318", "--kubeconfig", robot)
        said = tracing.toolkit("tracing", "setup", "--dry-run", *arguments)
        assert "knative-eventing/config-observability: tracing-endpoint" in said
        assert tracing.toolkit("tracing", "setup", "--undo", "--dry-run", "--kubeconfig", robot)


def test_who_may_not_change_configmaps_is_told_which_right_is_missing(cluster: Cluster, tmp_path: Path) -> None:
    with namespace(cluster, "doctor") as place:
        robot = str(rights.user(cluster, place, tmp_path))
        command = (sys.executable, "-m", "toolkit.cli", "tracing", "setup", "-n", place, "--kubeconfig", robot)
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert 'cannot get resource "configmaps" in API group "" in the namespace "knative-serving"' in done.stderr
    assert "next: ask an administrator" in done.stderr
