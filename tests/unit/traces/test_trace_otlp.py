"""What OTLP requests become, and what becomes of requests that are none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.unit.traces.made import calm
from tests.unit.traces.recorded import ROWS, request
from toolkit.traces import otel, otlp, otlptext, wire

TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"
START = 1_544_712_660_000_000_000


def one(**fields: Any) -> dict[str, Any]:
    """A request in JSON with one span."""
    least = {"traceId": TRACE, "spanId": SPAN, "name": "I'm a server", "startTimeUnixNano": str(START)}
    span = {**least, "endTimeUnixNano": str(START + 1_234_567), **fields}
    resource = {"attributes": [text("service.name", "My.Service"), text("k8s.pod.name", "p-1")]}
    return {
        "resourceSpans": [
            {"resource": resource, "scopeSpans": [{"scope": {"name": "lib", "version": "2"}, "spans": [span]}]}
        ]
    }


def text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def decoded(document: object) -> otlp.Decoded:
    """By both encodings, which must agree."""
    body = json.dumps(document).encode()
    by_json = otlp.decode(body, as_json=True)
    assert otlp.decode(otlp.read_json(body).SerializeToString()) == by_json
    return by_json


def span(**fields: Any) -> dict[str, Any]:
    (found,) = decoded(one(**fields)).fields
    return found


def test_a_span_is_mapped_as_the_specification_says() -> None:
    assert span(kind=2, parentSpanId=PARENT, attributes=[text("http.route", "/x")]) == {
        "traceId": TRACE,
        "parentId": PARENT,
        "id": SPAN,
        "kind": "SERVER",
        "name": "i'm a server",
        "timestamp": START // 1000,
        "duration": 1234,
        "localEndpoint": {"serviceName": "my.service"},
        "tags": {"http.route": "/x", "k8s.pod.name": "p-1", "otel.scope.name": "lib", "otel.scope.version": "2"},
    }


@pytest.mark.parametrize(
    ("kind", "told"), [(0, None), (1, None), (2, "SERVER"), (3, "CLIENT"), (4, "PRODUCER"), (5, "CONSUMER"), (77, None)]
)
def test_every_kind_has_its_own(kind: int, told: str | None) -> None:
    assert span(kind=kind).get("kind") == told


def test_a_failure_is_told_by_status_code_and_error() -> None:
    tags = span(status={"code": 2, "message": "it broke"})["tags"]
    assert (tags["otel.status_code"], tags["error"]) == ("ERROR", "it broke")
    assert span(status={"code": 2})["tags"]["error"] == ""


def test_what_is_no_failure_has_no_error() -> None:
    said = [text("error", "false")]
    assert "error" not in span(attributes=said)["tags"]
    tags = span(attributes=said, status={"code": 1, "message": "fine"})["tags"]
    assert ("error" in tags, tags["otel.status_code"]) == (False, "OK")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"stringValue": "a"}, "a"),
        ({"stringValue": ""}, ""),
        ({"boolValue": True}, "true"),
        ({"boolValue": False}, "false"),
        ({"intValue": "-7"}, "-7"),
        ({"doubleValue": 0.5}, "0.5"),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"doubleValue": "-Infinity"}, "-Infinity"),
        ({"bytesValue": "AAE="}, "AAE="),
        ({"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "ü"}, {}]}}, '[1,"ü",null]'),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}, '{"k":true}'),
        ({}, ""),
    ],
)
def test_every_kind_of_value_is_text(value: dict[str, Any], told: str) -> None:
    assert span(attributes=[{"key": "it", "value": value}])["tags"]["it"] == told


def test_the_spans_own_attribute_outranks_the_resources() -> None:
    assert span(attributes=[text("k8s.pod.name", "mine")])["tags"]["k8s.pod.name"] == "mine"


@pytest.mark.parametrize(
    ("kind", "said", "remote"),
    [
        (3, {"peer.service": "Them", "server.address": "host"}, {"serviceName": "them"}),
        (3, {"server.address": "host", "net.peer.name": "old"}, {"serviceName": "host"}),
        (4, {"net.peer.name": "old"}, {"serviceName": "old"}),
        (3, {"server.address": "10.0.0.1", "server.port": "80"}, {"ipv4": "10.0.0.1", "port": 80}),
        (3, {"network.peer.address": "fe80::1", "network.peer.port": "many"}, {"ipv6": "fe80::1"}),
        (2, {"peer.service": "them"}, None),
        (5, {"peer.service": "Broker"}, {"serviceName": "broker"}),
        (5, {"server.address": "10.0.0.1", "net.peer.name": "old"}, None),
        (3, {}, None),
    ],
)
def test_who_was_called_is_the_remote_endpoint(kind: int, said: dict[str, str], remote: dict[str, Any] | None) -> None:
    found = span(kind=kind, attributes=[text(*each) for each in said.items()])
    assert found.get("remoteEndpoint") == remote
    assert said.items() <= found["tags"].items()


def test_events_are_annotations_with_their_attributes() -> None:
    events = [
        {"name": "plain", "timeUnixNano": str(START + 5000)},
        {"name": "told", "timeUnixNano": str(START + 9000), "attributes": [text("k", "v")]},
        {"name": "timeless"},
    ]
    at = START // 1000
    assert span(events=events)["annotations"] == [
        {"timestamp": at, "value": "timeless"},
        {"timestamp": at + 5, "value": "plain"},
        {"timestamp": at + 9, "value": '"told": {"k":"v"}'},
    ]


def test_links_and_what_was_dropped_are_tags() -> None:
    link = {"traceId": TRACE, "spanId": PARENT, "traceState": "a=b", "attributes": [text("k", "v")]}
    tags = span(links=[link], droppedAttributesCount=3, droppedEventsCount=2, traceState="x=y")["tags"]
    assert tags["otlp.link.0"] == f'{TRACE}|{PARENT}|a=b|{{"k":"v"}}|0'
    assert (tags["otel.dropped_attributes_count"], tags["otel.dropped_events_count"]) == ("3", "2")
    assert tags["w3c.tracestate"] == "x=y"


@pytest.mark.parametrize(
    ("start", "end", "timestamp", "duration"),
    [
        (0, 0, None, None),
        (START, 0, START // 1000, None),
        (START, START, START // 1000, 1),
        (START, START + 999, START // 1000, 1),
        (START, START - 1, START // 1000, None),
        (2**64 - 1, 2**64 - 1, (2**64 - 1) // 1000, 1),
    ],
)
def test_times_that_are_not_known_are_left_out(
    start: int, end: int, timestamp: int | None, duration: int | None
) -> None:
    found = span(startTimeUnixNano=str(start), endTimeUnixNano=str(end))
    assert (found.get("timestamp"), found.get("duration")) == (timestamp, duration)


def test_a_resource_without_a_name_has_the_name_of_all_such() -> None:
    document = one()
    document["resourceSpans"][0]["resource"] = {}
    (found,) = decoded(document).fields
    assert found["localEndpoint"] == {"serviceName": "unknown_service"}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"traceId": ""}, "traceId has 0 bytes, not 16"),
        ({"traceId": TRACE[:16]}, "traceId has 8 bytes, not 16"),
        ({"traceId": "0" * 32}, "traceId is all zeros"),
        ({"traceId": TRACE + "00"}, "traceId has 17 bytes, not 16"),
        ({"traceId": "no hex"}, "traceId has 1 bytes, not 16"),
        ({"traceId": base64.b64encode(b"x" * 16).decode()}, "traceId has 1 bytes, not 16"),
        ({"spanId": SPAN[:6]}, "spanId has 3 bytes, not 8"),
        ({"spanId": "0" * 16}, "id is all zeros"),
        ({"parentSpanId": "aa"}, "parentSpanId has 1 bytes, not 8"),
    ],
)
def test_a_span_with_a_bad_id_is_rejected_and_the_others_are_taken(fields: dict[str, str], why: str) -> None:
    document = one()
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans += [{**spans[0], **fields}, {**spans[0], "spanId": PARENT}]
    found = decoded(document)
    assert ([each["id"] for each in found.fields], found.rejected, found.reason) == ([SPAN, PARENT], 1, why)
    response = ExportTraceServiceResponse.FromString(otlp.success(found, as_json=False))
    assert response.partial_success.rejected_spans == 1
    assert why in response.partial_success.error_message


def test_a_parent_of_zeros_is_none() -> None:
    assert "parentId" not in span(parentSpanId="0" * 16)


def test_ids_in_json_may_be_of_either_case() -> None:
    assert span(traceId=TRACE.upper())["traceId"] == TRACE


def test_what_json_knows_and_we_do_not_is_passed_over() -> None:
    assert decoded({**one(invented=[1, {"a": None}]), "more": True}).rejected == 0


def test_nothing_at_all_is_a_request_too() -> None:
    assert decoded({}) == otlp.Decoded(())
    assert otlp.decode(b"") == otlp.Decoded(())
    assert otlp.success(otlp.Decoded(()), as_json=False) == b""
    assert json.loads(otlp.success(otlp.Decoded(()), as_json=True)) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"resourceSpans": 1}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": {"spans": []}}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 7}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "-1"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": 1e40}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": ["a"]}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\\ud800"}]}]}]}',
        b'{"resourceSpans": NaN}',
        b'{"resourceSpans": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_request_in_json_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(otlp.OtlpError) as refused:
        otlp.decode(body, as_json=True)
    assert 0 < len(str(refused.value)) < 300
    assert str(refused.value).isprintable()


def nested(levels: int) -> bytes:
    value = AnyValue(string_value="in")
    for _ in range(levels):
        value = AnyValue.FromString(b"\x2a" + _prefixed(b"\x0a" + _prefixed(value.SerializeToString())))
    return value.SerializeToString()


def _prefixed(data: bytes) -> bytes:
    length, size = len(data), b""
    while length > 0x7F:
        length, size = length >> 7, size + bytes([length & 0x7F | 0x80])
    return size + bytes([length]) + data


def test_protobuf_that_is_torn_is_refused_and_never_half_taken() -> None:
    whole = otlp.read_json(json.dumps(request(ROWS[:2])).encode()).SerializeToString()
    refused = 0
    for end in range(1, len(whole)):
        try:
            taken = otlp.decode(whole[:end])
        except otlp.OtlpError:
            refused += 1
        else:  # torn between two resources: what is there is whole
            assert len(taken.fields) + taken.rejected == 1
    assert refused >= len(whole) - 2


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\xff\xff\xff\xff\x0f",  # a length of 4 GiB
        b"\x0a\x05ab",
        b"\xff" * 20,
        b"plain text",
        b"{}",
    ],
)
def test_what_is_no_request_in_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(otlp.OtlpError, match="not an ExportTraceServiceRequest in protobuf"):
        otlp.decode(body)


def test_text_that_is_not_utf_8_is_repaired_and_the_rest_is_as_it_was() -> None:
    """Envoy sends a client's headers as they came."""
    whole = otlp.read_json(json.dumps(request(ROWS)).encode()).SerializeToString()
    assert otlptext.repaired(whole) == whole
    spoilt = whole.replace(b"curl/7.88.1", b"curl\xff7\xc3\x28 .1")
    (expected,) = {each["tags"]["user_agent.original"] for each in otlp.decode(whole).fields if _by_curl(each)}
    found = otlp.decode(spoilt)
    assert expected == "curl/7.88.1"
    assert {each["tags"]["user_agent.original"] for each in found.fields if _by_curl(each)} == {"curl�7�( .1"}
    assert [{**each, "tags": None} for each in found.fields] == [
        {**each, "tags": None} for each in otlp.decode(whole).fields
    ]


def _by_curl(fields: dict[str, Any]) -> bool:
    return str(fields["tags"].get("user_agent.original", "")).startswith("curl")


def test_bytes_are_no_text_and_stay_as_they_are() -> None:
    message = otlp.read_json(json.dumps(one(attributes=[{"key": "b", "value": {"bytesValue": "//79"}}])).encode())
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id, span.name = b"\xff" * 16, "SPOILT"
    (fields,) = otlp.decode(message.SerializeToString().replace(b"SPOILT", b"\xff\xfe\xfd\xfc\xfb\xfa")).fields
    assert (fields["traceId"], fields["tags"]["b"], fields["name"]) == ("f" * 32, "//79", "�" * 6)


def test_a_large_request_with_such_text_is_refused() -> None:
    body = b"\x0a\x09\x12\x07\x12\x05\x2a\x03\xff\xfe\xfd"
    assert otlp.decode(body).rejected == 1
    with pytest.raises(otlp.OtlpError):
        otlp.decode(body * (1 + otlptext.MOST_REPAIRED // len(body)))


def test_a_value_that_is_nested_too_deeply_is_refused_and_one_that_is_not_is_taken() -> None:
    message = ExportTraceServiceRequest()
    message.ParseFromString(otlp.read_json(json.dumps(one(attributes=[text("deep", "")])).encode()).SerializeToString())
    attribute = message.resource_spans[0].scope_spans[0].spans[0].attributes[0]
    attribute.value.ParseFromString(nested(40))
    (found,) = otlp.decode(message.SerializeToString()).fields
    assert found["tags"]["deep"] == "[" * 40 + '"in"' + "]" * 40
    document = one(attributes=[{"key": "deep", "value": {}}])
    value = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][0]
    for _ in range(200):
        value["value"] = {"arrayValue": {"values": [value["value"]]}}
    with pytest.raises(otlp.OtlpError):
        otlp.decode(json.dumps(document).encode(), as_json=True)


def test_protobuf_nested_beyond_what_is_read_is_refused() -> None:
    value = b"\x0a\x02in"
    for _ in range(300):
        value = b"\x2a" + _prefixed(b"\x0a" + _prefixed(value))
    span_with_it = b"\x4a" + _prefixed(b"\x0a\x01k\x12" + _prefixed(value))
    body = b"\x0a" + _prefixed(b"\x12" + _prefixed(b"\x12" + _prefixed(span_with_it)))
    with pytest.raises(otlp.OtlpError):
        otlp.decode(body)


def test_an_event_with_a_name_of_a_megabyte_is_kept() -> None:
    (note,) = span(events=[{"name": "n" * (1 << 20), "timeUnixNano": str(START)}])["annotations"]
    assert len(note["value"]) == 1 << 20


def test_a_list_without_end_is_told_shortened() -> None:
    tags = span(attributes=[{"key": "it", "value": {"arrayValue": {"values": [{"intValue": 1}] * 5000}}}])["tags"]
    assert json.loads(tags["it"]) == [1] * otel.MOST_ELEMENTS + ["… 4000 more"]


def test_a_resource_is_not_repeated_without_bounds() -> None:
    document = one()
    document["resourceSpans"][0]["resource"]["attributes"].append(text("large", "x" * (1 << 20)))
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans *= 100
    with pytest.raises(otlp.TooMuch, match="resources would be repeated to more than 64 MiB"):
        otlp.decode(json.dumps(document).encode(), as_json=True)


def test_more_spans_than_anybody_sends_at_once_are_refused() -> None:
    message = otlp.read_json(json.dumps(one()).encode())
    scoped = message.resource_spans[0].scope_spans[0]
    scoped.spans.extend([scoped.spans[0]] * otlp.MOST_SPANS)
    with pytest.raises(otlp.TooMuch, match="50001 spans in one request"):
        otlp.spans(message)


def test_more_attributes_than_anybody_sends_at_once_are_refused() -> None:
    message = otlp.read_json(json.dumps(one(attributes=[text("a", "b")])).encode())
    attributes = message.resource_spans[0].scope_spans[0].spans[0].attributes
    attributes.extend([attributes[0]] * otlp.MOST_PARTS)
    with pytest.raises(otlp.TooMuch, match="attributes, events and links"):
        otlp.spans(message)


@pytest.mark.parametrize("said", ["it", "ünïcode", "x" * 300, ""])
def test_a_refusal_is_a_status(said: str) -> None:
    status = otlp.failure(said, as_json=False)
    assert status[:3] == b"\x08\x03\x12"
    assert status.endswith(said.encode())
    assert json.loads(otlp.failure(said, as_json=True)) == {"code": 3, "message": said}


@calm
@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    for as_json in (False, True):
        try:
            found = otlp.decode(body, as_json=as_json)
        except otlp.OtlpError:
            continue
        assert all(wire.normal(each) == each for each in found.fields)


@calm
@given(st.data())
def test_a_request_with_some_bytes_changed_is_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(otlp.read_json(json.dumps(request(ROWS[:3])).encode()).SerializeToString())
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = otlp.decode(bytes(body))
    except otlp.OtlpError:
        return
    assert all(wire.normal(each) == each for each in found.fields)


def test_all_that_a_real_cluster_exported_is_taken() -> None:
    found = decoded(request(ROWS))
    assert (len(found.fields), found.rejected) == (len(ROWS), 0)
