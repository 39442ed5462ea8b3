"""Zipkin's protobuf form: spans survive it, it means what JSON means, and nothing that is sent can break it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from toolkit.stubs import zipkin_pb2
from toolkit.traces import protowire, wire, zipkin, zipkinproto
from toolkit.traces.model import Annotation, Span

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
NAME = TEXT.map(str.lower)
TIME = st.integers(1, (1 << 63) - 1)
HEX = st.integers(1, (1 << 64) - 1).map("{:016x}".format)
ENDPOINT = st.fixed_dictionaries(
    {},
    optional={
        "serviceName": NAME.filter(bool),
        "ipv4": st.ip_addresses(v=4).map(str),
        "ipv6": st.ip_addresses(v=6).map(str).filter(lambda each: not each.startswith("::ffff:")),
        "port": st.integers(1, 65535),
    },
).filter(bool)
SPANS = st.fixed_dictionaries(
    {"traceId": st.one_of(HEX, st.tuples(HEX, HEX).map("".join)), "id": HEX},
    optional={
        "parentId": HEX,
        "kind": st.sampled_from(sorted(wire.KINDS)),
        "name": NAME.filter(bool),
        "timestamp": TIME,
        "duration": TIME,
        "localEndpoint": ENDPOINT,
        "remoteEndpoint": ENDPOINT,
        "annotations": st.lists(st.fixed_dictionaries({"timestamp": TIME, "value": TEXT.filter(bool)}), max_size=3),
        "tags": st.dictionaries(TEXT.filter(bool), TEXT, max_size=3),
        "debug": st.just(value=True),
        "shared": st.just(value=True),
    },
).map(wire.normal)


@given(st.lists(SPANS, max_size=4))
def test_a_span_in_zipkins_normal_form_survives_protobuf(spans: list[dict[str, Any]]) -> None:
    assert list(zipkinproto.normalised(zipkinproto.encoded(spans))) == spans


@given(st.lists(SPANS, max_size=4))
def test_protobuf_and_json_tell_the_same_spans(spans: list[dict[str, Any]]) -> None:
    from_json = zipkin.decode(json.dumps(spans).encode())
    assert zipkinproto.decode(zipkinproto.encoded(spans)) == from_json
    assert zipkinproto.decode(zipkinproto.encode(from_json)) == zipkin.decode(zipkin.encode(from_json)) == from_json


@given(st.lists(SPANS, max_size=3), st.lists(SPANS, max_size=3))
def test_two_lists_one_behind_the_other_are_one(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    assert zipkinproto.encoded(first) + zipkinproto.encoded(second) == zipkinproto.encoded([*first, *second])


def judged(data: bytes) -> str | None:
    """What is wrong with how `data` is read; None: it is refused in a sentence, or its spans are spans."""
    try:
        spans = zipkinproto.decode(data)
    except zipkin.ZipkinError as error:
        return None if str(error).isprintable() else "a reason that cannot be printed"
    return None if spans and zipkin.decode(zipkin.encode(spans)) == spans else "spans that are none"


@given(st.binary(max_size=200))
def test_any_bytes_are_spans_or_are_refused_in_a_sentence(data: bytes) -> None:
    assert judged(data) is None or not data


@given(SPANS, st.data())
def test_a_list_that_is_cut_is_no_list(span: dict[str, Any], data: st.DataObject) -> None:
    whole = zipkinproto.encoded([span])
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(zipkin.ZipkinError):
        zipkinproto.decode(whole[:cut])


@given(SPANS, st.data())
def test_a_changed_byte_breaks_nothing_but_the_list(span: dict[str, Any], data: st.DataObject) -> None:
    whole = bytearray(zipkinproto.encoded([span, span]))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    assert judged(bytes(whole)) is None


def sent(**fields: Any) -> bytes:
    least = {"trace_id": b"\1" * 16, "id": b"\2" * 8}
    return zipkin_pb2.ListOfSpans(spans=[zipkin_pb2.Span(**{**least, **fields})]).SerializeToString()


def test_what_zipkin_passes_over_is_passed_over() -> None:
    note, tag = zipkin_pb2.Annotation, zipkin_pb2.Tag
    nowhere = zipkin_pb2.Endpoint(ipv4=b"\1\2\3", ipv6=b"")
    odd = sent(
        kind=9,
        timestamp=(1 << 64) - 1,
        duration=1 << 63,
        parent_id=b"\0" * 8,
        local_endpoint=nowhere,
        annotations=[note(), note(timestamp=5), note(value=b"x")],
        tags=[tag(), tag(value=b"x")],
    )
    assert zipkinproto.decode(odd) == [Span("01" * 16, "02" * 8, "")]


def test_text_that_is_not_utf_8_is_put_right() -> None:
    note, tag = zipkin_pb2.Annotation(timestamp=5, value=b"\xff"), zipkin_pb2.Tag(key=b"k\xfe", value=b"\xc3(")
    (span,) = zipkinproto.decode(sent(name=b"\xffX", annotations=[note], tags=[tag]))
    assert span == Span(
        "01" * 16, "02" * 8, "\ufffdx", tags={"k\ufffd": "\ufffd("}, annotations=(Annotation(5, "\ufffd"),)
    )


def test_a_time_before_the_epoch_stays_where_it_is_in_an_annotation() -> None:
    (span,) = zipkinproto.decode(sent(annotations=[zipkin_pb2.Annotation(timestamp=(1 << 64) - 3, value=b"x")]))
    assert span.annotations == (Annotation(-3, "x"),)
    assert zipkinproto.decode(zipkinproto.encode([span])) == [span]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b""}, "span 0: traceId is empty"),
        ({"trace_id": b"\1" * 17}, "span 0: traceId has more than 32 digits"),
        ({"trace_id": b"\0" * 16}, "span 0: traceId is all zeros"),
        ({"id": b""}, "span 0: id is empty"),
        ({"id": b"\0" * 8}, "span 0: id is all zeros"),
        ({"id": b"\1" * 9}, "span 0: id has more than 16 digits"),
        ({"parent_id": b"\1" * 9}, "span 0: parentId has more than 16 digits"),
        ({"kind": -1}, "span 0: kind is negative"),
        ({"local_endpoint": zipkin_pb2.Endpoint(port=70000)}, "span 0: localEndpoint.port 70000 is not a port"),
        ({"remote_endpoint": zipkin_pb2.Endpoint(port=-1)}, "span 0: an endpoint's port is negative"),
    ],
)
def test_a_span_that_is_none_is_named_with_its_index(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(zipkin.ZipkinError) as refused:
        zipkinproto.decode(sent(**fields))
    assert str(refused.value) == reason


@pytest.mark.parametrize("data", [b"[]", b"xxxxx", b"\x12\x00", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 300, b"\x00"])
def test_what_is_no_list_of_spans_is_refused(data: bytes) -> None:
    with pytest.raises(zipkin.ZipkinError, match="not a protobuf ListOfSpans"):
        zipkinproto.decode(data)


def test_more_spans_than_are_taken_are_refused() -> None:
    with pytest.raises(zipkin.ZipkinError, match="3 spans in one list; 2 are the most that are taken"):
        zipkinproto.decode(sent() * 3, most=2)


@given(st.lists(SPANS, max_size=4))
def test_spans_are_counted_before_they_are_read(spans: list[dict[str, Any]]) -> None:
    data = zipkinproto.encoded(spans)
    assert protowire.spans(data, protowire.ZIPKIN, most=len(spans)) == len(spans)
    if spans:
        with pytest.raises(protowire.TooMuch, match="are the most that are taken"):
            protowire.spans(data, protowire.ZIPKIN, most=len(spans) - 1)


@given(st.binary(max_size=100))
def test_what_can_be_read_can_be_counted(data: bytes) -> None:
    try:
        read = zipkin_pb2.ListOfSpans.FromString(data)
    except DecodeError:
        return
    assert protowire.spans(data, protowire.ZIPKIN, most=1000) >= len(read.spans)


def test_no_bytes_are_no_spans() -> None:
    assert zipkinproto.decode(b"") == []
