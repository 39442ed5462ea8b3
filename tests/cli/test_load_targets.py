"""What `toolkit load --target …` drives beside unary methods, as a user calls it, against real servers."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection

from tests.broker.loopback import Far, listening, running
from tests.cli import program
from tests.unit.load.http1.far_side import echoing
from toolkit import cli
from toolkit.cli import load_target
from toolkit.engines.local.broker import TriggerConfig
from toolkit.errors import Exit, UsageError
from toolkit.sdk.cloudevents import decode
from toolkit.stubs.helloworld_pb2 import DESCRIPTOR, HelloReply, HelloRequest

SERVICE = "test_load_targets.Streams"
FEW = ("--requests", "20", "--concurrency", "2")
pytestmark = pytest.mark.usefixtures("stored_elsewhere")


def load(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "toolkit.cli", "load", *arguments)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert program.ended(done) == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def refused(*arguments: str) -> str:
    """What is told of arguments that make no sense."""
    parser = argparse.ArgumentParser()
    load_target.configure(parser)
    with pytest.raises(UsageError) as caught:
        load_target.request(parser.parse_args(arguments))
    return f"{caught.value} {caught.value.next_step}"


def counted(*arguments: str, status: int = 0) -> dict[str, int]:
    found = json.loads(load(*arguments, "-o", "json", status=status).stdout)
    return dict(found["statuses"])


def test_a_url_is_asked_for_as_often_as_wanted() -> None:
    with echoing() as ((host, port), asked):
        url = f"http://{host}:{port}/a?b=c"
        assert counted("--target", url, "--requests", "100", "--concurrency", "4") == {"OK": 100}
    assert {(method, path, body) for method, path, _, body in asked} == {("GET", "/a?b=c", b"")}
    assert len({headers["traceparent"] for _, _, headers, _ in asked}) == 100


def test_more_workers_than_connections_are_refused_unless_they_may_wait(capsys: pytest.CaptureFixture[str]) -> None:
    many = ("load", "--target", "http://127.0.0.1:1/", "--concurrency", "2500", "--requests", "2500", "--no-out")
    assert cli.main([*many]) == Exit.USAGE
    assert "share them with --generators 3" in capsys.readouterr().err
    assert cli.main([*many, "--connections", "1"]) == Exit.ENGINE, "nobody is there"


def test_a_body_its_type_and_headers_arrive(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\x00\xff")
    with echoing() as ((host, port), asked):
        url = ("--target", f"http://{host}:{port}/", *FEW)
        load(*url, "--data", f"@{tmp_path / 'body'}", "--header", "X-Tenant=a b", "--authority", "elsewhere.example")
        load(*url, "--data-json", '{"a": 1}', "--method", "PUT", "--content-type", "application/x+json")
    method, _, headers, body = asked[0]
    assert (method, body) == ("POST", b"\x00\xff")
    assert (headers["content-type"], headers["x-tenant"]) == ("application/octet-stream", "a b")
    assert headers["host"] == "elsewhere.example"
    method, _, headers, body = asked[-1]
    assert (method, body, headers["content-type"]) == ("PUT", b'{"a": 1}', "application/x+json")


def test_what_is_not_2xx_is_a_failure_with_its_status() -> None:
    with echoing(503) as ((host, port), _):
        url = f"http://{host}:{port}/"
        assert counted("--target", url, *FEW, status=4) == {"HTTP 503": 20}
        assert "20 × HTTP 503: Service Unavailable" in load("--target", url, *FEW, status=4).stdout


async def test_a_broker_delivers_as_many_events_as_were_sent_and_each_as_it_was_asked_for() -> None:
    far, other = Far(), Far()
    wanted, unwanted = ({"exact": {"type": "greeting", "foo": "bar"}},), ({"exact": {"type": "other"}},)
    async with listening(far, other):
        triggers = (
            TriggerConfig("wanted", (far.url,), wanted),
            TriggerConfig("unwanted", (other.url,), unwanted),
        )
        async with running(*triggers) as (broker, _):
            event = ("--event", "greeting", "--event-source", "/here", "--event-extension", "foo=bar")
            sent = ("--data-json", '{"n": 1}', "--event-traceparent", "--requests", "200", "--concurrency", "4")
            url = ("--target", broker.url("ns", "b"))
            assert await asyncio.to_thread(counted, *url, *event, *sent) == {"OK": 200}
    events = [decode(request.headers, request.body) for request in far.got]
    assert other.got == []
    assert len({each.id for each in events}) == len(events) == 200
    assert {(each.type, each.source, each.get("foo"), each.data) for each in events} == {
        ("greeting", "/here", "bar", b'{"n": 1}')
    }
    assert len({each.get("traceparent") for each in events}) == 200


async def test_a_broker_that_nobody_made_refuses_events_with_its_status() -> None:
    async with running() as (broker, _):
        url = ("--target", broker.url("ns", "nobody"), "--event", "t", *FEW)
        assert await asyncio.to_thread(lambda: counted(*url, status=4)) == {"HTTP 404": 20}


def descriptor() -> None:
    """The service's, into the pool that reflection tells of."""
    file = descriptor_pb2.FileDescriptorProto(
        name="test_load_targets.proto", package="test_load_targets", syntax="proto3", dependency=[DESCRIPTOR.name]
    )
    service = file.service.add(name="Streams")
    for name, client, server in (("Unary", 0, 0), ("Server", 0, 1), ("Client", 1, 0), ("Bidi", 1, 1)):
        service.method.add(
            name=name,
            input_type=".helloworld.HelloRequest",
            output_type=".helloworld.HelloReply",
            client_streaming=bool(client),
            server_streaming=bool(server),
        )
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, str]]:
    """Its address, and that of one without reflection."""
    descriptor()
    codec = (HelloRequest.FromString, HelloReply.SerializeToString)
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(lambda request, _: HelloReply(message=request.name), *codec),
        "Server": grpc.unary_stream_rpc_method_handler(
            lambda request, _: (HelloReply(message=each) for each in request.name), *codec
        ),
        "Client": grpc.stream_unary_rpc_method_handler(
            lambda requests, _: HelloReply(message="".join(each.name for each in requests)), *codec
        ),
        "Bidi": grpc.stream_stream_rpc_method_handler(
            lambda requests, _: (HelloReply(message=each.name) for each in requests), *codec
        ),
    }
    handler = grpc.method_handlers_generic_handler(SERVICE, handlers)
    servers, addresses = [], []
    for told in (True, False):
        one = grpc.server(ThreadPoolExecutor(4))
        one.add_generic_rpc_handlers((handler,))
        if told:
            reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), one)
        addresses.append(f"127.0.0.1:{one.add_insecure_port('127.0.0.1:0')}")
        one.start()
        servers.append(one)
    yield addresses[0], addresses[1]
    for one in servers:
        one.stop(None).wait()


@pytest.mark.parametrize("method", ["Unary", "Server", "Client", "Bidi"])
def test_reflection_tells_who_streams(server: tuple[str, str], method: str) -> None:
    target = f"h2c://{server[0]}/{SERVICE}/{method}"
    assert counted("--target", target, "--data-json", '{"name": "abc"}', *FEW) == {"OK": 20}


def test_without_reflection_the_user_tells(server: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(HelloRequest(name="x").SerializeToString())
    data = ("--data", f"@{tmp_path / 'message'}")
    target = ("--target", f"h2c://{server[1]}/{SERVICE}/Bidi")
    five = (*target, "--stream", "bidi", *data, *data, "--messages", "5", *FEW)
    assert counted(*five) == {"OK": 20}
    assert "messages     100 came back in streams" in load(*five).stdout
    done = load(*target, "--data-json", "{}", *FEW, status=3)
    assert "serves no reflection" in done.stderr
    assert "--data @FILE" in done.stderr


def test_too_few_files_that_may_be_opened_are_told() -> None:
    limited = 'ulimit -n 150; exec "$@"'
    with echoing() as ((host, port), _):
        words = (sys.executable, "-m", "toolkit.cli", "load", "--target", f"http://{host}:{port}/", "--requests", "5")
        done = subprocess.run(
            ("bash", "-c", limited, "bash", *words), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode in (0, 6), done.stderr  # 6: a busy machine sent five calls late
    assert "from about 50 connections on calls wait" in done.stderr


@pytest.mark.parametrize(
    ("method", "arguments", "told"),
    [
        ("Bidj", ("--data-json", "{}"), "did you mean Bidi?"),
        ("Unary", ("--data-json", "{}", "--stream", "bidi"), "is a unary method"),
        ("Unary", ("--data-json", "{}", "--data-json", "{}"), "takes one message"),
        ("Server", ("--data-json", "{}", "--messages", "2"), "takes one message"),
        ("Unary", ("--messages", "2"), "takes one message"),
        ("Bidi", ("--stream", "bidi", "--messages", "1000000"), "at most"),
        ("Bidi", ("--stream", "bidi", "--header", "a-bin=ä"), "no metadata"),
        ("Bidi", ("--stream", "bidi", "--header", "a-bin=!"), "no base64"),
        ("Unary", ("--data-json", '{"nam": "x"}'), 'no field named "nam"'),
        ("Unary", ("--data-json", '{"name":'), "line 1 column 9"),
        ("Unary", ("--data-json", "[" * 100_000), "recursion"),
        ("Unary", ("--method", "GET"), "for an http:// target only"),
        ("Unary", ("--event", "x"), "for an http:// target only"),
        ("Unary", ("--header", "traceparent=x"), "not to be set"),
    ],
)
def test_what_makes_no_sense_for_a_method_is_refused(
    server: tuple[str, str], method: str, arguments: tuple[str, ...], told: str
) -> None:
    assert told in refused("--target", f"h2c://{server[0]}/{SERVICE}/{method}", *arguments)


def test_a_service_that_nobody_serves_is_told_with_one_that_is(server: tuple[str, str]) -> None:
    target = f"h2c://{server[0]}/test_load_target.Stream/Unary"
    assert f"did you mean {SERVICE}?" in refused("--target", target, "--data-json", "{}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--method", "G T"), "--method"),
        (("--method", "CONNECT"), "--method"),
        (("--header", "x"), "NAME=VALUE"),
        (("--header", "a=b\r\nc: d"), "printable ASCII"),
        (("--header", "host=x"), "write --authority"),
        (("--header", "content-type=x"), "write --content-type"),
        (("--authority", "a b"), "--authority"),
        (("--authority", "a\r\nb: c"), "--authority"),
        (("--authority", ""), "--authority"),
        (("--content-type", "text/plain"), "nothing is sent"),
        (("--data-json", "{", "--content-type", "x"), "no JSON"),
        (("--data-json", "NaN"), "no JSON"),
        (("--data-json", "[" * 100_000), "no JSON"),
        (("--data-json", "1", "--data-json", "2"), "one body"),
        (("--data", "text"), "not a file"),
        (("--data", "@/nowhere/at/all"), "No such file"),
        (("--data", "@/"), "Is a directory"),
        (("--data", "@a", "--data-json", "1"), "exclude each other"),
        (("--stream", "bidi"), "h2c:// target only"),
        (("--event-source", "/x"), "add --event"),
        (("--event", ""), "type"),
        (("--event", "t", "--method", "PUT"), "posted"),
        (("--event", "t", "--event-source", "a b"), "URI reference"),
        (("--event", "t", "--event-extension", "Foo=x"), "only a-z and 0-9"),
        (("--event", "t", "--event-extension", "foo"), "NAME=VALUE"),
        (("--event", "t", "--event-extension", "a=1", "--event-extension", "a=2"), "twice"),
        (("--event", "t", "--event-extension", "id=1"), "no extension"),
        (("--event", "t", "--header", "ce-foo=1"), "--event-extension foo"),
        (("--connections", "5000"), "at most"),
    ],
)
def test_what_makes_no_sense_for_a_url_is_refused(arguments: tuple[str, ...], told: str) -> None:
    assert told in refused("--target", "http://127.0.0.1:1/", *arguments)


def test_where_nobody_listens_it_says_so(unused_tcp_port: int) -> None:
    done = load("--target", f"http://127.0.0.1:{unused_tcp_port}/", status=3)
    assert "cannot be called: Connection refused" in done.stderr


@pytest.fixture(params=["chained-eventing", "chained-serving"])
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    process = program.start(tmp_path, "deploy", request.param, "-o", "json")
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_deployed_chain_is_driven_from_its_entry_and_from_its_broker(
    deployed: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "payload").write_bytes(bytes(1024))  # what the consumer was promised
    entry = ("--target", f"h2c://{deployed['entry']}/helloworld.Greeter/SayHello", "--data-json", '{"name": "you"}')
    assert counted(*entry, "--requests", "50", "--concurrency", "2") == {"OK": 50}
    if sink := deployed.get("sink"):
        event = ("--event", "greeting", "--event-source", "producer", "--data", f"@{tmp_path / 'payload'}")
        found = counted("--target", sink, *event, "--requests", "100", "--concurrency", "4")
        assert found == {"OK": 100}, "the broker answers once the consumer has taken an event"
