"""The exporter: what a span is on the wire, and what happens when the collector is slow, wrong or away."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.zipkin.json.v2 import JsonV2Encoder
from opentelemetry.exporter.zipkin.node_endpoint import NodeEndpoint
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tests.unit.sdk.scaffold import Zipkin, free_port, until
from toolkit.contract import Tracing as Settings
from toolkit.sdk import destination
from toolkit.sdk.ended import text, told
from toolkit.sdk.exporter import Exporter
from toolkit.sdk.failures import WiringError
from toolkit.sdk.recorder import KernelIds, Recorder
from toolkit.sdk.tracing import Tracing
from toolkit.sdk.zipkin import Zipkin as Encoder


def context(span: int) -> SpanContext:
    return SpanContext(0xABC, span, False, TraceFlags(1))


def span(**fields: Any) -> ReadableSpan:
    given = {"kind": SpanKind.SERVER, "start_time": 1_700_000_000_123_456_789, "end_time": 1_700_000_000_123_957_000}
    return ReadableSpan("a.B/C", context(0x1), resource=Resource({}), **{**given, **fields})


def encode(given: ReadableSpan, service: str, tags: dict[str, str]) -> Any:
    (said,) = json.loads(Encoder(service, tags).encode([told(given)]))
    return said


def exporter_to(endpoint: str) -> Exporter:
    to = destination.of(Settings(endpoint), {})
    assert to is not None
    return Exporter(to, Encoder("f", {}))


@pytest.fixture
def zipkin() -> Iterator[Zipkin]:
    server = Zipkin()
    yield server
    server.close()


def test_a_span_is_what_zipkin_v2_says() -> None:
    attributes = {"peer.service": "caller", "n": 1, "b": True, "s": "x", "l": (1, "two")}
    assert encode(span(parent=context(0x2), attributes=attributes), "f", {"run": "r1"}) == {
        "traceId": "00000000000000000000000000000abc",
        "id": "0000000000000001",
        "parentId": "0000000000000002",
        "kind": "SERVER",
        "name": "a.B/C",
        "timestamp": 1_700_000_000_123_456,
        "duration": 500,
        "localEndpoint": {"serviceName": "f"},
        "remoteEndpoint": {"serviceName": "caller"},
        "tags": {"run": "r1", "n": "1", "b": "true", "s": "x", "l": '[1,"two"]'},
    }


def test_what_there_is_not_is_not_said() -> None:
    said = encode(span(kind=SpanKind.INTERNAL), "f", {})
    assert {"parentId", "kind", "remoteEndpoint", "tags", "annotations"} & set(said) == set()


def test_no_time_is_zero() -> None:
    said = encode(span(start_time=5, end_time=5), "f", {})
    assert (said["timestamp"], said["duration"]) == (1, 1)


def test_an_error_is_a_tag_and_an_event_an_annotation() -> None:
    said = encode(
        span(
            status=Status(StatusCode.ERROR, "gone"),
            events=(Event("retry", {"attempt": 2}, 1_700_000_000_123_500_000), Event("plain", None, 2_000)),
        ),
        "f",
        {},
    )
    assert said["tags"] == {"error": "gone"}
    assert said["annotations"] == [
        {"timestamp": 1_700_000_000_123_500, "value": '{"retry":{"attempt":2}}'},
        {"timestamp": 2, "value": "plain"},
    ]


def test_batches_share_one_connection(zipkin: Zipkin) -> None:
    exporter = exporter_to(zipkin.endpoint)
    results = [exporter.export([span(), span()]) for _ in range(5)]
    exporter.shutdown()
    assert results == [SpanExportResult.SUCCESS] * 5
    assert (zipkin.posts, zipkin.connections, exporter.sent, exporter.lost) == (5, 1, 10, 0)


def test_hostile_text_in_a_tag_is_still_json(zipkin: Zipkin) -> None:
    exporter = exporter_to(zipkin.endpoint)
    exporter.export([span(attributes={"x": 'a"b\\c\n\x00\ud800é', "y": "☃" * 1000})])
    exporter.shutdown()
    assert zipkin.spans[0]["tags"]["y"] == "☃" * 1000
    json.dumps(zipkin.spans)


def test_a_collector_that_recovers_gets_the_batch() -> None:
    zipkin = Zipkin(status=503)
    exporter = exporter_to(zipkin.endpoint)
    threading.Timer(0.1, lambda: setattr(zipkin, "status", 202)).start()
    assert exporter.export([span()]) is SpanExportResult.SUCCESS
    exporter.shutdown()
    zipkin.close()
    assert (len(zipkin.spans), exporter.lost) == (1, 0)
    assert zipkin.posts > 1


def test_a_batch_that_is_refused_is_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    zipkin = Zipkin(status=400)
    exporter = exporter_to(zipkin.endpoint)
    assert exporter.export([span()]) is SpanExportResult.FAILURE
    exporter.shutdown()
    zipkin.close()
    assert (zipkin.posts, exporter.lost) == (1, 1)
    assert "HTTP 400" in caplog.text


def test_a_collector_that_is_away_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    exporter = exporter_to(f"http://127.0.0.1:{free_port()}/")
    for _ in range(20):
        assert exporter.export([span(), span()]) is SpanExportResult.FAILURE
    exporter.shutdown()
    assert exporter.lost == 40
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_after_a_lost_batch_the_next_is_tried_once_until_one_arrives() -> None:
    zipkin = Zipkin(status=503)
    exporter = exporter_to(zipkin.endpoint)
    tried = []
    for status in (503, 503, 202, 503, 503):
        zipkin.status, before = status, zipkin.posts
        exporter.export([span()])
        tried.append(zipkin.posts - before)
    exporter.shutdown()
    zipkin.close()
    assert tried == [4, 1, 1, 4, 1]
    assert (exporter.sent, exporter.lost) == (1, 4)


@pytest.mark.parametrize("endpoint", ["", "zipkin:9411", "ftp://z/", "http://", "http://h:99999/", "http://[::1/"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(WiringError, match=r"wiring\.tracing\.endpoint"):
        exporter_to(endpoint)


def test_spans_that_do_not_fit_the_queue_are_counted(
    zipkin: Zipkin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    zipkin.status = 503  # the first batch is being retried meanwhile
    tracing = Tracing(1.0, Recorder(Settings(zipkin.endpoint), "f", nesting=False))
    for _ in range(1000):
        tracing.start("SERVER", "x", None).end()
    zipkin.status = 202
    tracing.close(10)
    missing = 1000 - len(zipkin.spans)
    assert missing > 0
    assert f"{missing} of 1000 spans never arrived" in caplog.text


def test_closing_does_not_wait_for_a_collector_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        tracing = Tracing(1.0, Recorder(Settings(endpoint), "f", nesting=False))
        tracing.start("SERVER", "x", None).end()
        closing = threading.Thread(target=tracing.close, args=(0.2,))
        closing.start()
        closing.join(4)
        assert not closing.is_alive()
    until(lambda: "spans lost" in caplog.text)  # the thread that was left behind


def test_ids_come_from_the_kernel_and_differ() -> None:
    ids = KernelIds()
    assert len({ids.generate_span_id() for _ in range(1000)}) == 1000
    assert max(ids.generate_trace_id() for _ in range(100)).bit_length() > 120


ANY = st.text() | st.booleans() | st.integers() | st.floats() | st.lists(st.text() | st.integers()).map(tuple)


@given(
    st.text(),
    st.dictionaries(st.text(), ANY, max_size=5),
    st.dictionaries(st.text(), st.text(), max_size=5),
    st.none() | st.text(min_size=1),
)
def test_whatever_a_span_says_is_read_back(
    name: str, attributes: dict[str, Any], common: dict[str, str], error: str | None
) -> None:
    status = Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET)
    made = ReadableSpan(
        name, context(1), resource=Resource({}), attributes=attributes, status=status, start_time=1, end_time=1
    )
    said = encode(made, "f", common)
    wanted = {
        **common,
        **{key: text(value) for key, value in attributes.items()},
        **({"error": error} if error else {}),
    }
    remote = wanted.pop("peer.service", None) if "peer.service" in attributes else None
    wanted.pop("peer.service", None)
    assert said["name"] == name
    assert said.get("tags", {}) == wanted
    assert said.get("remoteEndpoint", {}).get("serviceName") == remote


def test_the_stock_exporter_says_the_same_of_a_span() -> None:
    made: Any = span(
        parent=context(0x2),
        attributes={"n": 1, "b": True, "s": "x", "l": (1, "two")},
        status=Status(StatusCode.ERROR, "gone"),
        events=(Event("retry", {"attempt": 2}, 1_700_000_000_123_500_000),),
    )
    (theirs,) = json.loads(JsonV2Encoder().serialize([made], NodeEndpoint()))
    ours = encode(made, "f", {})
    (note,), (noted,) = theirs.pop("annotations"), ours.pop("annotations")
    assert (note["timestamp"], json.loads(note["value"])) == (noted["timestamp"], json.loads(noted["value"]))
    assert theirs.pop("timestamp") - ours.pop("timestamp") in (0, 1)  # rounded there, cut here, as Zipkin does
    assert ours["tags"].pop("l") == '[1,"two"]'
    assert theirs["tags"].pop("l") == '["1","two"]'
    del theirs["debug"], theirs["tags"]["otel.status_code"]  # every span is debugged there
    del theirs["localEndpoint"], ours["localEndpoint"]
    assert ours == theirs
