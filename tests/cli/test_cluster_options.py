"""The options that name a cluster: what they need, what they exclude, and what is said without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import program

CHAIN = "chained-serving"
KNATIVE = ("--engine", "knative")


def call(folder: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    nowhere = {"KUBECONFIG": str(folder / "nowhere"), "KUBERNETES_SERVICE_HOST": "", **more}
    done = program.call(folder, *arguments, timeout=100, **nowhere)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", ["run", "verify", "deploy"])
def test_a_cluster_needs_an_image_and_the_way_to_one_is_told(command: str, tmp_path: Path) -> None:
    status, _, errors = call(tmp_path, command, CHAIN, *KNATIVE, XDG_CACHE_HOME=str(tmp_path))  # nothing is remembered
    assert status == 2
    assert "--image is missing" in errors
    assert f"next: 'toolkit build {CHAIN} " in errors


@pytest.mark.parametrize(
    "option", ["--image", "--namespace", "--context", "--advertise", "--ingress", "--cluster-domain"]
)
def test_what_is_for_a_cluster_is_refused_without_one_but_not_from_the_environment(option: str, tmp_path: Path) -> None:
    status, _, errors = call(tmp_path, "invoke", CHAIN, option, "x")
    assert (status, f"{option} is for --engine knative" in errors) == (2, True)
    variable = f"TOOLKIT_{option[2:].upper().replace('-', '_')}"
    assert call(tmp_path, "invoke", CHAIN, **{variable: "x"})[0] == 0


def test_a_zipkin_that_pods_would_look_for_in_themselves_is_refused(tmp_path: Path) -> None:
    status, _, errors = call(tmp_path, "run", CHAIN, *KNATIVE, "--image", "x/y:1", "--zipkin", "http://localhost:9411")
    assert status == 2
    assert "functions in pods would look for it in their own pod" in errors


@pytest.mark.parametrize("command", ["run", "verify", "deploy", "invoke", "status", "logs", "delete"])
def test_without_a_cluster_each_command_says_so(command: str, tmp_path: Path) -> None:
    more = (*KNATIVE, "--image", "x/y:1") if command in ("run", "verify", "deploy", "invoke") else ()
    status, out, errors = call(tmp_path, command, CHAIN, *more)
    assert (status, out) == (3, "")
    assert "error: there is no kubeconfig: $KUBECONFIG names " in errors
    assert "next: " in errors


def test_a_dry_run_on_the_client_prints_the_manifests_and_asks_nobody(tmp_path: Path) -> None:
    dry = ("deploy", CHAIN, *KNATIVE, "--image", "x/y:1", "-n", "here", "--dry-run=client")
    status, out, _ = call(tmp_path, *dry, "-o", "json")
    assert status == 0
    objects = json.loads(out)["items"]
    assert [each["kind"] for each in objects] == ["Namespace", "Service", "Service"]
    assert objects[1]["metadata"]["namespace"] == "here"
    assert call(tmp_path, *dry)[1].startswith("apiVersion: v1\nkind: Namespace\n")


@pytest.mark.parametrize(("more", "status"), [(("--dry-run=client",), 0), ((), 3)])
def test_what_a_cluster_makes_of_the_chain_is_told_before_it_is_asked(
    more: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    (tmp_path / "h.py").write_text("async def f(context, message): ...\n")
    (tmp_path / "chain.yaml").write_text("name: odd\nfunctions: {shop: {handler: 'h.py:f', scale: {metric: cpu}}}\n")
    found, out, errors = call(tmp_path, "deploy", ".", *KNATIVE, "--image", "x/y:1", *more)
    assert found == status
    assert "hpa is an extension" not in out
    assert errors.startswith("shop.scale.autoscaler: hpa is an extension of Knative (serving-hpa)")


def test_a_chain_that_is_no_name_and_no_file_is_bad_input(tmp_path: Path) -> None:
    status, _, errors = call(tmp_path, "status", "../no/such/chain.yaml")
    assert status == 2
    assert "no chain, folder or file named" in errors


def test_flags_may_stand_between_the_chain_and_its_function(tmp_path: Path) -> None:
    status, _, errors = call(tmp_path, "logs", CHAIN, "-f", "consumer", "--tail", "3")
    assert status == 3
    assert "unrecognized" not in errors


def test_the_library_for_clusters_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "kubernetes").mkdir()
    (tmp_path / "kubernetes" / "__init__.py").write_text("raise ImportError('No module named kubernetes')\n")
    status, _, errors = call(tmp_path, "status", CHAIN, PYTHONPATH=str(tmp_path))
    assert status == 3
    assert "the engine knative needs Python packages that are not here: No module named kubernetes" in errors
    assert "next: pip install 'kn-bench[knative]'" in errors
