"""`toolkit load --target …` as a user calls it, against real servers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_reflection.v1alpha import reflection

from tests.cli import program
from toolkit.stubs import helloworld_pb2 as messages
from toolkit.stubs import helloworld_pb2_grpc as services

pytestmark = pytest.mark.usefixtures("stored_elsewhere")
SERVICE = "helloworld.Greeter"
PATIENT = "somebody who waits"
called = threading.Event()  # by PATIENT


class Greeter(services.GreeterServicer):
    def SayHello(  # noqa: N802 - its name in the .proto
        self, request: messages.HelloRequest, context: grpc.ServicerContext
    ) -> messages.HelloReply:
        if not request.name:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a name is wanted")
        if request.name == PATIENT:
            called.set()
        return messages.HelloReply(message=f"hello {request.name}")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its address; it serves a Greeter, and reflection."""
    running = grpc.server(ThreadPoolExecutor(4))
    services.add_GreeterServicer_to_server(Greeter(), running)
    reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    yield f"127.0.0.1:{port}"
    running.stop(None).wait()


def load(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "toolkit.cli", "load", *arguments)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert program.ended(done) == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def target(server: str, method: str = "SayHello") -> tuple[str, str]:
    return "--target", f"h2c://{server}/{SERVICE}/{method}"


def test_a_method_is_driven_with_a_message_that_reflection_knows(server: str) -> None:
    done = load(*target(server), "--data-json", '{"name": "you"}', "--requests", "50", "--concurrency", "2")
    assert "50 sent · 50 ok · 0 failed · 0 lost" in done.stdout
    assert "service time" in done.stdout


def test_as_json_it_is_one_object(server: str) -> None:
    name = ("--data-json", '{"name": "you"}')
    done = load(*target(server), *name, "--requests", "100", "--concurrency", "1", "-o", "json")
    found = json.loads(done.stdout)
    assert (found["load"]["sent"], found["load"]["ok"]) == (100, 100)
    assert found["load"]["valid"] is not bool(found["load"]["invalid"])
    assert found["statuses"] == {"OK": 100}
    assert found["latency_us"]["p50"] > 0
    assert found["latency_us"]["p99"] is None, "a hundred calls are too few"
    assert found["target"] == target(server)[1]


def test_a_message_may_come_from_a_file(server: str, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(messages.HelloRequest(name="you").SerializeToString())
    load(*target(server), "--data", f"@{tmp_path / 'message'}", "--requests", "5", "--concurrency", "1")


def test_calls_that_fail_end_with_status_4_and_the_servers_words(server: str) -> None:
    done = load(*target(server), "--requests", "5", "--concurrency", "1", status=4)
    assert "5 × INVALID_ARGUMENT: a name is wanted" in done.stdout
    assert "5 of 5 calls were not answered OK" in done.stderr


def test_ctrl_c_keeps_what_was_measured(server: str) -> None:
    words = ("--data-json", json.dumps({"name": PATIENT}), "--duration", "60s", "--rate", "50", "-o", "json")
    program = (sys.executable, "-m", "toolkit.cli", "load", *target(server), *words)
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert called.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    found = json.loads(out)
    assert found["partial"] is True
    assert found["load"]["ok"] >= 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--target", "https://localhost:1/a.B/C"), "TLS is not spoken"),
        (("--data", "text"), "not a file"),
        (("--data", "@/nowhere/at/all"), "No such file"),
        (("--data-json", "{}", "--data", "@x"), "exclude each other"),
        (("--data-json", "{"), "--data-json is no helloworld.HelloRequest"),
        (("--data-json", '{"nobody": 1}'), "nobody"),
        (("--header", "grpc-timeout=1"), "no metadata"),
        (("--header", "a b=c"), "no metadata"),
        (("--header", "name"), "no metadata"),
        (("--rate", "5", "--concurrency", "5"), "exclude each other"),
        (("--connections", "5000"), "at most"),
        (("--requests", "0"), "--requests"),
    ],
)
def test_what_makes_no_sense_is_refused(server: str, arguments: tuple[str, ...], told: str) -> None:
    assert told in load(*target(server), *arguments, status=2).stderr


def test_a_method_that_the_server_does_not_have_is_told(server: str) -> None:
    assert "has no method Nothing" in load(*target(server, "Nothing"), "--data-json", "{}", status=2).stderr
    assert "UNIMPLEMENTED" in load(*target(server, "Nothing"), "--requests", "1", "--concurrency", "1", status=4).stdout


def test_where_nobody_listens_it_says_so(unused_tcp_port: int) -> None:
    done = load("--target", f"h2c://127.0.0.1:{unused_tcp_port}/a.B/C", status=3)
    assert "cannot be called: Connection refused" in done.stderr
