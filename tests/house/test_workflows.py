"""Rules for `.github/workflows` and `.ci`: what a machine runs there, a person can run here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit import catalog

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
SCRIPTS = [path for path in sorted((ROOT / ".ci").iterdir()) if path.is_file()]
VERSIONS = ROOT / ".github/knative.env"
TOOLS = {"sed"}  # besides files of the repository and targets of the Makefile
EXACT_VERSION = re.compile(r"\bv?\d+\.\d+\.\d+\b")
PINNED = re.compile(r"actions/[a-z-]+@v\d+")
# Releases of Knative 1.N are the Go modules v0.(N + 27): knative.dev/serving and eventing v0.27 were 1.0.
MODULES = {"SERVING": "knative.dev/serving", "EVENTING": "knative.dev/eventing", "KOURIER": "knative.dev/net-kourier"}
FIRST_MINOR = 27

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)


def workflow(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in workflow(path)["jobs"].values():
        yield from job["steps"]


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a `run`."""
    for line in text.splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        words.whitespace_split = True
        command: list[str] = []
        for word in words:
            if set(word) <= set("|&;"):
                yield command
                command = []
            else:
                command.append(word)
        yield command


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def is_ours(command: list[str]) -> bool:
    first, *rest = command
    if first == "make":
        return bool(rest) and set(rest) <= targets()
    return first in TOOLS or ((ROOT / first).is_file() and os.access(ROOT / first, os.X_OK))


def versions() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z]+)=(\S+)$", VERSIONS.read_text(), re.MULTILINE))


@each_workflow
def test_every_step_is_a_command_that_people_can_run_too(path: Path) -> None:
    asked = [command for step in steps(path) if "run" in step for command in commands(step["run"])]
    assert asked != []
    assert [command for command in asked if not is_ours(command)] == []


@pytest.mark.parametrize("text", ["make nothing", "curl x | sh", "make install; kubectl get pods", ".ci/none", "make"])
def test_a_step_that_only_a_machine_can_run_is_seen(text: str) -> None:
    assert not all(map(is_ours, commands(text)))


@each_workflow
def test_no_expression_becomes_part_of_a_command(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@each_workflow
def test_actions_are_pinned(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used != []
    assert [each for each in used if not PINNED.fullmatch(each)] == []


def test_all_workflows_use_the_same_version_of_an_action() -> None:
    used = {step["uses"] for path in WORKFLOWS for step in steps(path) if "uses" in step}
    names = [each.partition("@")[0] for each in sorted(used)]
    assert names == sorted(set(names))


@each_workflow
def test_a_workflow_may_only_read_and_ends_by_itself(path: Path) -> None:
    found = workflow(path)
    assert found["permissions"] == {"contents": "read"}
    assert found["concurrency"]["cancel-in-progress"] is True
    assert all(0 < job["timeout-minutes"] <= 30 for job in found["jobs"].values())
    assert [job for job in found["jobs"].values() if "permissions" in job] == []


@pytest.mark.parametrize("path", [*WORKFLOWS, *SCRIPTS], ids=lambda path: path.name)
def test_nothing_sleeps_and_no_text_becomes_code(path: Path) -> None:
    code = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert re.findall(r"\b(?:sleep|eval)\b", code) == []


@each_script
def test_a_script_is_strict_and_says_what_it_is(path: Path) -> None:
    shebang, purpose, *rest = path.read_text().splitlines()
    assert shebang == "#!/usr/bin/env bash"
    assert re.fullmatch(r"# .{20,}", purpose)
    assert "set -euo pipefail" in rest
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize("path", [*WORKFLOWS, *SCRIPTS], ids=lambda path: path.name)
def test_versions_are_in_one_place(path: Path) -> None:
    assert EXACT_VERSION.findall(path.read_text()) == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_the_released_knative_is_the_one_of_the_test_cluster(name: str) -> None:
    modules = tomllib.loads((ROOT / "tests/cluster/versions.toml").read_text())["go"]
    released = re.fullmatch(r"knative-v1\.(\d+)\.(\d+)", versions()[name])
    assert released is not None
    assert modules[MODULES[name]] == f"v0.{int(released[1]) + FIRST_MINOR}.{released[2]}"


def test_the_script_reads_every_version_and_no_other() -> None:
    used = set(re.findall(r"\$\{?([A-Z]+)\b", (ROOT / ".ci/kind-up").read_text())) - {"PWD"}
    assert used - {"KNBENCH"} == set(versions())


@pytest.mark.skipif(shutil.which("jq") is None, reason="the script needs jq")
def test_the_matrix_holds_every_light_chain_with_the_variants_that_it_has() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    asked = [str(ROOT / ".ci/deploy-and-verify"), "--matrix"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, env={**os.environ, "PATH": path})
    found = {(each["chain"], each["variant"]) for each in json.loads(done.stdout)["include"]}
    chains = [catalog.load(name) for name in catalog.names()]
    light = {
        each.name
        for each in chains
        if not each.requires and not any(function.image or function.command for function in each.functions)
    }
    chained = {"chained-eventing", "chained-mixed", "chained-serving"}
    assert {chain for chain, variant in found if variant == "default"} == light
    assert {chain for chain, variant in found if variant == "from-zero"} == chained
    assert {chain for chain, variant in found if variant == "length=4"} == chained - {"chained-mixed"}
    assert len(light) >= 20


@pytest.mark.parametrize("arguments", [(), ("-h",), ("../up",), ("a", "b"), ("a", "default", "c"), ("a/b",), ("",)])
def test_what_makes_no_sense_is_refused_before_anything_is_done(arguments: tuple[str, ...]) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KNBENCH_LOAD_IMAGE": "false {}", "KUBECONFIG": os.devnull}
    done = subprocess.run(
        [ROOT / ".ci/deploy-and-verify", *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "CHAIN [VARIANT]" in done.stderr
