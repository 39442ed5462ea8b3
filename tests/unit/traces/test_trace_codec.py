from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traces.made import any_span, calm
from toolkit.traces import zipkin
from toolkit.traces.model import Annotation, Span
from toolkit.traces.zipkin import ZipkinError

LEAST = {"traceId": "04799b8b27ad65ea9abf4b7f937eb4a9", "id": "7d1821ea32326b78"}


def decoded(**fields: Any) -> Span:
    (span,) = zipkin.decode(json.dumps([{**LEAST, **fields}]).encode())
    return span


def test_a_span_as_zipkin_documents_it_is_read_whole() -> None:
    span = decoded(
        parentId="a213424976448e2e",
        kind="SERVER",
        name="Echo.V1.Echo/Unary",
        timestamp=1795321593143664,
        duration=412,
        localEndpoint={"serviceName": "Consumer", "ipv4": "10.0.0.1", "port": 8080},
        remoteEndpoint={"serviceName": "broker"},
        tags={"rpc.grpc.status_code": "0"},
        annotations=[{"timestamp": 1795321593143665, "value": "ws"}],
        shared=True,
        debug=True,
    )
    assert span == Span(
        trace="04799b8b27ad65ea9abf4b7f937eb4a9",
        id="7d1821ea32326b78",
        name="echo.v1.echo/unary",
        service="consumer",
        parent="a213424976448e2e",
        kind="SERVER",
        timestamp=1795321593143664,
        duration=412,
        remote="broker",
        tags={"rpc.grpc.status_code": "0"},
        annotations=(Annotation(1795321593143665, "ws"),),
        shared=True,
        debug=True,
    )


@calm
@given(st.lists(any_span(), max_size=4))
def test_what_is_encoded_is_decoded_to_the_same_spans(spans: list[Span]) -> None:
    assert zipkin.decode(zipkin.encode(spans)) == spans


@calm
@given(any_span())
def test_equal_spans_give_equal_bytes_however_their_tags_were_put_in(span: Span) -> None:
    turned = dataclasses.replace(span, tags=dict(reversed(list(span.tags.items()))))
    assert zipkin.encode([turned]) == zipkin.encode([span])


def test_keys_stand_in_the_order_in_which_zipkin_writes_them() -> None:
    span = decoded(
        parentId="1", kind="CLIENT", name="n", timestamp=1, duration=1, tags={"b": "1", "a": "2"}, debug=True
    )
    assert zipkin.encode([span]) == (
        b'[{"traceId":"04799b8b27ad65ea9abf4b7f937eb4a9","parentId":"0000000000000001","id":"7d1821ea32326b78",'
        b'"kind":"CLIENT","name":"n","timestamp":1,"duration":1,"tags":{"a":"2","b":"1"},"debug":true}]'
    )


@pytest.mark.parametrize(
    ("given_id", "wanted"),
    [
        ("abc", "0000000000000abc"),
        ("1" * 16, "1" * 16),
        ("1" * 17, "0" * 15 + "1" * 17),
        ("0" * 16 + "1" * 16, "1" * 16),
        ("1" * 32, "1" * 32),
        (5, "0000000000000005"),
    ],
)
def test_trace_ids_are_padded_and_shortened_as_zipkin_does(given_id: Any, wanted: str) -> None:
    assert decoded(traceId=given_id).trace == wanted


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"parentId": "0"}, None),
        ({"parentId": LEAST["id"]}, None),
        ({"parentId": None}, None),
        ({"parentId": "2"}, "0000000000000002"),
    ],
)
def test_no_span_is_its_own_parent_or_the_child_of_zero(fields: dict[str, Any], wanted: str | None) -> None:
    assert decoded(**fields).parent == wanted


@pytest.mark.parametrize(
    ("fields", "attribute", "wanted"),
    [
        ({"name": None}, "name", ""),
        ({"name": "GET"}, "name", "get"),
        ({"name": 5}, "name", "5"),
        ({"kind": None}, "kind", None),
        ({"timestamp": 0}, "timestamp", None),
        ({"timestamp": -5}, "timestamp", None),
        ({"timestamp": "17"}, "timestamp", 17),
        ({"duration": 1e3}, "duration", 1000),
        ({"localEndpoint": {}}, "service", None),
        ({"localEndpoint": {"serviceName": ""}}, "service", None),
        ({"localEndpoint": None}, "service", None),
        ({"remoteEndpoint": {"ipv4": "nonsense", "serviceName": "B"}}, "remote", "b"),
        ({"tags": None}, "tags", {}),
        ({"tags": {"a": 5, "b": 1.50}}, "tags", {"a": "5", "b": "1.5"}),
        ({"shared": None, "debug": False}, "shared", False),
        ({"kind": "CLIENT", "shared": True}, "shared", False),
        ({"unknown": {"a": [1, {"b": None}]}}, "name", ""),
    ],
)
def test_what_zipkin_tolerates_is_tolerated(fields: dict[str, Any], attribute: str, wanted: Any) -> None:
    assert getattr(decoded(**fields), attribute) == wanted


def test_annotations_are_sorted_and_said_once() -> None:
    notes = [{"timestamp": 2, "value": "b"}, {"timestamp": 1, "value": "c"}, {"timestamp": 2, "value": "b"}]
    assert decoded(annotations=notes).annotations == (Annotation(1, "c"), Annotation(2, "b"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"traceId": None}, "traceId is missing"),
        ({"traceId": ""}, "traceId is empty"),
        ({"traceId": "1" * 33}, "traceId has more than 32 digits"),
        ({"traceId": "0" * 32}, "traceId is all zeros"),
        ({"traceId": "ABC"}, "traceId 'ABC' is not lower-case hex"),
        ({"traceId": "٣"}, "traceId '\\u0663' is not lower-case hex"),
        ({"traceId": ["a"]}, "traceId must be a string, not a list"),
        ({"id": "xyz"}, "id 'xyz' is not lower-case hex"),
        ({"id": "0"}, "id is all zeros"),
        ({"id": "1" * 17}, "id has more than 16 digits"),
        ({"id": True}, "id must be a string, not a boolean"),
        ({"parentId": ""}, "parentId is empty"),
        ({"kind": "client"}, "kind 'client' is none of CLIENT, SERVER, PRODUCER, CONSUMER"),
        ({"name": {}}, "name must be a string, not an object"),
        ({"timestamp": 1.5}, "timestamp '1.5' is not a 64-bit integer"),
        ({"timestamp": 2**63}, "timestamp does not fit in 64 bits"),
        ({"timestamp": True}, "timestamp must be an integer, not a boolean"),
        ({"timestamp": "1e999"}, "timestamp '1e999' is not a 64-bit integer"),
        ({"duration": "x"}, "duration 'x' is not an integer"),
        ({"duration": "9" * 5000}, "duration must be an integer, not a string"),
        ({"localEndpoint": "x"}, "localEndpoint must be an object, not a string"),
        ({"localEndpoint": {"port": 70000}}, "localEndpoint.port 70000 is not a port"),
        ({"remoteEndpoint": {"serviceName": []}}, "remoteEndpoint.serviceName must be a string, not a list"),
        ({"tags": []}, "tags must be an object, not a list"),
        ({"tags": {"a": None}}, "a tag's value ('a') is missing"),
        ({"tags": {"a": True}}, "a tag's value ('a') must be a string, not a boolean"),
        ({"annotations": {}}, "annotations must be a list, not an object"),
        ({"annotations": [None]}, "annotations[0] must be an object, not null"),
        ({"annotations": [{"timestamp": 1}]}, "annotations[0].value is missing"),
        ({"annotations": [{"value": "x"}]}, "annotations[0].timestamp is missing"),
        ({"shared": "true"}, "shared must be true or false, not a string"),
        ({"binaryAnnotations": []}, "this is a span of Zipkin v1; v2 has tags instead of binaryAnnotations"),
    ],
)
def test_a_bad_span_is_refused_with_its_index_and_the_reason(fields: dict[str, Any], reason: str) -> None:
    data = json.dumps([LEAST, {**LEAST, **fields}]).encode()
    with pytest.raises(ZipkinError) as caught:
        zipkin.decode(data)
    assert (caught.value.index, caught.value.reason) == (1, reason)
    assert str(caught.value) == f"span 1: {reason}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{}", "not a JSON list of spans (Zipkin v2)"),
        (b"null", "not a JSON list of spans (Zipkin v2)"),
        (b"[", "not JSON: Expecting value at line 1 column 2"),
        (b"[] x", "not JSON: Extra data at line 1 column 4"),
        (b"\x00", "not JSON: Expecting value at line 1 column 1"),
        (b"[\xff]", "not UTF-8 at byte 1"),
        (b"\xef\xbb\xbf[]", "not JSON: Expecting value at line 1 column 1"),
        (b"[NaN]", "not JSON that can be read: NaN is not JSON"),
        (b"[" * 100_000, "not JSON that can be read: nested too deeply"),
    ],
)
def test_a_document_that_is_no_list_of_spans_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ZipkinError) as caught:
        zipkin.decode(data)
    assert (caught.value.index, caught.value.reason) == (None, reason)


def test_an_integer_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(ZipkinError, match="not JSON that can be read"):
        zipkin.decode(b'[{"traceId":' + b"9" * 5000 + b"}]")


def test_more_spans_than_are_taken_are_refused_before_they_are_looked_at() -> None:
    with pytest.raises(ZipkinError, match="3 spans in one list; 2 are the most that are taken"):
        zipkin.decode(b"[1,2,3]", most=2)


@pytest.mark.parametrize("data", [b"", b"[]", b" [ ] "])
def test_no_spans_are_no_error(data: bytes) -> None:
    assert zipkin.decode(data) == []


def test_half_a_character_becomes_a_question_mark_and_a_whole_one_stays() -> None:
    data = b'[{"traceId":"1","id":"1","tags":{"half":"\\ud800!","whole":"\\ud83d\\ude00"}}]'
    (span,) = zipkin.decode(data)
    assert span.tags == {"half": "?!", "whole": "😀"}


def test_a_reason_repeats_little_of_what_was_sent_and_nothing_a_terminal_or_browser_obeys() -> None:
    with pytest.raises(ZipkinError) as caught:
        decoded(traceId="\x1b<script>\u202e")
    assert str(caught.value) == "span 0: traceId '\\x1b\\x3cscript>\\u202e' is not lower-case hex"
    with pytest.raises(ZipkinError) as caught:
        decoded(id="id")
    with pytest.raises(ZipkinError) as caught:
        decoded(kind="K" * 1_000_000)
    assert len(str(caught.value)) < 150


def read_or_reason(data: bytes) -> list[Span] | str:
    try:
        return zipkin.decode(data)
    except ZipkinError as error:
        return str(error)


@calm
@given(st.binary(max_size=60))
def test_bytes_are_spans_or_a_reason_and_nothing_else(data: bytes) -> None:
    assert read_or_reason(data) or data.strip() in (b"", b"[]")


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.sampled_from([1.5, 1e300, "", "1", "x", "CLIENT"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "value"]), inner, max_size=2),
    max_leaves=3,
)
_keys = st.sampled_from(
    [*LEAST, "parentId", "kind", "name", "timestamp", "localEndpoint", "annotations", "tags", "shared"]
)


@calm
@given(st.lists(st.dictionaries(_keys, _json, max_size=3).map(lambda fields: {**LEAST, **fields}), max_size=2))
def test_json_of_any_shape_is_spans_or_a_reason_and_what_is_read_can_be_written(spans: list[Any]) -> None:
    read = read_or_reason(json.dumps(spans).encode())
    assert read.startswith("span ") if isinstance(read, str) else zipkin.decode(zipkin.encode(read)) == read


def test_traces_are_lists_of_lists() -> None:
    span = decoded()
    assert zipkin.decode_traces(b"[" + zipkin.encode([span]) + b",[]]") == [[span], []]
    with pytest.raises(ZipkinError, match="span 1: a trace is a list of spans"):
        zipkin.decode_traces(b"[[],{}]")
