"""Spans out of bytes that come bit by bit."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traces.test_trace_proto import SPANS
from toolkit.traces import streams, zipkin, zipkinproto
from toolkit.traces.streams import Bad

FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "a list": lambda spans: json.dumps(spans).encode(),
    "a list with blanks": lambda spans: b"\n " + json.dumps(spans, indent=2).encode() + b"\r\n",
    "a list of traces": lambda spans: json.dumps([[each] for each in spans] + [[]]).encode(),
    "a span a line": lambda spans: b"".join(zipkin.text(each).encode() + b"\n" for each in spans),
    "protobuf": zipkinproto.encoded,
    "gzip": lambda spans: gzip.compress(json.dumps(spans).encode()),
    "two members of gzip": lambda spans: gzip.compress(json.dumps(spans).encode()) + gzip.compress(b" []"),
}
LEAST = {"traceId": "a" * 32, "id": "b" * 16}


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("form", FORMS)
@given(spans=st.lists(SPANS, max_size=5), size=st.integers(1, 300))
def test_spans_are_read_in_whatever_form_and_pieces_they_come(
    form: str, spans: list[dict[str, Any]], size: int
) -> None:
    assert list(streams.spans(cut(FORMS[form](spans), size))) == spans


@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_are_spans_or_are_refused_in_a_sentence(data: bytes, size: int) -> None:
    assert said(data, size).isprintable()


@pytest.mark.parametrize("form", FORMS)
@given(spans=st.lists(SPANS, min_size=1, max_size=3), data=st.data())
def test_a_changed_byte_is_told_or_harmless(form: str, spans: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = bytearray(FORMS[form](spans))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    assert said(bytes(whole), 50).isprintable()


def said(data: bytes, size: int = 64) -> str:
    """The first reason why something is no span; "" when everything is."""
    try:
        return next((each.reason for each in streams.spans(cut(data, size)) if isinstance(each, Bad)), "")
    except zipkin.ZipkinError as error:
        return str(error)


def test_every_bad_span_is_told_with_its_index_and_the_others_are_read() -> None:
    bad = [{}, 5, None, "x", {**LEAST, "kind": "no"}]
    found = list(streams.spans([json.dumps([LEAST, *bad, LEAST]).encode()]))
    assert found[0] == found[-1] == LEAST
    assert [(each.index, each.reason) for each in found[1:-1] if isinstance(each, Bad)] == [
        (1, "traceId is missing"),
        (2, "a span is a JSON object, not a number"),
        (3, "a span is a JSON object, not null"),
        (4, "a span is a JSON object, not a string"),
        (5, "kind 'no' is none of CLIENT, SERVER, PRODUCER, CONSUMER"),
    ]


def test_a_bad_message_is_told_with_its_index() -> None:
    good = zipkinproto.encoded([LEAST])
    assert list(streams.spans([good, b"\x0a\x02\x1a\x00", good])) == [LEAST, Bad(1, "traceId is empty"), LEAST]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"xxxx", "no list of spans: 'x' 0 characters from the start"),
        (b"[", "no list of spans: 'the end' 1 characters from the start"),
        (b"[{}", "not JSON: 'the end' where , or ] should be, 3 characters from the start"),
        (b"[{} {}]", "not JSON: '{' where , or ] should be, 4 characters from the start"),
        (b"[{},]", "not JSON: nothing behind a comma, 4 characters from the start"),
        (b'[{"a":}]', "not JSON: Expecting value, 6 characters from the start"),
        (b"[nope]", "not JSON: Expecting value, 1 characters from the start"),
        (b"[NaN]", "not JSON that can be read: NaN is not JSON, 1 characters from the start"),
        (b"[" * 100_000, "not JSON that can be read: nested too deeply, 2 characters from the start"),
        (b"5", "no list of spans: '5' 0 characters from the start"),
        (b'[{"a": "\xff"}]', "not UTF-8: invalid start byte"),
        (b"\x0a\x05ab", "protobuf that ends within a span"),
        (b"\x0a\xff\xff\xff\xff\xff\xff", "not a protobuf ListOfSpans (Zipkin v2): a span of more than 16 MiB"),
        (b"\x0a\x00\x12\x00", "not a protobuf ListOfSpans (Zipkin v2)"),
        (gzip.compress(b"[]", mtime=0)[:-4], "gzip that ends too early"),
        (b"\x1f\x8bxxxxxxxx", "gzip that cannot be unpacked"),
    ],
)
def test_what_cannot_be_read_further_is_refused_with_its_place(data: bytes, reason: str) -> None:
    with pytest.raises(zipkin.ZipkinError) as refused:
        list(streams.spans([data]))
    assert str(refused.value) == reason


@pytest.mark.parametrize("data", [b"", b"\n\n  ", b"[]", b"[[]]", gzip.compress(b"", mtime=0)])
def test_nothing_is_no_span(data: bytes) -> None:
    assert list(streams.spans([data])) == []


def test_spans_are_handed_on_before_the_end_has_come() -> None:
    def endless() -> Iterator[bytes]:
        yield b"["
        while True:
            yield zipkin.text(LEAST).encode() + b","

    assert list(islice(streams.spans(endless()), 10_000)) == [LEAST] * 10_000
