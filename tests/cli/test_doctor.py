"""`toolkit doctor` and `toolkit tracing` as programs: without a cluster, and with input that makes no sense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import program
from toolkit.cli.tracing_command import otlp_url


def call(folder: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Of somebody for whom no cluster is configured."""
    nowhere = {"KUBECONFIG": "", "HOME": str(folder), "KUBERNETES_SERVICE_HOST": "", **more}
    done = program.call(folder, *arguments, timeout=100, **nowhere)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_without_any_cluster_this_machine_is_looked_at_and_the_status_is_its(tmp_path: Path) -> None:
    status, out, errors = call(tmp_path, "doctor")
    assert (status, errors) == (0, "")
    assert "This machine (engine local)" in out
    assert "none is configured: chains run with the engine local only" in out


@pytest.mark.parametrize("how", ["option", "variable", "namespace", "context", "file"])
def test_a_cluster_that_somebody_names_has_to_be_there(tmp_path: Path, how: str) -> None:
    nowhere = str(tmp_path / "nowhere")
    arguments = {"option": ("--kubeconfig", nowhere), "namespace": ("-n", "mine"), "context": ("--context", "mine")}
    if how == "file":
        (tmp_path / ".kube").mkdir()
        (tmp_path / ".kube" / "config").write_text("nonsense")
    more = {"KUBECONFIG": nowhere} if how == "variable" else {}
    status, out, _ = call(tmp_path, "doctor", "-o", "json", *arguments.get(how, ()), **more)
    found = json.loads(out)
    assert (status, found["fit"]) == (3, False)
    here, there = found["places"]
    assert (here["place"], here["fit"]) == ("local", True)
    assert (there["place"], there["server"], there["findings"][0]["state"]) == ("cluster", None, "missing")
    assert there["findings"][0]["mend"]


def test_what_is_printed_can_be_told_apart_by_programs(tmp_path: Path) -> None:
    found = json.loads(call(tmp_path, "doctor", "-o", "json")[1])
    assert (found["schema"], found["fit"]) == (1, True)
    assert [each["topic"] for each in found["places"][0]["findings"]] == ["python", "libraries", "ports", "processors"]


@pytest.mark.parametrize("more", [(), ("--undo",), ("--dry-run",), ("--undo", "--dry-run=server")])
def test_tracing_without_a_cluster_says_so(tmp_path: Path, more: tuple[str, ...]) -> None:
    status, out, errors = call(tmp_path, "tracing", "setup", *more)
    assert (status, out) == (3, "")
    assert "error: there is no kubeconfig" in errors
    assert "next: " in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--endpoint", "10.0.0.1:4318"), "is not http(s)://HOST"),
        (("--endpoint", "ftp://x"), "is not http(s)://HOST"),
        (("--endpoint", "http://x:99999"), "is not http(s)://HOST"),
        (("--zipkin", ""), "is not http(s)://HOST"),
        (("--zipkin", "http://a", "--endpoint", "http://b"), "not allowed with argument"),
        (("--zipkin", "http://localhost:9411"), "pods would look for it in their own pod"),
        (("--endpoint", "http://[::1]:4318"), "pods would look for it in their own pod"),
        (("--sample", "1.1"), "is not a number from 0 to 1"),
        (("--sample", "nan"), "is not a number from 0 to 1"),
        (("--timeout", "-1s"), "--timeout"),
        (("-n", "Not A Name"), "is no name of a namespace"),
        (("-n", ""), "is no name of a namespace"),
        (("--undoo",), "did you mean '--undo'"),
    ],
)
def test_input_that_makes_no_sense_is_told_before_a_cluster_is_looked_for(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    status, out, errors = call(tmp_path, "tracing", "setup", *arguments)
    assert (status, out, told in errors) == (2, "", True), errors


def test_an_address_from_the_environment_and_another_from_a_flag_do_not_go_together(tmp_path: Path) -> None:
    status, _, errors = call(tmp_path, "tracing", "setup", "--endpoint", "http://a", TOOLKIT_ZIPKIN="http://b")
    assert (status, "--endpoint and --zipkin are both given" in errors) == (2, True)


def test_a_dry_run_of_another_command_that_the_environment_asks_for_is_no_leave_to_change_anything(
    tmp_path: Path,
) -> None:
    status, _, errors = call(tmp_path, "tracing", "setup", TOOLKIT_DRY_RUN="client")
    assert (status, "TOOLKIT_DRY_RUN='client': choose from server" in errors) == (2, True)


def test_the_doctor_refuses_what_is_no_namespace(tmp_path: Path) -> None:
    status, _, errors = call(tmp_path, "doctor", "-n", "../../pods")
    assert (status, "is no name of a namespace" in errors) == (2, True)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("http://h:4318/v1/traces", "http://h:4318/v1/traces"),
        ("http://h", "http://h:80/v1/traces"),
        ("https://h/", "https://h:443/v1/traces"),
        ("http://[fd00::1]:4318", "http://[fd00::1]:4318/v1/traces"),
        ("http://h:4318/otlp?key=x", "http://h:4318/otlp?key=x"),
    ],
)
def test_an_otlp_address_is_given_the_port_and_the_path_that_kourier_needs(given: str, sent: str) -> None:
    assert otlp_url(given) == sent
