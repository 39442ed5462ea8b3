"""The fast way in makes of every span what `toolkit.traces.wire` makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracestore.asking import wire
from tests.unit.traces.made import calm
from toolkit.engines.tracestore import normal
from toolkit.traces import zipkin

words = st.text(max_size=6) | st.sampled_from(["a", "A", "Ä", "İ", "\ud800", "\u0000", "\u2028", "😀", ""])
numbers = st.integers(-3, 3) | st.integers(2**62, 2**65) | st.sampled_from([1.0, 1e3, 1.5, "17", "x", True, None])
ids = st.text("0123456789abcdefA", max_size=34) | st.sampled_from(["0" * 16, "1" * 16, "0" * 16 + "1" * 16, 5, None])
addresses = st.sampled_from(
    ["1.2.3.4", "01.2.3.4", "::1", "::ffff:1.2.3.4", "1::0001", "2001:DB8::1", "x", "", 4, None]
)
endpoints = (
    st.none()
    | st.just("x")
    | st.fixed_dictionaries(
        {}, optional={"serviceName": words, "ipv4": addresses, "ipv6": addresses, "port": numbers, "other": words}
    )
)
notes = st.lists(st.fixed_dictionaries({"timestamp": st.integers(-2, 3) | numbers, "value": words}), max_size=3)
tags = st.dictionaries(words, words | numbers, max_size=4)
spans = st.fixed_dictionaries(
    {"traceId": ids, "id": ids},
    optional={
        "parentId": ids,
        "kind": st.sampled_from(["CLIENT", "SERVER", "PRODUCER", "CONSUMER", "client", None]),
        "name": words | st.none(),
        "timestamp": numbers,
        "duration": numbers,
        "localEndpoint": endpoints,
        "remoteEndpoint": endpoints,
        "annotations": notes | st.none(),
        "tags": tags | st.none(),
        "debug": st.sampled_from([True, False, None, 1]),
        "shared": st.sampled_from([True, False, None, 1]),
        "unknown": st.sampled_from([None, [], {"a": [1]}, "\ud800"]),
    },
)


def told(body: bytes) -> Any:
    """What both ways say of a document: the spans, or why not."""
    try:
        found: Any = list(zipkin.normalised(body))
    except zipkin.ZipkinError as error:
        found = str(error)
    try:
        return [json.loads(normal.text(each)) for each in normal.read(body)], found
    except zipkin.ZipkinError as error:
        return str(error), found


@calm
@given(st.lists(spans, max_size=3), st.booleans())
def test_any_span_is_read_as_the_rules_have_it(made: list[dict[str, Any]], ascii_only: bool) -> None:
    fast, slow = told(json.dumps(made, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    assert fast == slow


@calm
@given(st.lists(spans.map(lambda span: {**span, "traceId": "a" * 16, "id": "b" * 16}), max_size=3))
def test_any_span_with_good_ids_is_read_as_the_rules_have_it(made: list[dict[str, Any]]) -> None:
    fast, slow = told(json.dumps(made).encode())
    assert fast == slow


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" [] ",
        b"{}",
        b"null",
        b"[null]",
        b"[",
        b"[]x",
        b"\xef\xbb\xbf[]",
        b"[" * 100_000,
        b'[{"traceId":"a","id":"b","x":NaN}]',
        b'[{"traceId":"aaaaaaaaaaaaaaaa","id":"bbbbbbbbbbbbbbbb","x":"\xff"}]',
        b'[{"traceId":"aaaaaaaaaaaaaaaa","id":"bbbbbbbbbbbbbbbb","name":"a\x01"}]',
        b'[{"traceId":"aaaaaaaaaaaaaaaa","id":"bbbbbbbbbbbbbbbb","binaryAnnotations":[]}]',
        b'[{"traceId":"aaaaaaaaaaaaaaaa","id":"bbbbbbbbbbbbbbbb","id":"cccccccccccccccc","tags":{"a":"1","a":"2"}}]',
    ],
)
def test_an_odd_document_is_read_or_refused_as_the_rules_have_it(body: bytes) -> None:
    fast, slow = told(body)
    assert fast == slow


@calm
@given(st.lists(spans, min_size=1, max_size=3))
def test_what_is_kept_is_read_back_as_it_was(made: list[dict[str, Any]]) -> None:
    fields = [wire(1), *made]
    try:
        kept = normal.read(json.dumps(fields).encode())
    except zipkin.ZipkinError:
        kept = normal.read(json.dumps(fields[:1]).encode())
    texts = [normal.text(each) for each in kept]
    assert normal.texts(b",".join(texts)) == texts
    assert [normal.text(each) for each in normal.stored(b",".join(texts))] == texts
    assert [normal.span(each) for each in kept] == [zipkin.to_span(json.loads(each)) for each in texts]


def test_the_order_of_keys_and_tags_is_no_difference() -> None:
    span = wire(1, tags={"b": "2", "a": "1"}, kind="SERVER")
    turned = dict(reversed(span.items()), tags={"a": "1", "b": "2"})
    one, other = normal.read(json.dumps([span, turned], indent=1).encode())
    assert normal.text(one) == normal.text(other)
