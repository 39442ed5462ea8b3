"""Spans by OTLP/HTTP: the same as by Zipkin, read back by the store, and asked for as OpenTelemetry's users do."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from tests.tracestore.asking import asking
from tests.unit.sdk.scaffold import Zipkin, function, raw_call, serving, wiring
from toolkit.contract import ENTRY_METHOD, Wiring
from toolkit.contract import Tracing as Settings
from toolkit.sdk import Context, destination, tracing
from toolkit.sdk.destination import Destination
from toolkit.sdk.ended import told
from toolkit.sdk.exporter import Exporter
from toolkit.sdk.failures import WiringError
from toolkit.sdk.otlp import Otlp
from toolkit.sdk.propagation import Position
from toolkit.sdk.recorder import Recorder
from toolkit.sdk.tracing import Span
from toolkit.sdk.zipkin import Zipkin as ZipkinEncoder
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.traces import otlp as reading
from toolkit.traces import zipkin as zipkin_reading

TRACE = "0af7651916cd43dd8448eb211c80319c"
PROCESS = {"service.instance.id": "i1", "run": "r1"}


@pytest.fixture
def collector() -> Iterator[Zipkin]:
    server = Zipkin()
    yield server
    server.close()


@pytest.fixture
def recorder(collector: Zipkin) -> Iterator[Recorder]:
    made = Recorder(Settings(collector.endpoint), "f", nesting=False)
    yield made
    made.close(5)


def spans(recorder: Recorder) -> list[Any]:
    """One of each kind, with all that a span can say."""
    server = Span(recorder, "SERVER", "helloworld.Greeter/SayHello", None, Position(TRACE, "1" * 16, 1))
    server.tags = {"peer.service": "caller", "toolkit.call": "c", "payload.size": 100, "cold": True, "share": 0.5}
    client = Span(recorder, "CLIENT", "a.B/C", "1" * 16, Position(TRACE, "2" * 16, 1))
    client.annotate("peer.service", "callee")
    client.fail('NOT_FOUND: "gone"\\', "NOT_FOUND")
    producer = Span(recorder, "PRODUCER", "emit é☃\x00", "1" * 16, Position(TRACE, "3" * 16, 1))
    consumer = Span(recorder, "CONSUMER", "t", "3" * 16, Position(TRACE, "4" * 16, 3))
    consumer.annotate("peer.service", "broker")
    for each in (server, client, producer, consumer):
        each.end_ns = each.start_ns + 1_234_567
    inner = ReadableSpan(
        "resize",
        SpanContext(int(TRACE, 16), 5, False, TraceFlags(1)),
        SpanContext(int(TRACE, 16), 1, False, TraceFlags(1)),
        Resource({}),
        {"n": 1, "l": ("a", "b")},
        (Event("retry", {"why": "full"}, 1_700_000_000_123_500_000), Event("plain", None, 2_000_000)),
        kind=SpanKind.INTERNAL,
        start_time=1_700_000_000_123_456_789,
        end_time=1_700_000_000_123_957_000,
    )
    return [server, client, producer, consumer, told(inner)]


def test_a_span_is_told_alike_by_either_protocol(recorder: Recorder) -> None:
    given = spans(recorder)
    ours = zipkin_reading.decode(ZipkinEncoder("f", PROCESS).encode(given))
    taken = reading.decode(Otlp("f", PROCESS).encode(given), as_json=True)
    assert taken.rejected == 0
    theirs = zipkin_reading.decode(json.dumps(taken.fields).encode())
    for one, other in zip(ours, theirs, strict=True):
        tags = {name: value for name, value in other.tags.items() if not name.startswith(("otel.", "peer."))}
        assert tags == one.tags
        told_alike = [
            (each.trace, each.id, each.parent, each.kind, each.name, each.service, each.timestamp, each.duration)
            for each in (one, other)
        ]
        assert told_alike[0] == told_alike[1]
        if one.kind in ("CLIENT", "PRODUCER", "CONSUMER"):  # of the others, the transformation keeps the tag alone
            assert one.remote == other.remote


def test_types_are_kept() -> None:
    values: dict[str, Any] = {
        "b": True, "i": -5, "f": 0.25, "s": "x", "l": (1, "two"), "nan": float("nan"), "huge": 1 << 70,
    }  # fmt: skip
    request = reading.read_json(Otlp("f", values).encode([]))
    found = {each.key: each.value for each in request.resource_spans[0].resource.attributes}
    assert (found["b"].bool_value, found["i"].int_value, found["f"].double_value) == (True, -5, 0.25)
    assert [found["l"].array_value.values[0].int_value, found["l"].array_value.values[1].string_value] == [1, "two"]
    assert (found["nan"].string_value, found["huge"].string_value) == ("nan", str(1 << 70))
    assert found["service.name"].string_value == "f"


# --- where to ---------------------------------------------------------------------------------------------------------


def where(**environment: str) -> Destination | None:
    return destination.of(Settings(), environment)


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/x"}, "http://c:4318/x"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otel/"}, "https://c/otel/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a/v1/traces", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b"},
            "http://a/v1/traces",
        ),
    ],
)
def test_opentelemetrys_variables_say_where(environment: dict[str, str], endpoint: str) -> None:
    found = where(**environment)
    assert found is not None
    assert (found.endpoint, found.protocol) == (endpoint, "otlp")


def test_the_wiring_goes_before_the_environment() -> None:
    found = destination.of(Settings("http://z/api/v2/spans"), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"})
    assert found is not None
    assert (found.endpoint, found.protocol, found.headers) == ("http://z/api/v2/spans", "zipkin", {})


def test_nobody_says_where() -> None:
    assert where(OTEL_EXPORTER_OTLP_ENDPOINT="", OTEL_EXPORTER_OTLP_HEADERS="a=b") is None


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ("api-key=s3cret", {"api-key": "s3cret"}),
        (" a = b%20c , d=e=f,,", {"a": "b c", "d": "e=f"}),
    ],
)
def test_headers_are_read_as_the_specification_writes_them(headers: str, read: dict[str, str]) -> None:
    found = where(OTEL_EXPORTER_OTLP_ENDPOINT="http://c", OTEL_EXPORTER_OTLP_HEADERS=headers)
    assert found is not None
    assert found.headers == read


@pytest.mark.parametrize("headers", ["a=s3cret%0d%0aX: y", "=s3cret", "a b=s3cret", "é=s3cret", "a=s3cret☃"])
def test_headers_that_http_cannot_carry_are_refused_without_their_values(headers: str) -> None:
    with pytest.raises(WiringError, match="OTEL_EXPORTER_OTLP_HEADERS") as refused:
        where(OTEL_EXPORTER_OTLP_ENDPOINT="http://c", OTEL_EXPORTER_OTLP_HEADERS=headers)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_otlp_over_grpc_is_refused_in_words(variable: str) -> None:
    with pytest.raises(WiringError, match="not by gRPC"):
        where(**{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", variable: "grpc"})


def test_an_endpoint_of_the_environment_that_is_none_names_its_variable() -> None:
    with pytest.raises(WiringError, match=r"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'c:4317' is not http"):
        where(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="c:4317")


def test_a_wiring_may_ask_for_otlp() -> None:
    wired = wiring("f", serves=(ENTRY_METHOD,), tracing=Settings("http://c/v1/traces", protocol="otlp"))
    assert Wiring.decode(wired.encode()) == wired
    with pytest.raises(ValueError, match=r"tracing\.protocol: 'thrift' is none of zipkin, otlp"):
        Wiring.decode(wired.encode().replace('"otlp"', '"thrift"'))


def test_a_wiring_that_asks_for_zipkin_is_the_one_that_older_images_know() -> None:
    assert "protocol" not in wiring("f", tracing=Settings("http://z/")).encode()


# --- over there -------------------------------------------------------------------------------------------------------


def exporter(collector: Zipkin) -> Exporter:
    to = where(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector.endpoint, OTEL_EXPORTER_OTLP_HEADERS="api-key=k")
    assert to is not None
    return Exporter(to, Otlp("f", {}))


def ended() -> ReadableSpan:
    context = SpanContext(int(TRACE, 16), 5, False, TraceFlags(1))
    return ReadableSpan("x", context, resource=Resource({}), start_time=1_000_000, end_time=2_000_000)


def test_a_batch_is_one_request_with_the_headers_asked_for(collector: Zipkin) -> None:
    made = exporter(collector)
    assert made.export([ended(), ended()]) is SpanExportResult.SUCCESS
    made.shutdown()
    path, headers, body = collector.asked[0]
    assert path == "/api/v2/spans"  # as it was named: only the general variable gets a path
    assert (headers["Content-Type"], headers["api-key"]) == ("application/json", "k")
    assert len(reading.decode(body, as_json=True).fields) == 2


@pytest.mark.parametrize(
    ("answer", "sent", "lost"),
    [
        (b"{}", 2, 0),
        (b'{"partialSuccess":{}}', 2, 0),
        (b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no id"}}', 1, 1),
        (b'{"partialSuccess":{"rejectedSpans":5}}', 0, 2),
        (b'{"partialSuccess":{"errorMessage":"mind the gap"}}', 2, 0),
        (b'{"partialSuccess":[]}', 2, 0),
        (b"\xff not json", 2, 0),
        (b"[" * 5000, 2, 0),
    ],
)
def test_what_a_collector_rejects_is_lost_and_told(
    collector: Zipkin, caplog: pytest.LogCaptureFixture, answer: bytes, sent: int, lost: int
) -> None:
    collector.answer = answer
    made = exporter(collector)
    made.export([ended(), ended()])
    made.shutdown()
    assert (made.sent, made.lost, collector.posts) == (sent, lost, 1)
    assert ("spans lost" in caplog.text) == bool(lost)


async def test_a_function_sends_otlp_to_a_real_store(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> str:
        return "hi"

    caplog.set_level(logging.WARNING)
    async with asking() as store:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": store.store.url}
        traced = await asyncio.to_thread(tracing.record, Settings(attributes=PROCESS), "f", environment)
        async with serving(function(handler, wiring("f", serves=(ENTRY_METHOD,)), tracer=traced)) as target:
            parent = (("traceparent", f"00-{TRACE}-{'b' * 16}-01"),)
            await raw_call(target, ENTRY_METHOD, b"", metadata=parent)
        (span,) = await store.json(f"/api/v2/trace/{TRACE}")
    assert (span["kind"], span["parentId"], span["name"]) == ("SERVER", "b" * 16, ENTRY_METHOD.lower())
    assert (span["localEndpoint"], span["tags"]["peer.service"]) == ({"serviceName": "f"}, "caller")
    assert (span["tags"]["service.instance.id"], span["tags"]["rpc.grpc.status_code"]) == ("i1", "0")
    assert caplog.text == ""
