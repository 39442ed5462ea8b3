"""`POST /v1/traces` over a real socket: what is taken, and how every refusal is told."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.tracestore.asking import JSON, asking, wire
from tests.unit.traces.recorded import EVENT, ROWS, request
from toolkit.engines.tracestore import otlp as store_otlp
from toolkit.engines.tracestore.bodies import MAX_BODY, Bodies
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Request, Response
from toolkit.traces import otlp, zipkin

PROTOBUF = ((b"Content-Type", b"application/x-protobuf"),)
GZIP = ((b"Content-Encoding", b"gzip"),)
IN_JSON = json.dumps(request(ROWS)).encode()
IN_PROTOBUF = otlp.read_json(IN_JSON).SerializeToString()
PATH = "/v1/traces"


def one_span(**fields: Any) -> bytes:
    document = request(ROWS[:1])
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(fields)
    return json.dumps(document).encode()


def message_of(answer: Response) -> str:
    """The text of a google.rpc.Status, in the encoding that the answer says it has."""
    if answer.header(b"content-type") == b"application/json":
        return str(json.loads(answer.body)["message"])
    assert answer.header(b"content-type") == b"application/x-protobuf"
    assert answer.body[0] == 0x08  # code
    assert answer.body[2] == 0x12  # message
    length = 3 if answer.body[3] < 0x80 else 4
    return answer.body[length + 1 :].decode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (IN_PROTOBUF, PROTOBUF),
        (gzip.compress(IN_PROTOBUF, mtime=0), (*PROTOBUF, *GZIP)),
        (IN_JSON, JSON),
        (gzip.compress(IN_JSON, mtime=0), (*JSON, (b"content-encoding", b"GZIP"))),
        (IN_JSON, ((b"content-type", b"Application/JSON; charset=utf-8"),)),
    ],
)
async def test_what_a_cluster_exported_can_be_got_back(body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    async with asking() as it:
        answer = await it.post(body, headers, PATH)
        assert answer.status == 200
        in_json = b"json" in headers[0][1].lower()
        assert answer.header(b"content-type") == (b"application/json" if in_json else b"application/x-protobuf")
        assert answer.body == (b"{}" if in_json else b"")
        kept = zipkin.decode((await it.get(f"/api/v2/trace/{'e' * 32}")).body)
        assert {each.id: each for each in kept} == {each.id: each for each in EVENT}
        assert "broker.ingress" in await it.json("/api/v2/services")


async def test_spans_of_both_ways_are_one_trace() -> None:
    async with asking() as it:
        await it.put({**wire(1), "traceId": "e" * 32})
        await it.post(IN_PROTOBUF, PROTOBUF, PATH)
        assert len(await it.json(f"/api/v2/trace/{'e' * 32}")) == len(EVENT) + 1


async def test_a_request_that_is_sent_again_is_kept_once() -> None:
    async with asking() as it:
        for _ in range(3):
            assert (await it.post(IN_PROTOBUF, PROTOBUF, PATH)).status == 200
        assert (await it.json("/info"))["store"]["spans"] == len(ROWS)


async def test_a_bad_span_is_a_partial_success() -> None:
    async with asking() as it:
        document = request(ROWS[:3])
        document["resourceSpans"][1]["scopeSpans"][0]["spans"][0]["spanId"] = "00"
        body = json.dumps(document).encode()
        told = json.loads((await it.post(body, JSON, PATH)).body)["partialSuccess"]
        assert told == {"rejectedSpans": "1", "errorMessage": "1 rejected, the first because spanId has 1 bytes, not 8"}
        answer = await it.post(otlp.read_json(body).SerializeToString(), PROTOBUF, PATH)
        assert answer.status == 200
        assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 1
        assert (await it.json("/info"))["store"]["spans"] == 2


@pytest.mark.parametrize("body", [b"", IN_PROTOBUF[:-1], b"\xff" * 9, b"{}"])
async def test_protobuf_that_is_none_is_refused_in_protobuf(body: bytes) -> None:
    async with asking() as it:
        answer = await it.post(body, PROTOBUF, PATH)
        if body:
            assert (answer.status, message_of(answer)) == (400, "not an ExportTraceServiceRequest in protobuf")
        else:
            assert answer.status == 200  # an empty message is a message
        assert (await it.json("/info"))["store"]["spans"] == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", IN_JSON[:-1], b'{"resourceSpans": 1}', b"\xff", IN_PROTOBUF])
async def test_json_that_is_none_is_refused_in_json(body: bytes) -> None:
    async with asking() as it:
        answer = await it.post(body, JSON, PATH)
        assert answer.status == 400
        assert answer.header(b"content-type") == b"application/json"
        assert message_of(answer).startswith("not ")


@pytest.mark.parametrize(
    "headers", [(), ((b"Content-Type", b"text/plain"),), ((b"Content-Type", b"application/grpc"),)]
)
async def test_other_kinds_of_content_are_refused(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    async with asking() as it:
        answer = await it.post(IN_PROTOBUF, headers, PATH)
        assert answer.status == 415
        assert b"application/x-protobuf or application/json" in answer.body


async def test_other_ways_of_packing_are_refused() -> None:
    async with asking() as it:
        answer = await it.post(IN_PROTOBUF, (*PROTOBUF, (b"Content-Encoding", b"zstd")), PATH)
        assert (answer.status, answer.header(b"accept-encoding")) == (415, b"gzip")


@pytest.mark.parametrize(
    "packed", [b"", b"no gzip", gzip.compress(IN_PROTOBUF, mtime=0)[:-9], gzip.compress(b"", mtime=0) * 2]
)
async def test_what_says_that_it_is_packed_has_to_be(packed: bytes) -> None:
    async with asking() as it:
        answer = await it.post(packed, (*PROTOBUF, *GZIP), PATH)
        assert answer.status == 400
        assert message_of(answer).startswith("Cannot gunzip spans")


async def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    async with asking() as it:
        answer = await it.post(gzip.compress(bytes(MAX_BODY + 1)), (*PROTOBUF, *GZIP), PATH)
        assert (answer.status, message_of(answer)) == (413, f"more than {MAX_BODY} bytes of spans in one request")


async def test_a_resource_that_would_be_repeated_without_bounds_is_refused() -> None:
    async with asking() as it:
        document = request(ROWS[:1])
        of = document["resourceSpans"][0]
        of["resource"]["attributes"].append({"key": "large", "value": {"stringValue": "x" * (1 << 20)}})
        of["scopeSpans"][0]["spans"] *= 100
        answer = await it.post(json.dumps(document).encode(), JSON, PATH)
        assert answer.status == 413
        assert "64 MiB" in message_of(answer)
        assert (await it.json("/info"))["store"]["spans"] == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_spans_are_posted_and_nothing_else(method: str) -> None:
    async with asking() as it:
        answer = await it.get(PATH, method=method)
        assert (answer.status, answer.header(b"allow")) == (405, b"POST")


async def test_a_page_of_another_origin_may_not_send_spans() -> None:
    async with asking() as it:
        answer = await it.post(IN_PROTOBUF, (*PROTOBUF, (b"Origin", b"http://evil.example")), PATH)
        assert answer.status == 403
        assert (await it.json("/info"))["store"]["spans"] == 0


async def test_others_are_answered_while_many_spans_are_read() -> None:
    message = otlp.read_protobuf(IN_PROTOBUF)
    scoped = message.resource_spans[0].scope_spans[0]
    scoped.spans.extend([scoped.spans[0]] * 20_000)
    async with asking() as it:
        sending = asyncio.create_task(it.post(message.SerializeToString(), PROTOBUF, PATH))
        answered = 0
        while not sending.done():
            assert (await it.get("/health")).status == 200
            answered += 1
        assert (await sending).status == 200
        assert answered > 10


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n" * (1 << 20)},
        {"name": ""},
        {"name": "\x1b[2J\u202e"},
        {"startTimeUnixNano": "0", "endTimeUnixNano": "0"},
        {"startTimeUnixNano": str(2**64 - 1)},
        {"events": [{"name": "e" * (1 << 20)}]},
        {"attributes": [{"key": "k" * (1 << 20), "value": {"stringValue": "v" * (1 << 20)}}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_strange_spans_are_kept_and_can_be_asked_for(fields: dict[str, Any]) -> None:
    async with asking() as it:
        assert (await it.post(one_span(**fields), JSON, PATH)).status == 200
        (kept,) = await it.json(f"/api/v2/trace/{ROWS[0]['trace']}")
        assert kept["id"] == ROWS[0]["id"]
        assert (await it.get("/api/v2/dependencies?endTs=9999999999999&lookback=9999999999999")).status == 200


async def test_a_store_that_cannot_keep_spans_says_that_they_may_be_sent_again() -> None:
    async def full(_: object) -> None:
        raise EngineError("no space left on device")

    answer = await store_otlp.answer(Request("POST", PATH, JSON, IN_JSON), Bodies(), full)
    assert (answer.status, json.loads(answer.body)) == (503, {"code": 14, "message": "no space left on device"})


def test_a_store_that_gets_no_otlp_does_not_load_it() -> None:
    program = (
        "import sys, toolkit.engines.tracestore; print([m for m in sys.modules if m.startswith(('google', 'opentel'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
