"""Where the load comes from, as the command line says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import program

CHAIN = "chained-serving"
ON_A_CLUSTER = ("--engine", "knative", "--image", "x/y:1", "--from", "cluster")


def call(folder: Path, *arguments: str, **more: str) -> tuple[int, str]:
    nowhere = {"KUBECONFIG": str(folder / "nowhere"), "KUBERNETES_SERVICE_HOST": "", **more}
    done = program.call(folder, *arguments, timeout=100, **nowhere)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_load_from_a_cluster_needs_one(command: str, tmp_path: Path) -> None:
    status, errors = call(tmp_path, command, CHAIN, "--from", "cluster")
    assert status == 2
    assert "--from cluster: with --engine local there is no cluster to send the load from" in errors
    assert "next: add --engine knative and --image REF, or leave --from away" in errors


@pytest.mark.alone
def test_several_generators_send_it_from_this_machine(tmp_path: Path) -> None:
    options = ("--generators", "2", "--connections", "3", "--requests", "20", "-o", "json")
    done = program.call(tmp_path, "run", CHAIN, *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    origin = report["run"]["environment"]["load"]
    assert (report["load"]["ok"], origin["from"], origin["generators"], len(origin["cpu"])) == (20, "here", 2, 2)
    assert program.all_gone(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--generators", "3", "--requests", "2"), "--generators 3 for --requests 2: some would have nothing to do"),
        (("--generators", "3", "--concurrency", "2"), "--generators 3 for --concurrency 2"),
        (("--generators", "65"), "--generators 65: not in range"),
        (("--generators", "0"), "argument --generators"),
        (("--generators", "two"), "argument --generators"),
        (("--connections", "0"), "argument --connections"),
        (("--connections", "1001"), "--connections 1001: more than 1,000"),
        (("--from", "there"), "argument --from"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_cluster_is_looked_for(
    options: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    status, errors = call(tmp_path, "run", CHAIN, *ON_A_CLUSTER, *options)
    assert (status, says in errors) == (2, True)


def test_with_sense_the_cluster_is_what_is_missing(tmp_path: Path) -> None:
    status, errors = call(tmp_path, "run", CHAIN, *ON_A_CLUSTER, "--generators", "3")
    assert status != 0
    assert "generators" not in errors


def test_the_environment_says_it_too(tmp_path: Path) -> None:
    status, errors = call(tmp_path, "run", CHAIN, TOOLKIT_FROM="cluster")
    assert (status, "--from cluster: with --engine local" in errors) == (2, True)
