"""Bodies that would become much: refused before they are read, read where nobody waits, and counted as they are."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import message as protobuf
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.tracestore.asking import JSON, NOW_US, asking, wire
from toolkit.engines.tracestore import bodies, limits, normal
from toolkit.engines.tracestore.bodies import MAX_BODY, MOST_SPANS, Bodies, Refusal
from toolkit.engines.tracestore.limits import Limits, Usage
from toolkit.engines.waiting import until
from toolkit.sdk.http1 import Request
from toolkit.stubs import zipkin_pb2

PROTOBUF = ((b"Content-Type", b"application/x-protobuf"),)
GZIP = ((b"Content-Encoding", b"gzip"),)
SPANS, OTLP = "/api/v2/spans", "/v1/traces"


def part(key: bytes, inner: bytes) -> bytes:
    size, told = len(inner), b""
    while size > 0x7F:
        told, size = told + bytes([size & 0x7F | 0x80]), size >> 7
    return key + told + bytes([size]) + inner


EMPTY = MAX_BODY // 2 - 40
ATTRIBUTES = part(b"\x0a", part(b"\x12", part(b"\x12", b"\x4a\x00" * EMPTY)))
VALUES = part(b"\x0a", part(b"\x12", part(b"\x12", part(b"\x4a", part(b"\x12", part(b"\x2a", b"\x0a\x00" * EMPTY))))))
BOMBS = {
    "resources": (OTLP, PROTOBUF, b"\x0a\x00" * EMPTY),
    "spans": (OTLP, PROTOBUF, part(b"\x0a", part(b"\x12", b"\x12\x00" * EMPTY))),
    "attributes": (OTLP, PROTOBUF, ATTRIBUTES),
    "values": (OTLP, PROTOBUF, VALUES),
    "fields": (OTLP, PROTOBUF, part(b"\x0a", part(b"\x12", part(b"\x12", b"\x78\x00" * EMPTY)))),
    "json": (OTLP, JSON, b'{"resourceSpans":[' + b"{}," * (MAX_BODY // 3 - 40) + b"{}]}"),
    "zipkin": (SPANS, PROTOBUF, b"\x0a\x00" * EMPTY),
    "tags": (SPANS, PROTOBUF, part(b"\x0a", b"\x5a\x00" * EMPTY)),
    "lists": (SPANS, JSON, b"[" + b"[]," * (MAX_BODY // 3 - 40) + b"[]]"),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_what_would_become_a_hundred_times_as_much_is_refused_before_it_is_read(
    bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> Any:
        pytest.fail("it was read")

    monkeypatch.setattr(zipkin_pb2, "ListOfSpans", Reading(read))
    monkeypatch.setattr(
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2.ExportTraceServiceRequest", Reading(read)
    )
    monkeypatch.setattr(normal, "read", read)
    monkeypatch.setattr("toolkit.traces.otlp.read_json", read)
    path, kind, body = BOMBS[bomb]
    packed = gzip.compress(body, 1)
    assert len(packed) < 200_000
    async with asking() as it:
        answer = await it.client.request("POST", it.store.url + path, (*kind, *GZIP), packed, timeout_s=60)
        assert answer.status == 413
        assert b"in one request" in answer.body


class Reading:
    """A message whose reading is `read`."""

    def __init__(self, read: Any) -> None:
        self.FromString = read


@pytest.mark.parametrize("kind", ["json", "protobuf"])
async def test_as_many_spans_as_otlp_takes_are_taken_and_no_more(kind: str) -> None:
    spans = [{"traceId": f"{each:016x}", "id": "1"} for each in range(1, MOST_SPANS + 2)]
    whole = zipkin_pb2.ListOfSpans()
    for each in range(1, MOST_SPANS + 2):
        whole.spans.add(trace_id=each.to_bytes(8), id=b"\0" * 7 + b"\1")
    form = bodies.form_of(Request("POST", SPANS, JSON if kind == "json" else PROTOBUF, b""))
    text = json.dumps(spans).encode() if kind == "json" else whole.SerializeToString()
    with pytest.raises(Refusal, match="50000 are the most that are taken") as refused:
        form(text)
    assert refused.value.status == 413
    del whole.spans[0]
    assert len(form(json.dumps(spans[1:]).encode() if kind == "json" else whole.SerializeToString())) == MOST_SPANS


def large() -> list[dict[str, Any]]:
    return [wire(1, tags={"t": "x" * (1 << 20)})]


def otlp() -> bytes:
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.start_time_unix_nano = b"\0" * 15 + b"\1", b"\0" * 7 + b"\1", NOW_US * 1000
    span.name = "x" * (1 << 20)
    return message.SerializeToString()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("path", "kind"), [(SPANS, JSON), (SPANS, PROTOBUF), (OTLP, PROTOBUF)])
async def test_large_bodies_are_read_in_threads(
    path: str, kind: tuple[tuple[bytes, bytes], ...], packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def watched(name: str, work: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def watching(given: Any) -> Any:
            told.append(f"{name}: {threading.current_thread().name}")
            return work(given)

        return watching

    monkeypatch.setattr(bodies, "unpacked", watched("unpacked", bodies.unpacked))
    monkeypatch.setattr(normal, "read", watched("read", normal.read))
    monkeypatch.setattr(normal, "of_fields", watched("made", normal.of_fields))
    if path == OTLP:
        body = otlp()
    elif kind is JSON:
        body = json.dumps(large()).encode()
    else:
        body = zipkin_pb2.ListOfSpans(
            spans=[zipkin_pb2.Span(trace_id=b"1" * 8, id=b"1" * 8, name=b"x" * (1 << 20))]
        ).SerializeToString()
    async with asking() as it:
        answer = await it.post(gzip.compress(body) if packed else body, (*kind, *GZIP) if packed else kind, path)
        assert answer.status in (200, 202)
    assert len(told) >= 2
    assert all("trace store bodies" in each for each in told), told


async def test_no_more_than_two_large_bodies_are_read_at_once() -> None:
    reading, most, go = 0, 0, threading.Event()
    lock = threading.Lock()

    def form(body: bytes) -> int:
        nonlocal reading, most
        with lock:
            reading += 1
            most = max(most, reading)
        go.wait(10)
        with lock:
            reading -= 1
        return len(body)

    it = Bodies()
    given = Request("POST", SPANS, (*JSON, *GZIP), gzip.compress(b"x" * (1 << 20)))

    async def read() -> int:
        async with it.read(given, form) as size:
            return size

    all_of_them = [asyncio.create_task(read()) for _ in range(8)]

    async def both_read() -> bool:
        return reading == 2

    assert await until(both_read, within_s=10)
    go.set()
    assert await asyncio.gather(*all_of_them) == [1 << 20] * 8
    assert most == bodies.AT_ONCE
    it.close()


async def test_a_body_counts_as_large_as_it_is_unpacked_until_it_has_been_answered() -> None:
    usage, allowed = Usage(), Limits(waiting_bytes=3 << 20)
    it = Bodies(lambda size: limits.room(usage, allowed, size))
    given = Request("POST", SPANS, (*JSON, *GZIP), gzip.compress(b"x" * (2 << 20)))
    async with it.read(given, len) as size:
        assert size == 2 << 20
        assert usage.waiting_bytes == size - len(given.body)
        with pytest.raises(Refusal, match="too many bytes are waiting") as refused:
            async with it.read(given, len):
                pass
        assert refused.value.status == 429
        assert usage.refused == 1
    assert usage.waiting_bytes == 0
    with pytest.raises(ZeroDivisionError):
        async with it.read(given, lambda body: 1 // 0):
            pass
    assert usage.waiting_bytes == 0
    it.close()


@pytest.mark.parametrize(("path", "kind"), [(SPANS, JSON), (OTLP, PROTOBUF)])
async def test_who_sends_too_much_at_once_is_told_to_come_back(
    path: str, kind: tuple[tuple[bytes, bytes], ...]
) -> None:
    body = otlp() if path == OTLP else json.dumps(large()).encode()
    async with asking(use=Limits(waiting_bytes=1 << 19)) as it:
        answer = await it.post(gzip.compress(body), (*kind, *GZIP), path)
        assert (answer.status, answer.header(b"retry-after")) == (429, b"1")
        await it.put(wire(1))


def test_what_ends_where_a_small_body_does_is_unpacked_whole() -> None:
    for size in (bodies.SMALL - 1, bodies.SMALL, bodies.SMALL + 1):
        given = Request("POST", SPANS, GZIP, gzip.compress(b"x" * size))
        assert bodies.unpacked(given) == b"x" * size
        assert (bodies._small(given) is None) == (size > bodies.SMALL)


def test_torn_protobuf_of_any_size_is_refused() -> None:
    form = bodies.form_of(Request("POST", SPANS, PROTOBUF, b""))
    whole = zipkin_pb2.ListOfSpans(
        spans=[zipkin_pb2.Span(trace_id=b"1" * 8, id=b"1" * 8, name=b"x" * (1 << 18))]
    ).SerializeToString()
    assert len(form(whole)) == 1
    with pytest.raises(protobuf.DecodeError):
        zipkin_pb2.ListOfSpans.FromString(whole[:-1])
    for torn in (whole[:-1], whole + b"\x0a", whole + b"\x07", whole + b"\xff" * 12):
        with pytest.raises(Refusal, match="torn, or something else"):
            form(torn)
