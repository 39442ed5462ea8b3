"""A deployed chain is driven by clients that know nothing of the toolkit."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.cli import program

# HelloRequest as vSwarm's clients put it on the wire: field 1 the name, field 15 the metadata.
METADATA = b'{"WorkflowId":"WF","InvocationId":"IV-7","InvokedOn":"2024-05-01T12:00:00.000000001Z"}'
REQUEST = b"\x0a\x03you" + b"\x7a" + bytes([len(METADATA)]) + METADATA
HEALTH_SERVING = b"\x08\x01"


@pytest.fixture(params=["chained-serving", "chained-eventing", "chained-mixed"])
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    process = program.start(tmp_path, "deploy", request.param, "-o", "json")
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert any(line.startswith("producer | ") and "serving helloworld.Greeter" in line for line in errors.splitlines())
    assert program.all_gone(tmp_path) == {}


def test_a_plain_grpc_client_that_speaks_vswarms_bytes_drives_the_entry(deployed: dict[str, str]) -> None:
    with grpc.insecure_channel(deployed["entry"]) as channel:
        answer = channel.unary_unary("/helloworld.Greeter/SayHello")(REQUEST, timeout=20)
        assert answer.startswith(b"\x0a")
        assert b"you: " in answer
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20) == HEALTH_SERVING


def test_an_incident_is_told_as_it_comes(tmp_path: Path) -> None:
    process = program.start(tmp_path, "deploy", "chained-serving", "-o", "json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    victim = next(pid for pid, line in program.descendants(tmp_path).items() if line.endswith("-m toolkit.sdk "))
    subprocess.run(["kill", "-9", str(victim)], check=True)
    told = next(line for line in process.stderr if line.startswith("restart: "))
    assert "was ended by SIGKILL and is started again" in told
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_ctrl_c_while_it_comes_up_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text('name: slow\nfunctions: {only: {handler: "handlers.py:handle"}}\nedges: []\n')
    (tmp_path / "handlers.py").write_text("import time\ntime.sleep(600)\n")
    process = program.start(tmp_path, "deploy", ".")
    program.wait_for(tmp_path, "toolkit.sdk")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "")
    assert program.all_gone(tmp_path) == {}


def test_a_port_that_a_gateway_cannot_have_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        tried = {
            ("calculator",): (3, f"somebody listens on 127.0.0.1:{port} already"),
            ("chained-serving",): (2, "chained-serving takes no HTTP requests"),
            ("calculator", "--engine", "knative"): (2, "--gateway-port is for the local engine"),
        }
        for words, (status, why) in tried.items():
            process = program.start(tmp_path, "deploy", *words, "--gateway-port", port)
            _, errors = process.communicate(timeout=30)
            assert (process.returncode, why in errors, "next: " in errors) == (status, True, True), errors
