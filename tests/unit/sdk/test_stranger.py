"""Programs of strangers behind a real scaffold: what they get, what comes back, how they live and die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.unit.sdk.scaffold import (
    CONSUME,
    Process,
    ReceiptLines,
    Zipkin,
    event,
    failing_call,
    free_port,
    processes,
    raw_call,
    to,
    until,
    until_async,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, deliver
from toolkit.contract import Tracing, Wiring
from toolkit.sdk.program import Program
from toolkit.sdk.stranger import EXIT_GONE

# It knows nothing of the toolkit, and nothing of protobuf: what it is told to do is the message.
PROGRAM = """
import json, os, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
import grpc

print("I speak", flush=True)

def answer(raw, context):
    headers = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
    if b"refuse" in raw:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: \\u00e9")
    if b"die" in raw:
        os._exit(7)
    if b"slow" in raw:
        print("begun", file=sys.stderr, flush=True)
        time.sleep(60 if b"60 s" in raw else 0.5)
    if b"told" in raw:
        told = {"headers": headers, "left": context.time_remaining(), "environment": dict(os.environ)}
        return json.dumps(told).encode()
    if b"onward" in raw:
        with grpc.insecure_channel(os.environ["TOOLKIT_EGRESS"]) as channel:
            sent = [(name, headers[name]) for name in ("toolkit-message", "traceparent")]
            send = channel.unary_unary("/" + os.environ.get("METHOD", "prodcon.ProducerConsumer/ConsumeByte"))
            try:
                return send(b"\\x0a\\x02hi", timeout=10, metadata=[*sent, ("toolkit-to", os.environ["WHOM"])])
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
    return raw[::-1]

class Everything(grpc.GenericRpcHandler):
    asked = 0
    def service(self, details):
        if details.method == "/grpc.health.v1.Health/Check":
            if "HEALTH" not in os.environ:
                return None
            Everything.asked += 1
            healthy = Everything.asked > 3
            print("asked for its health", file=sys.stderr, flush=True)
            return grpc.unary_unary_rpc_method_handler(lambda raw, context: b"\\x08\\x01" if healthy else b"\\x08\\x02")
        return grpc.unary_unary_rpc_method_handler(answer)

server = grpc.server(ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Everything(),))
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()

def end(*_):
    print("I was told to end", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
print("pid", os.getpid(), flush=True)
signal.pause()
"""

CONSUMER = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Consumer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        status = 418 if data == b"refuse" else 200
        self.send_response(status)
        if status == 200:
            for name in ("ce-specversion", "ce-source", "ce-id"):
                self.send_header(name, self.headers[name])
            self.send_header("ce-type", "answer")
            self.send_header("Content-Type", "text/plain")
            data = (self.headers["ce-type"] + " " + self.headers["traceparent"] + " " + data.decode()).encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Consumer).serve_forever()
"""

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "consumer.py").write_text(CONSUMER)
    with processes(tmp_path) as starting:

        def begin(made: Wiring, **env: str) -> Process:
            return starting(made, TOOLKIT_FOLDER=str(tmp_path), **env)

        yield begin


def stranger(**fields: Any) -> Wiring:
    usual = {"handler": "toolkit.sdk.stranger:relay", "serves": (CONSUME,)}
    return wiring(**{**usual, "command": (sys.executable, "program.py", "$PORT"), **fields})


def hello(name: str) -> bytes:
    """A message of the method, with a field that nobody knows."""
    return b"\x0a" + bytes([len(name)]) + name.encode() + b"\x82\x01\x03new"


async def test_a_message_is_handed_on_and_its_answer_back_byte_for_byte(start: Start) -> None:
    process = start(stranger()).ready()
    assert await raw_call(process.target, CONSUME, hello("you")) == hello("you")[::-1]


async def test_it_is_told_what_came_with_the_call_where_spans_go_and_not_what_is_the_scaffold_s(start: Start) -> None:
    zipkin, collector = Zipkin(), ReceiptLines()
    process = start(stranger(tracing=Tracing(zipkin.endpoint), receipts=collector.address), COLOUR="red").ready()
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    headers = (("x-own", "mine"), ("traceparent", parent))
    told = json.loads(await raw_call(process.target, CONSUME, hello("told"), metadata=headers))
    process.popen.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.popen.wait, 20) == 0
    span = zipkin.span(kind="SERVER")
    assert told["headers"]["traceparent"] == f"00-{'ab' * 16}-{span['id']}-01", "below the function's span"
    assert told["headers"]["b3"] == f"{'ab' * 16}-{span['id']}-1"
    assert told["headers"]["x-own"] == "mine"
    assert told["headers"]["toolkit-message"] == collector.receipts[0].message
    assert 0 < told["left"] <= 11
    environment = told["environment"]
    assert environment["OTEL_EXPORTER_ZIPKIN_ENDPOINT"] == zipkin.endpoint
    assert environment["OTEL_SERVICE_NAME"] == "f.program"
    assert (environment["COLOUR"], environment["ENABLE_TRACING"]) == ("red", "true")
    assert environment["PORT"] == environment["GUEST_PORT"] != str(process.port)
    assert "TOOLKIT_WIRING" not in environment
    assert "TOOLKIT_EGRESS" not in environment, "a function without edges has nowhere to send"
    zipkin.close()
    collector.close()


async def test_its_status_and_details_are_the_function_s(start: Start) -> None:
    process = start(stranger()).ready()
    error = await failing_call(process.target, CONSUME, hello("refuse"))
    assert (error.code().name, error.details()) == ("NOT_FOUND", "no such thing: é")


async def test_what_it_prints_is_in_the_function_s_log(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys; print('out'); print('err', file=sys.stderr); sys.exit(5)")
    with processes(tmp_path) as starting:
        process = starting(stranger(), TOOLKIT_FOLDER=str(tmp_path))
        assert await asyncio.to_thread(process.popen.wait, 20) == EXIT_GONE
    assert "err" in process.lines()
    assert f"the program of 'f' is gone: {sys.executable} left with exit status 5" in process.lines()


async def test_one_that_dies_fails_its_messages_and_takes_the_function_with_it(start: Start) -> None:
    process = start(stranger()).ready()
    slow = asyncio.ensure_future(failing_call(process.target, CONSUME, hello("slow: 60 s")))
    await until_async(lambda: "begun" in process.lines())
    error = await failing_call(process.target, CONSUME, hello("die"))
    assert error.code().name == "UNAVAILABLE"
    assert (await slow).code().name == "UNAVAILABLE"
    assert await asyncio.to_thread(process.popen.wait, 20) == EXIT_GONE
    assert "left with exit status 7" in process.lines()


async def test_a_program_that_is_not_there_is_said_so(start: Start) -> None:
    process = start(stranger(command=("./no-such-program",)))
    assert await asyncio.to_thread(process.popen.wait, 20) == 2
    assert "wiring.command: './no-such-program' cannot be started" in process.lines()
    assert "Traceback" not in process.lines()


async def test_a_program_that_cannot_be_run_is_said_so(start: Start, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("just words")
    (tmp_path / "text").chmod(0o755)
    process = start(stranger(command=(str(tmp_path / "text"),)))
    assert await asyncio.to_thread(process.popen.wait, 20) == 2
    assert f"{str(tmp_path / 'text')!r} cannot be started in {tmp_path}: Exec format" in process.lines()


async def test_one_starts_whatever_the_threads_of_grpc_are_doing() -> None:
    """No code of ours may run in a process that was forked from one with gRPC in it: it ended half of them."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def calls() -> None:
            while True:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await channel.unary_unary("/no.such/Method")(b"")

        busy = [asyncio.create_task(calls()) for _ in range(4)]
        ended = [await (await Program.start(["true"], None, {**os.environ, "PORT": "1"})).gone for _ in range(30)]
        for each in busy:
            each.cancel()
        await asyncio.wait(busy)
    await server.stop(None)
    assert set(ended) == {"true left with exit status 0"}


async def test_it_is_ready_once_it_says_that_it_is_healthy(start: Start) -> None:
    process = start(stranger(), HEALTH="1").ready()
    assert process.lines().count("asked for its health") == 4, "three times it was not"
    assert await raw_call(process.target, CONSUME, hello("you")) == hello("you")[::-1]


async def test_at_the_end_its_messages_are_answered_before_it_is_told(start: Start) -> None:
    process = start(stranger()).ready()
    told = json.loads(await raw_call(process.target, CONSUME, hello("told")))
    slow = asyncio.ensure_future(raw_call(process.target, CONSUME, hello("slow")))
    await until_async(lambda: "begun" in process.lines())
    process.popen.send_signal(signal.SIGTERM)
    assert await slow == hello("slow")[::-1]
    assert await asyncio.to_thread(process.popen.wait, 20) == 0
    assert not listens(int(told["environment"]["PORT"]))


def listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel ends children of the dead on Linux only")
async def test_it_does_not_outlive_a_scaffold_that_is_killed(start: Start) -> None:
    process = start(stranger()).ready()
    told = json.loads(await raw_call(process.target, CONSUME, hello("told")))
    process.popen.kill()
    await until_async(lambda: not listens(int(told["environment"]["PORT"])))


async def test_events_are_handed_on_and_an_event_in_the_answer_is_the_function_s(start: Start) -> None:
    consumer = {"serves": (), "consumes": True, "command": (sys.executable, "consumer.py")}
    process = start(stranger(**consumer, outgoing=(event("answer"),))).ready()
    answer = await deliver(f"http://127.0.0.1:{process.port}", GREETING, b"data")
    found = {name.lower().decode(): value.decode() for name, value in answer.headers}
    assert (answer.status, found["ce-type"], found["ce-source"]) == (200, "answer", "f")
    assert answer.body.startswith(b"greeting 00-")
    assert answer.body.endswith(b" data")


async def test_an_event_that_it_does_not_take_is_not_taken(start: Start) -> None:
    consumer = {"serves": (), "consumes": True, "command": (sys.executable, "consumer.py")}
    process = start(stranger(**consumer)).ready()
    answer = await deliver(f"http://127.0.0.1:{process.port}", GREETING, b"refuse")
    assert (answer.status, answer.body) == (500, b"INTERNAL: the program answered 418: refuse")


async def test_what_it_sends_through_the_scaffold_is_in_the_receipt_and_in_the_trace(start: Start) -> None:
    zipkin, collector = Zipkin(), ReceiptLines()
    (next_one, address) = await echo()
    made = stranger(outgoing=(to("next", address),), tracing=Tracing(zipkin.endpoint), receipts=collector.address)
    process = start(made, WHOM="next").ready()
    assert await raw_call(process.target, CONSUME, hello("onward")) == b"\x08\x01"
    await next_one.stop(None)
    process.popen.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.popen.wait, 20) == 0
    (receipt,) = collector.receipts
    (sent,) = receipt.sent
    assert (sent.to, sent.size, sent.accepted) == ("next", 4, True)
    assert zipkin.span(kind="CLIENT")["parentId"] == zipkin.span(kind="SERVER")["id"]
    zipkin.close()
    collector.close()


async def test_what_it_sends_to_nobody_is_refused_with_the_edges_there_are(start: Start) -> None:
    process = start(stranger(outgoing=(to("next", f"127.0.0.1:{free_port()}"),)), WHOM="nobody").ready()
    error = await failing_call(process.target, CONSUME, hello("onward"))
    assert error.code().name == "FAILED_PRECONDITION"
    assert "one of next" in (error.details() or "")


async def echo(address: str = "127.0.0.1:0") -> tuple[grpc.aio.Server, str]:
    """A consumer of bytes that says yes."""

    async def yes(raw: bytes, context: Any) -> bytes:
        return b"\x08\x01"

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"ConsumeByte": grpc.unary_unary_rpc_method_handler(yes)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("prodcon.ProducerConsumer", handlers),))
    port = server.add_insecure_port(address)
    await server.start()
    return server, f"127.0.0.1:{port}"


async def test_one_that_runs_already_is_waited_for(start: Start) -> None:
    (other, address) = await echo()
    await other.stop(None)
    process = start(stranger(serves=(CONSUME,), command=(), relay=address))
    late, _ = await echo(address)
    await asyncio.to_thread(process.ready)
    assert await raw_call(process.target, CONSUME, b"\x0a\x01x") == b"\x08\x01"
    await late.stop(None)


def test_no_word_of_a_command_meets_a_shell(start: Start, tmp_path: Path) -> None:
    process = start(
        stranger(command=(sys.executable, "program.py", "$PORT", "; touch owned", "$(touch owned)"))
    ).ready()
    until(lambda: "serving" in process.lines())
    assert not (tmp_path / "owned").exists()
    os.kill(process.popen.pid, signal.SIGTERM)
    assert process.popen.wait(20) == 0
