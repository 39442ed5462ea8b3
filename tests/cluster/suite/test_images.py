"""Images as a user brings them to the cluster: built, handed over by a command, and then known without being named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.suite import images as image_building
from tests.cluster.suite.api import KSVC, TRIGGER, Manifest
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.namespaces import namespace
from tests.cluster.suite.waiting import until
from toolkit.catalog import benchmarks_folder

STRICT = ("--engine", "vhive", "--profile", "strict")
READY_WITHIN_S, DELIVERED_WITHIN_S = 90.0, 30.0
SEEN = "the consumer was reached"
WITHIN_S = 240.0


@pytest.fixture
def chain(tmp_path: Path) -> str:
    """A chain of one's own: what is remembered of it is nobody else's. Its last function says that it was reached."""
    folder = shutil.copytree(benchmarks_folder() / "chained-mixed", tmp_path / "mine")
    handlers = folder / "handlers.py"
    last = "    return ConsumeByteReply(value=True)"
    assert last in handlers.read_text()
    handlers.write_text(handlers.read_text().replace(last, f"    print({SEEN!r}, flush=True)\n{last}"))
    return str(folder)


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    with namespace(cluster, "images") as name:
        yield name


def toolkit(*words: str) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(
        [sys.executable, "-m", "toolkit.cli", *words], capture_output=True, text=True, check=False, timeout=WITHIN_S
    )
    assert found.returncode == 0, found.stderr
    return found


def build(chain: str, *more: str) -> str:
    """What `--image` would be given for the images, which the cluster has or can pull."""
    base = image_building.base_of(os.environ)
    return toolkit("build", chain, "--base", str(base), *_goal(), *more, "-o", "name").stdout.strip()


def _goal() -> tuple[str, str]:
    if registry := os.environ.get(image_building.REGISTRY):
        return "--push", f"{registry.rstrip('/')}/mine"
    template = os.environ.get(image_building.LOAD)
    if not template:
        raise image_building.NoImages(f"set ${image_building.LOAD} or ${image_building.REGISTRY}")
    return "--publish", template.replace("{}", "\0").replace("{", "{{").replace("}", "}}").replace("\0", "{tar}")


def test_a_chain_runs_with_the_image_that_was_built_last(chain: str, place: str) -> None:
    reference = build(chain)
    found = toolkit("verify", chain, "--engine", "knative", "-n", place, "-o", "json")
    assert json.loads(found.stdout)["passed"] is True
    assert f"image: {reference.rpartition(':')[0]}" in found.stderr


def test_functions_run_with_nothing_but_images_that_hold_their_wiring(chain: str, place: str, cluster: Cluster) -> None:
    """What vHive's strict profile leaves of a function, on stock Knative: an image, and no environment of ours."""
    template = build(chain, *STRICT, "-n", place)
    toolkit("render", chain, *STRICT, "-n", place)  # takes those images, or ends with another status
    rendered = toolkit("render", chain, "-n", place, "--no-namespace", "--image", "dev.local/nothing:v1", "-o", "json")
    objects = [each for each in json.loads(rendered.stdout)["items"] if each["kind"] != "SinkBinding"]
    cluster.apply(*(_bare(each, template) for each in objects))
    for each in objects:
        if each["kind"] in ("Service", "Trigger"):
            kind = KSVC if each["kind"] == "Service" else TRIGGER
            cluster.wait(kind, each["metadata"]["name"], place, within_s=READY_WITHIN_S)
    assert toolkit("invoke", chain, "--engine", "knative", "-n", place).stdout.endswith("published\n")
    until(lambda: SEEN in toolkit("logs", chain, "-n", place).stdout, "the consumer to be called", DELIVERED_WITHIN_S)


def _bare(found: Manifest, template: str) -> Manifest:
    if found["kind"] == "Service":
        (container,) = found["spec"]["template"]["spec"]["containers"]
        container["image"] = template.replace("{function}", found["metadata"]["name"])
        del container["env"]
    return found


def test_containerd_has_what_was_loaded(chain: str, cluster: Cluster) -> None:
    if "CONTAINERD_ADDRESS" not in os.environ:
        pytest.skip("needs the node's containerd: CONTAINERD_ADDRESS=…")
    base = image_building.base_of(os.environ)
    said = toolkit("build", chain, "--base", str(base), *STRICT, "--load", "containerd", "-o", "json").stdout
    listed = image_building.run(("ctr", "-n", "k8s.io", "images", "list"), WITHIN_S)
    found = {line.split()[0]: line.split()[2] for line in listed.splitlines()[1:]}
    for each in json.loads(said)["images"]:
        assert found[each["reference"]] == each["digest"]
