"""Real processes of functions: ports, signals, exit statuses, what they load, and what a kill cannot take."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.unit.sdk.scaffold import (
    CONSUME,
    Process,
    ReceiptLines,
    Zipkin,
    event,
    free_port,
    processes,
    to,
    until,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, deliver
from toolkit import contract, protoc
from toolkit.contract import ENTRY_METHOD, Tracing, Wiring
from toolkit.sdk.process import FLUSH_S, Patience, main

HANDLERS = """
import asyncio, os, sys, time
from toolkit.sdk import BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
import sibling

async def hello(ctx: Context, request: HelloRequest) -> str:
    ctx.log.info("greeting %s", request.name)
    return sibling.GREETING + request.name

async def slow(ctx: Context, request: HelloRequest) -> str:
    ctx.log.info("begun")
    await asyncio.sleep(float(ctx.parameters["seconds"]))
    return "finished"

def stuck(ctx: BlockingContext, request: HelloRequest) -> str:
    ctx.log.info("begun")
    time.sleep(60)
    return "never"

async def call(ctx: Context, request: HelloRequest) -> str:
    from toolkit.stubs.prodcon_pb2 import ConsumeByteRequest
    return str((await ctx.call(ConsumeByteRequest(value=b"x"))).value)

async def consume(ctx: Context, request) -> bool:
    return True

async def emit(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit(b"x")
    return "emitted"

async def take(ctx: Context, message: Message) -> None:
    ctx.log.info("took %s", message.text)

async def modules(ctx: Context, request: HelloRequest) -> str:
    return " ".join(sorted(sys.modules))

async def die(ctx: Context, request: HelloRequest) -> str:
    asyncio.get_running_loop().call_later(0, os.kill, os.getpid(), 9)
    return "last words"

def generates(ctx, request):
    yield 1

def alone(ctx):
    return None
"""

Start = Callable[..., Process]
Refusal = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "handlers.py").write_text(HANDLERS)
    (tmp_path / "sibling.py").write_text('GREETING = "hello "\n')
    with processes(tmp_path) as starting:
        yield starting


@pytest.fixture
def collector() -> Iterator[ReceiptLines]:
    lines = ReceiptLines()
    yield lines
    lines.close()


@pytest.fixture
def zipkin() -> Iterator[Zipkin]:
    server = Zipkin()
    yield server
    server.close()


def entry(folder: Path, handler: str, function: str = "f", **fields: Any) -> Wiring:
    return wiring(function, handler=f"{folder}/handlers.py:{handler}", serves=(ENTRY_METHOD,), **fields)


def say_hello(target: str, request: bytes = b"", *, sampled: bool = True) -> bytes:
    with grpc.insecure_channel(target) as channel:
        flags = "01" if sampled else "00"
        header = ("traceparent", f"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}")
        call: Any = channel.unary_unary(f"/{ENTRY_METHOD}")
        return bytes(call(request, timeout=20, wait_for_ready=True, metadata=(header,)))


def begin_hello(target: str) -> tuple[grpc.Channel, Any]:
    channel = grpc.insecure_channel(target)
    call: Any = channel.unary_unary(f"/{ENTRY_METHOD}")
    return channel, call.future(b"", timeout=20, wait_for_ready=True)


# --- serving and stopping ---------------------------------------------------------------------------------------------


def test_a_process_serves_and_leaves_at_sigterm(start: Start, tmp_path: Path) -> None:
    process = start(entry(tmp_path, "hello")).ready()
    assert say_hello(process.target, b"\x0a\x03ann") == b"\x0a\x09hello ann"
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(15) == 0
    assert 'msg="stopped" function=f' in process.lines()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_call_under_way_is_finished_before_leaving(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start(entry(tmp_path, "slow", parameters={"seconds": 0.5})).ready()
    channel, call = begin_hello(process.target)
    until(lambda: "begun" in process.lines())
    process.popen.send_signal(number)
    assert call.result() == b"\x0a\x08finished"
    assert process.popen.wait(15) == 0
    channel.close()


def test_health_says_not_serving_while_it_drains(start: Start, tmp_path: Path) -> None:
    process = start(entry(tmp_path, "slow", parameters={"seconds": 1.0})).ready()
    channel, call = begin_hello(process.target)
    stub = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="helloworld.Greeter"), timeout=20)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    until(lambda: "begun" in process.lines())
    process.popen.terminate()
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert next(watch, None) is None
    assert call.result() == b"\x0a\x08finished"
    assert process.popen.wait(15) == 0
    channel.close()


def test_those_who_watch_its_health_do_not_keep_it(start: Start, tmp_path: Path) -> None:
    process = start(entry(tmp_path, "hello"), TOOLKIT_GRACE="600").ready()
    with grpc.insecure_channel(process.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=20) for name in ("", "nobody")]
        first = [next(watch).status for watch in watches]
        process.popen.terminate()
        assert process.popen.wait(15) == 0
    assert first == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN]


def test_spans_and_receipts_are_out_before_it_leaves(
    start: Start, tmp_path: Path, zipkin: Zipkin, collector: ReceiptLines
) -> None:
    tracing = Tracing(zipkin.endpoint, 1.0, {"run": "r1"})
    wired = entry(tmp_path, "hello", tracing=tracing, receipts=collector.address)
    process = start(wired, OTEL_BSP_SCHEDULE_DELAY="60000").ready()
    for _ in range(50):
        say_hello(process.target)
    process.popen.terminate()
    assert process.popen.wait(15) == 0
    assert len(zipkin.spans) == 50
    until(lambda: len(collector.lines) == 50)
    assert [receipt.seq for receipt in collector.receipts] == list(range(50))


def test_a_function_on_knative_says_its_service_and_revision(start: Start, tmp_path: Path, zipkin: Zipkin) -> None:
    wired = entry(tmp_path, "hello", tracing=Tracing(zipkin.endpoint, attributes={"run": "r1"}))
    process = start(wired, K_SERVICE="shop", K_REVISION="shop-00002", TOOLKIT_REPLICA="i1").ready()
    say_hello(process.target)
    say_hello(process.target)
    process.popen.terminate()
    assert process.popen.wait(15) == 0
    told = {name: value for name, value in zipkin.spans[1]["tags"].items() if "." not in name or name[0] in "sf"}
    assert told == {"service.instance.id": "i1", "faas.name": "shop", "faas.version": "shop-00002", "run": "r1"}
    assert [each["tags"].get("faas.coldstart") for each in zipkin.spans] == ["true", None]


def test_spans_go_where_opentelemetrys_environment_says(start: Start, tmp_path: Path, zipkin: Zipkin) -> None:
    base = zipkin.endpoint.removesuffix("/api/v2/spans")
    process = start(entry(tmp_path, "modules"), OTEL_EXPORTER_OTLP_ENDPOINT=base).ready()
    modules = say_hello(process.target).decode(errors="replace").split()
    process.popen.terminate()
    assert process.popen.wait(15) == 0
    ((path, _, body),) = zipkin.asked
    (resource,) = json.loads(body)["resourceSpans"]
    assert (path, resource["scopeSpans"][0]["spans"][0]["name"]) == ("/v1/traces", ENTRY_METHOD)
    assert "toolkit.sdk.otlp" in modules
    assert not any(name == "toolkit.sdk.zipkin" or name.startswith("opentelemetry.proto") for name in modules)


def test_a_busy_collector_is_waited_for_within_the_grace(start: Start, tmp_path: Path, zipkin: Zipkin) -> None:
    zipkin.status, zipkin.headers = 503, {"Retry-After": "10"}
    process = start(entry(tmp_path, "hello", tracing=Tracing(zipkin.endpoint))).ready()
    say_hello(process.target)
    until(lambda: zipkin.posts == 1)
    zipkin.status = 202  # nobody knows, until ten seconds have passed or the process must end
    process.popen.terminate()
    assert process.popen.wait(9) == 0
    assert zipkin.span(kind="SERVER")["name"] == ENTRY_METHOD
    assert "never arrived" not in process.lines()


def test_a_handler_that_never_ends_does_not_keep_the_process(start: Start, tmp_path: Path) -> None:
    process = start(entry(tmp_path, "stuck"), TOOLKIT_GRACE="0.3").ready()
    channel, call = begin_hello(process.target)
    until(lambda: "begun" in process.lines())
    process.popen.terminate()
    assert process.popen.wait(15) == 0
    assert call.exception() is not None
    channel.close()


@pytest.mark.parametrize(
    ("environment", "messages_s", "flush_s"),
    [
        ({}, 10, 5),
        ({"TOOLKIT_GRACE": ""}, 10, 5),
        ({"TOOLKIT_GRACE": "8"}, 6, 2),
        ({"TOOLKIT_GRACE": "600"}, 595, 5),
        ({"TOOLKIT_GRACE": "0"}, 0, 0),
    ],
)
def test_the_grace_is_for_messages_and_for_what_tells_of_them(
    environment: dict[str, str], messages_s: float, flush_s: float
) -> None:
    assert Patience.of(environment) == Patience(messages_s, flush_s)


def test_a_busy_handler_and_a_zipkin_that_hangs_end_within_the_grace(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        tracing = Tracing(f"http://127.0.0.1:{silent.getsockname()[1]}/api/v2/spans")
        wired = entry(tmp_path, "slow", parameters={"seconds": 60}, tracing=tracing)
        process = start(wired, TOOLKIT_GRACE="1").ready()
        channel, call = begin_hello(process.target)
        until(lambda: "begun" in process.lines())
        process.popen.terminate()
        assert process.popen.wait(1 + FLUSH_S / 2) == 0  # not the seconds that spans get where nobody is in a hurry
        assert call.exception() is not None
        channel.close()


def test_a_handling_that_was_cut_short_still_leaves_its_span_and_its_receipt(
    start: Start, tmp_path: Path, zipkin: Zipkin, collector: ReceiptLines
) -> None:
    wired = entry(
        tmp_path,
        "slow",
        parameters={"seconds": 60},
        tracing=Tracing(zipkin.endpoint),
        receipts=collector.address,
    )
    process = start(wired, TOOLKIT_GRACE="2", OTEL_BSP_SCHEDULE_DELAY="60000").ready()
    channel, call = begin_hello(process.target)
    until(lambda: "begun" in process.lines())
    process.popen.terminate()
    assert process.popen.wait(15) == 0
    assert call.exception() is not None
    tags = zipkin.span(kind="SERVER")["tags"]
    assert (tags["error"], tags["rpc.grpc.status_code"]) == ("CANCELLED: the function was told to end", "1")
    until(lambda: collector.lines)
    assert collector.receipts[0].error == "CANCELLED: the function was told to end"
    channel.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_import_that_blocks_can_be_ended(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "blocking.py").write_text(
        "import sys, time\nprint('importing', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    )
    process = start(wiring(handler=f"{tmp_path}/blocking.py:f", serves=(ENTRY_METHOD,)))
    until(lambda: "importing" in process.lines())
    process.popen.send_signal(number)
    assert process.popen.wait(15) == -number
    assert process.lines() == "importing\n"


def test_a_handler_that_exits_does_not_end_the_process(start: Start, tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("import sys\nasync def f(ctx, request):\n    sys.exit(1)\n")
    process = start(wiring(handler=f"{tmp_path}/leaving.py:f", serves=(ENTRY_METHOD,))).ready()
    for _ in range(2):
        with pytest.raises(grpc.RpcError, match="SystemExit: 1"):
            say_hello(process.target)
    process.popen.terminate()
    assert process.popen.wait(15) == 0


def test_the_engines_name_for_a_replica_is_on_its_receipts(
    start: Start, tmp_path: Path, collector: ReceiptLines
) -> None:
    process = start(entry(tmp_path, "hello", receipts=collector.address), TOOLKIT_REPLICA="replica-9").ready()
    say_hello(process.target)
    until(lambda: collector.lines)
    assert collector.receipts[0].replica == "replica-9"


def test_a_kill_right_after_the_answer_cannot_take_the_receipt(
    start: Start, tmp_path: Path, collector: ReceiptLines
) -> None:
    for _ in range(3):
        process = start(entry(tmp_path, "die", receipts=collector.address)).ready()
        say_hello(process.target)
        assert process.popen.wait(15) == -signal.SIGKILL
    until(lambda: collector.ended == 3)
    assert [receipt.error for receipt in collector.receipts] == [None] * 3


def test_functions_go_on_without_their_collector(start: Start, tmp_path: Path, collector: ReceiptLines) -> None:
    process = start(entry(tmp_path, "hello", receipts=collector.address)).ready()
    say_hello(process.target)
    until(lambda: collector.lines)
    collector.close()
    for _ in range(5):
        say_hello(process.target)
    assert process.lines().count("no more receipts") == 1


def test_functions_go_on_without_a_collector_or_a_zipkin(start: Start, tmp_path: Path) -> None:
    tracing = Tracing(f"http://127.0.0.1:{free_port()}/api/v2/spans")
    process = start(entry(tmp_path, "hello", tracing=tracing, receipts=f"tcp://127.0.0.1:{free_port()}")).ready()
    for _ in range(3):
        say_hello(process.target)
    process.popen.terminate()
    assert process.popen.wait(15) == 0
    assert process.lines().count("no receipts") == 1
    assert process.lines().count("spans lost") == 1
    assert "3 of 3 spans never arrived" in process.lines()


def test_events_travel_between_processes(start: Start, tmp_path: Path, zipkin: Zipkin) -> None:
    tracing = Tracing(zipkin.endpoint)
    take = wiring("taker", handler=f"{tmp_path}/handlers.py:take", consumes=True, tracing=tracing)
    taker = start(take).ready()
    producer = start(
        entry(tmp_path, "emit", "producer", outgoing=(event("t"),), tracing=tracing),
        K_SINK=f"http://{taker.target}/",
        K_CE_OVERRIDES='{"extensions":{"benchmark":"r1"}}',
    ).ready()
    say_hello(producer.target)
    for each in (producer, taker):
        each.popen.terminate()
        assert each.popen.wait(15) == 0
    assert "took x" in taker.lines()
    assert zipkin.span(kind="CONSUMER")["parentId"] == zipkin.span(kind="PRODUCER")["id"]


def test_spans_that_a_handler_starts_lie_below_ours(start: Start, tmp_path: Path, zipkin: Zipkin) -> None:
    (tmp_path / "tracing.py").write_text(
        "from opentelemetry import trace\ntracer = trace.get_tracer('mine')\n"
        "async def f(ctx, request):\n    with tracer.start_as_current_span('resize'):\n        return 'done'\n"
    )
    wired = wiring(handler=f"{tmp_path}/tracing.py:f", serves=(ENTRY_METHOD,), tracing=Tracing(zipkin.endpoint))
    process = start(wired).ready()
    say_hello(process.target)
    say_hello(process.target, sampled=False)
    process.popen.terminate()
    assert process.popen.wait(15) == 0
    assert len(zipkin.spans) == 2
    assert zipkin.span(name="resize")["parentId"] == zipkin.span(kind="SERVER")["id"]


async def test_a_consumer_is_ready_over_http(start: Start, tmp_path: Path) -> None:
    process = start(wiring(handler=f"{tmp_path}/handlers.py:take", consumes=True)).ready()
    url = f"http://{process.target}"
    assert (await deliver(url + contract.READY_PATH, {}, method="GET")).status == 200
    assert (await deliver(url, {**GREETING}, b"hi")).status == 200
    process.popen.terminate()
    assert await asyncio.to_thread(process.popen.wait, 15) == 0


def test_a_restarting_callee_is_waited_for(start: Start, tmp_path: Path) -> None:
    port = free_port()
    callee = wiring("consumer", handler=f"{tmp_path}/handlers.py:consume", serves=(CONSUME,))
    first = start(callee, port=port).ready()
    caller = start(entry(tmp_path, "call", outgoing=(to("consumer", first.target),))).ready()
    assert say_hello(caller.target) == b"\x0a\x04True"
    first.popen.kill()
    first.popen.wait()
    channel, call = begin_hello(caller.target)
    start(callee, port=port).ready()
    assert call.result() == b"\x0a\x04True"
    channel.close()


def test_a_chain_may_bring_methods_of_its_own(start: Start, tmp_path: Path) -> None:
    (tmp_path / "money.proto").write_text('syntax = "proto3";\npackage money;\nmessage Amount { int64 cents = 1; }\n')
    (tmp_path / "shop.proto").write_text(
        'syntax = "proto3";\npackage shop;\nimport "money.proto";\n'
        "service Shop { rpc Buy (Order) returns (Order); }\nmessage Order { money.Amount price = 1; }\n"
    )
    protoc.generate(tmp_path, tmp_path / "stubs")
    (tmp_path / "shopping.py").write_text(
        "from stubs.shop_pb2 import Order\n"
        "async def buy(ctx, order: Order) -> Order:\n    return Order(price={'cents': order.price.cents + 1})\n"
    )
    process = start(wiring(handler=f"{tmp_path}/shopping.py:buy", serves=("shop.Shop/Buy",))).ready()
    with grpc.insecure_channel(process.target) as channel:
        call: Any = channel.unary_unary("/shop.Shop/Buy")
        assert call(b"\x0a\x02\x08\x05", timeout=20) == b"\x0a\x02\x08\x06"


# --- ports ------------------------------------------------------------------------------------------------------------


def test_port_zero_is_any_port_and_told_in_the_log(start: Start, tmp_path: Path) -> None:
    process = start(entry(tmp_path, "hello"), port=0).ready()
    port = process.lines().partition("on port ")[2].partition('"')[0]
    assert say_hello(f"127.0.0.1:{port}") == b"\x0a\x06hello "


def test_guest_port_counts_where_port_is_missing(start: Start, tmp_path: Path) -> None:
    guest = free_port()
    start(entry(tmp_path, "hello"), PORT="", GUEST_PORT=str(guest)).ready()
    assert say_hello(f"127.0.0.1:{guest}") == b"\x0a\x06hello "


@pytest.mark.parametrize("consumes", [False, True])
def test_a_taken_port_is_told_and_left_with_98(start: Start, tmp_path: Path, consumes: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wired = entry(tmp_path, "hello")
        if consumes:
            wired = wiring(handler=f"{tmp_path}/handlers.py:take", consumes=True)
        process = start(wired, port=port)
        assert process.popen.wait(15) == 98
    assert process.lines() == f"toolkit.sdk: the port 127.0.0.1:{port} is taken\n"


def test_two_processes_never_share_a_port(start: Start, tmp_path: Path) -> None:
    first = start(entry(tmp_path, "hello")).ready()
    assert start(entry(tmp_path, "hello"), port=first.port).popen.wait(15) == 98


# --- what cannot start ------------------------------------------------------------------------------------------------


@pytest.fixture
def refusal(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `main` says on stderr, in one line, before it returns 2. In this process: a start costs half a second."""
    (tmp_path / "handlers.py").write_text(HANDLERS)
    (tmp_path / "sibling.py").write_text('GREETING = "hello "\n')
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    def refused(wired: Wiring | str | None, **variables: str) -> str:
        known = set(sys.modules)
        environment = {contract.HOST: "127.0.0.1", contract.PORT: "0", **variables}
        if wired is not None:
            environment[contract.WIRING] = wired if isinstance(wired, str) else wired.encode()
        try:
            assert main(environment) == 2
        finally:
            for name in set(sys.modules) - known:
                del sys.modules[name]
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        return lines[0]

    return refused


def test_a_process_that_cannot_start_leaves_with_2(start: Start) -> None:
    process = start("{}")
    assert process.popen.wait(15) == 2
    assert process.lines().startswith("toolkit.sdk: $TOOLKIT_WIRING: ")
    assert process.lines().count("\n") == 1


@pytest.mark.parametrize(
    ("wired", "says"),
    [
        ("{", "$TOOLKIT_WIRING: "),
        ("[]", "$TOOLKIT_WIRING: the wiring is not a JSON object"),
        ("[" * 50_000, "$TOOLKIT_WIRING: "),
        ({"colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"serves": ["helloworld.Greeter/SayHello"], "consumes": True}, "serves calls or consumes events, not both"),
        ({}, "neither serves a method nor consumes events"),
        ({"serves": ["no.Such/Method"]}, "no gRPC method 'no.Such/Method'"),
        ({"serves": ["helloworld.Greeter"]}, "no gRPC method 'helloworld.Greeter'"),
        ({"serves": ["grpc.health.v1.Health/Watch"], "handler": "grpc_health.v1.health_pb2:Descriptor"}, ""),
        ({"consumes": True, "outgoing": [{"to": "g", "via": "call"}]}, "the call edge to 'g' has no address"),
        ({"consumes": True, "handler": "nowhere"}, "'nowhere' is neither file.py:function nor package.module:function"),
        ({"consumes": True, "handler": "/no/such/file.py:f"}, "there is no file /no/such/file.py"),
        ({"consumes": True, "handler": "no.such.module:f"}, "No module named 'no'"),
        ({"consumes": True, "handler": "FOLDER/handlers.py:tke"}, "no function named 'tke' — did you mean 'take'?"),
        ({"consumes": True, "handler": "FOLDER/handlers.py:sibling"}, "no function named 'sibling'"),
        ({"consumes": True, "handler": "FOLDER/handlers.py:alone"}, "does not take (ctx, request)"),
        ({"consumes": True, "handler": "FOLDER/handlers.py:generates"}, "yields; a handler returns its answer"),
        ({"consumes": True, "handler": "FOLDER/broken.py:f"}, "SyntaxError"),
        (
            {"consumes": True, "handler": "FOLDER/raising.py:f"},
            "ZeroDivisionError: division by zero (FOLDER/raising.py:2)",
        ),
        ({"consumes": True, "handler": "FOLDER/leaving.py:f"}, "SystemExit"),
        ({"consumes": True, "receipts": "127.0.0.1:1"}, "wiring.receipts: '127.0.0.1:1' is not tcp://HOST:PORT"),
        ({"consumes": True, "tracing": {"endpoint": "zipkin:9411"}}, "wiring.tracing.endpoint: 'zipkin:9411'"),
        ({"consumes": True, "tracing": {"sample": 2}}, "tracing.sample: 2"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(refusal: Refusal, tmp_path: Path, wired: Any, says: str) -> None:
    (tmp_path / "broken.py").write_text("def f(ctx, message)\n")
    (tmp_path / "raising.py").write_text("def f(ctx, message): ...\n1 / 0\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)\n")
    if isinstance(wired, dict):
        usual = {"chain": "c", "function": "f", "run": "r", "handler": "FOLDER/handlers.py:take"}
        wired = json.dumps({**usual, **wired}).replace("FOLDER", str(tmp_path))
    assert says.replace("FOLDER", str(tmp_path)) in refusal(wired)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"PORT": "http"}, "PORT='http' is not a port"),
        ({"PORT": "65536"}, "PORT='65536' is not a port"),
        ({"TOOLKIT_GRACE": "soon"}, "TOOLKIT_GRACE='soon' is not a number of seconds"),
        ({"TOOLKIT_GRACE": "inf"}, "TOOLKIT_GRACE='inf' is not a number of seconds"),
        ({"TOOLKIT_HOST": "203.0.113.7"}, "cannot listen on 203.0.113.7:"),
        ({"K_SINK": "broker"}, "K_SINK: 'broker' is not an absolute http"),
        ({"K_CE_OVERRIDES": "{"}, "K_CE_OVERRIDES"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317/v1/traces'"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTLP/HTTP, not by gRPC",
        ),
    ],
)
def test_an_environment_that_makes_no_sense_is_told_in_one_line(
    refusal: Refusal, tmp_path: Path, variables: dict[str, str], says: str
) -> None:
    assert says in refusal(wiring(handler=f"{tmp_path}/handlers.py:take", consumes=True), **variables)


def test_without_a_wiring_it_says_where_it_looked(refusal: Refusal, tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    said = refusal(None, TOOLKIT_WIRING_FILE=str(missing))
    assert f"$TOOLKIT_WIRING is not set, and {missing}: No such file" in said


def test_the_wiring_may_lie_in_a_file(start: Start, tmp_path: Path) -> None:
    baked = tmp_path / "wiring.json"
    baked.write_text(entry(tmp_path, "hello").encode())
    process = start(None, TOOLKIT_WIRING_FILE=str(baked)).ready()
    assert say_hello(process.target) == b"\x0a\x06hello "


# --- weight -----------------------------------------------------------------------------------------------------------

HEAVY = {"argparse", "kubernetes", "jinja2", "yaml", "requests", "grpc_tools.protoc", "unittest", "pydantic"}
CONTRACT = {"toolkit.contract", "toolkit.contract.receipt", "toolkit.contract.typed"}
TOOLKIT = {"toolkit", *CONTRACT, "toolkit.stubs", "toolkit.stubs.helloworld_pb2", "toolkit.stubs.prodcon_pb2"}


def loaded(start: Start, folder: Path, **fields: Any) -> set[str]:
    process = start(entry(folder, "modules", **fields)).ready()
    return set(say_hello(process.target)[2:].decode(errors="replace").split())


def test_a_function_process_loads_nothing_of_the_rest_of_the_toolkit(
    start: Start, tmp_path: Path, zipkin: Zipkin
) -> None:
    modules = loaded(start, tmp_path, tracing=Tracing(zipkin.endpoint), outgoing=(to("g", "127.0.0.1:1"),))
    own = {name for name in modules if name.partition(".")[0] == "toolkit"}
    assert {name for name in own if not name.startswith("toolkit.sdk")} <= TOOLKIT
    assert modules & HEAVY == set()
    assert "opentelemetry.sdk.trace" in modules
    assert not any(name.startswith(("grpc_reflection.v1alpha", "opentelemetry.exporter")) for name in modules)


def test_a_function_without_tracing_loads_no_opentelemetry(start: Start, tmp_path: Path) -> None:
    assert not any(name.startswith("opentelemetry") for name in loaded(start, tmp_path))


def test_an_event_consumer_loads_no_grpc(start: Start, tmp_path: Path) -> None:
    (tmp_path / "light.py").write_text(
        "import sys\nfrom toolkit.sdk import Context, Message\n"
        "async def f(ctx: Context, message: Message) -> str:\n    return ' '.join(sys.modules)\n"
    )
    process = start(wiring(handler=f"{tmp_path}/light.py:f", consumes=True)).ready()
    modules = asyncio.run(deliver(f"http://{process.target}/", GREETING)).body.decode().split()
    assert "toolkit.sdk.events" in modules
    assert "grpc" not in modules


def test_log_lines_are_single_lines_with_nanoseconds(start: Start, tmp_path: Path) -> None:
    process = start(entry(tmp_path, "hello")).ready()
    say_hello(process.target, b'\x0a\x05a\n"\xc3\xa9')
    line = next(line for line in process.lines().splitlines() if "greeting" in line)
    assert 'level=info msg="greeting a\\n\\"' in line
    stamp = line.partition('time="')[2].partition('"')[0]
    assert len(stamp) == len("2026-01-02T03:04:05.000000006Z")
    assert line.rpartition("call=")[2].isalnum()
    assert os.linesep not in line
