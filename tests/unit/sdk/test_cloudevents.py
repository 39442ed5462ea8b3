"""The CloudEvents codec against the specification and, where it is not known to be wrong, the cloudevents package."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Mapping
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from toolkit.sdk.cloudevents import Event, EventError, decode, encode_binary, encode_structured, is_json, members

BASE = {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}
STRUCTURED = (b"content-type", b"application/cloudevents+json; charset=UTF-8")


def binary(**attributes: str) -> list[tuple[bytes, bytes]]:
    return [(f"ce-{name}".encode(), value.encode()) for name, value in {**BASE, **attributes}.items()]


def structured(**members: Any) -> bytes:
    return json.dumps({**BASE, **members}).encode()


def test_binary_mode_is_read() -> None:
    headers = [*binary(subject="sub", ext="v"), (b"Content-Type", b"application/json")]
    event = decode(headers, b'{"n":1}')
    assert event.attributes == {**BASE, "subject": "sub", "ext": "v", "datacontenttype": "application/json"}
    assert (event.id, event.source, event.type, event.get("subject"), event.get("none")) == (
        "1",
        "/s",
        "t",
        "sub",
        None,
    )
    assert event.data == b'{"n":1}'


def test_header_names_are_read_in_any_case() -> None:
    headers = [(name.upper(), value) for name, value in binary(ext="v")]
    assert decode(headers, b"").get("ext") == "v"


def test_no_body_is_no_data() -> None:
    assert decode(binary(), b"").data is None


def test_percent_escapes_of_headers_are_undone_and_made() -> None:
    event = Event({**BASE, "ext": 'Euro € 😀 "%"'})
    headers, _ = encode_binary(event)
    assert (b"ce-ext", b"Euro%20%E2%82%AC%20%F0%9F%98%80%20%22%25%22") in headers
    assert decode(headers, b"") == event


@pytest.mark.parametrize(("sent", "read"), [("100%", "100%"), ("%zz", "%zz"), ("a%20b", "a b"), ("%c3%a9", "é")])
def test_a_percent_sign_that_escapes_nothing_stays(sent: str, read: str) -> None:
    assert decode(binary(ext=sent), b"").get("ext") == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ('"a b"', "a b"),
        (r'"say \"hi\" \\ \x"', r'say "hi" \ x'),
        ('"a%20b%22"', 'a b"'),  # unquoted first, then decoded
        ("%22a%22", '"a"'),  # and only once
        (r'"\"%22\""', '"""'),
        (r'"\%41"', "A"),
        ('""', ""),
        ('"é"', "é"),
        ('"', '"'),
        ('"open', '"open'),
        ('open"', 'open"'),
        (r'"open\"', r'"open\"'),
        ('"a" and "b"', '"a" and "b"'),
        ('a "b" c', 'a "b" c'),
        ("'a'", "'a'"),
    ],
)
def test_a_header_in_double_quotes_is_taken_out_of_them(sent: str, read: str) -> None:
    assert decode(binary(ext=sent), b"").get("ext") == read


def test_quotes_of_required_attributes_and_of_times_are_undone_too_but_not_of_the_content_type() -> None:
    quoted = [(name, b'"%b"' % value) for name, value in binary(time="2026-01-02T03:04:05Z")]
    event = decode([*quoted, (b"Content-Type", b'text/plain; charset="utf-8"')], b"x")
    expected = {**BASE, "time": "2026-01-02T03:04:05Z", "datacontenttype": 'text/plain; charset="utf-8"'}
    assert event.attributes == expected


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="%"), max_size=50))
def test_whatever_is_quoted_is_read_as_it_was(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert decode(binary(ext=quoted), b"").get("ext") == text


def test_header_bytes_that_are_not_utf_8_are_latin_1() -> None:
    assert decode([*binary(), (b"ce-ext", b"\xe9")], b"").get("ext") == "é"


def test_structured_mode_is_read() -> None:
    body = structured(datacontenttype="application/json", data={"n": [1, None]}, num=5, flag=True, none=None)
    event = decode([STRUCTURED], body)
    assert event.attributes == {**BASE, "datacontenttype": "application/json", "num": "5", "flag": "true"}
    assert event.data == b'{"n": [1, null]}'


@pytest.mark.parametrize(
    ("extra", "data"),
    [
        ({}, None),
        ({"data": None}, None),
        ({"data": "x"}, b'"x"'),
        ({"data": "x", "datacontenttype": "text/plain"}, b"x"),
        ({"data": "é", "datacontenttype": "text/plain"}, "é".encode()),
        ({"data": 1.50, "datacontenttype": "application/vnd.x+json"}, b"1.5"),
        ({"data_base64": "AAH/"}, b"\x00\x01\xff"),
        ({"data_base64": None}, None),
    ],
)
def test_data_of_every_form_are_read(extra: Mapping[str, Any], data: bytes | None) -> None:
    assert decode([STRUCTURED], structured(**extra)).data == data


def test_json_data_keep_their_own_bytes() -> None:
    data = '{ "z" : 1 ,\n "a":  1.50, "e":"\\u00e9\\/", "big": 123456789012345678901234567890 }'
    body = json.dumps(BASE)[:-1].encode() + b', "data" :  ' + data.encode() + b" }"
    assert decode([STRUCTURED], body).data == data.encode()


def test_a_structured_message_wins_over_ce_headers() -> None:
    assert decode([*binary(id="header"), STRUCTURED], structured()).id == "1"


REFUSED: dict[str, tuple[list[tuple[bytes, bytes]], bytes, str]] = {
    "no event at all": ([(b"content-type", b"application/json")], b"{}", "no CloudEvent"),
    "no id": (binary()[1:], b"", "'id' is missing"),
    "an empty source": (binary(source=""), b"", "'source' is missing or empty"),
    "an empty source in quotes": (binary(source='""'), b"", "'source' is missing or empty"),
    "no specversion": (binary()[:3], b"", "'specversion' is missing"),
    "another version": (binary(specversion="0.3"), b"", "'0.3' is not supported"),
    "a header twice": ([*binary(), (b"ce-id", b"2")], b"", "not allowed twice"),
    "ce-datacontenttype": (binary(datacontenttype="x/y"), b"", "not allowed"),
    "a bad name": (binary(my_ext="x"), b"", "'my_ext' is no attribute name"),
    "a name of nothing": ([*binary(), (b"ce-", b"x")], b"", "is no attribute name"),
    "a bad time": (binary(time="yesterday"), b"", "not RFC 3339"),
    "an empty subject": (binary(subject=""), b"", "'subject' is empty"),
    "a batch": ([(b"content-type", b"application/cloudevents-batch+json")], b"[]", "is not supported"),
    "another format": ([(b"content-type", b"application/cloudevents+xml")], b"<x/>", "is not supported"),
    "no JSON": ([STRUCTURED], b"{", "not a JSON object"),
    "an empty body": ([STRUCTURED], b"", "not a JSON object"),
    "an array": ([STRUCTURED], b"[]", "not a JSON object"),
    "two objects": ([STRUCTURED], b"{}{}", "something follows"),
    "NaN": ([STRUCTURED], b'{"id":NaN}', "is not JSON"),
    "a bad number": ([STRUCTURED], b'{"id":01}', "not a JSON object"),
    "a control character": ([STRUCTURED], b'{"id":"\x01"}', "not a JSON object"),
    "a byte order mark": ([STRUCTURED], b"\xef\xbb\xbf" + structured(), "not a JSON object"),
    "too deep": ([STRUCTURED], b'{"data":' + b"[" * 100_000, "not a JSON object"),
    "a number as id": ([STRUCTURED], structured(id=1.5), "'id' is neither"),
    "an object as extension": ([STRUCTURED], structured(ext={}), "'ext' is neither"),
    "an integer too large": ([STRUCTURED], structured(ext=2**31), "'ext' is neither"),
    "data twice over": ([STRUCTURED], structured(data=1, data_base64="AA=="), "both"),
    "no base64": ([STRUCTURED], structured(data_base64="?"), "not base64"),
    "base64 that is a number": ([STRUCTURED], structured(data_base64=1), "not base64"),
    "an object as text": ([STRUCTURED], structured(data={}, datacontenttype="text/plain"), "no string"),
    "a lone surrogate": ([STRUCTURED], structured(ext="\ud800"), "not Unicode"),
    "an upper-case name": ([STRUCTURED], structured(MyExt="x"), "no attribute name"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_event_is_refused_with_the_reason(what: str) -> None:
    headers, body, reason = REFUSED[what]
    with pytest.raises(EventError, match=reason):
        decode(headers, body)


@pytest.mark.parametrize("encode", [encode_binary, encode_structured])
@pytest.mark.parametrize("attributes", [{}, {**BASE, "id": ""}, {**BASE, "Ext": "x"}, {**BASE, "data": "x"}])
def test_an_invalid_event_is_never_sent(encode: Any, attributes: Mapping[str, str]) -> None:
    with pytest.raises(EventError):
        encode(Event(attributes))


def test_a_content_type_that_would_break_the_headers_is_never_sent() -> None:
    with pytest.raises(EventError, match="datacontenttype"):
        encode_binary(Event({**BASE, "datacontenttype": "a\r\nb: c"}, b""))


def test_an_attribute_that_is_no_string_is_never_sent() -> None:
    with pytest.raises(EventError, match="int, not a string"):
        encode_structured(Event({**BASE, "num": 5}))  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("content_type", "data", "member"),
    [
        ("application/json", b'{"n":1}', '"data":{"n":1}'),
        (None, b"[1]", '"data":[1]'),
        ("application/json", b"not json", '"data_base64":"bm90IGpzb24="'),
        ("application/json", b"NaN", '"data_base64":"TmFO"'),
        ("text/plain", "é".encode(), '"data":"é"'),
        ("text/plain", b"\xff", '"data_base64":"/w=="'),
        ("image/png", b"\x89PNG", '"data_base64":"iVBORw=="'),
    ],
)
def test_structured_data_take_the_form_their_type_asks_for(content_type: str | None, data: bytes, member: str) -> None:
    attributes = {**BASE, "datacontenttype": content_type} if content_type else BASE
    event = Event(attributes, data)
    headers, body = encode_structured(event)
    assert member in body.decode()
    assert decode(headers, body) == event


@pytest.mark.parametrize(
    ("content_type", "json_like"),
    [(None, True), ("application/json; charset=x", True), ("text/x+JSON", True), ("json", False), ("a/jsonx", False)],
)
def test_json_types_are_told_from_others(content_type: str | None, json_like: bool) -> None:
    assert is_json(content_type) is json_like


# --- round trips and the oracle --------------------------------------------------------------------------------------

names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20).filter(
    lambda name: name not in {*BASE, "data", "subject", "time", "dataschema", "datacontenttype", "database64"}
)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
events = st.builds(
    lambda required, extensions, data: Event({**extensions, **required}, data or None),
    st.fixed_dictionaries(
        {"id": texts, "source": texts, "type": texts, "specversion": st.just("1.0")},
        optional={"subject": texts, "datacontenttype": st.sampled_from(["application/json", "text/plain", "x/y"])},
    ),
    st.dictionaries(names, texts, max_size=4),
    st.binary(max_size=50),
)


@given(events)
def test_an_event_survives_binary_mode(event: Event) -> None:
    assert decode(*encode_binary(event)) == event


@pytest.mark.parametrize("data", [b" 0", b"0\n", b"\t{}\r", b" "])
def test_white_space_around_json_survives_structured_mode(data: bytes) -> None:
    event = Event({**BASE, "datacontenttype": "application/json"}, data)
    assert decode(*encode_structured(event)) == event


@given(events)
def test_an_event_survives_structured_mode(event: Event) -> None:
    headers, body = encode_structured(event)
    json.loads(body)
    assert decode(headers, body) == event


def as_message(headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> HTTPMessage:
    return HTTPMessage({name.decode().lower(): value.decode() for name, value in headers}, body)


@given(st.dictionaries(names, texts, max_size=3), st.integers(-1000, 1000))
def test_the_cloudevents_package_reads_what_we_write(extensions: Mapping[str, str], number: int) -> None:
    event = Event({**extensions, **BASE, "datacontenttype": "application/json"}, json.dumps({"n": number}).encode())
    for encode in (encode_binary, encode_structured):
        read = from_http_event(as_message(*encode(event)))
        assert (read.get_id(), read.get_source(), read.get_type()) == ("1", "/s", "t")
        assert {name: read.get_extension(name) for name in extensions} == extensions
        assert read.get_data() == {"n": number}


@given(st.dictionaries(names, texts, max_size=3), st.binary(min_size=1, max_size=20))
def test_we_read_what_the_cloudevents_package_writes(extensions: Mapping[str, str], data: bytes) -> None:
    attributes = {**extensions, **BASE, "datacontenttype": "application/octet-stream", "subject": "sub"}
    for write in (to_binary_event, to_structured_event):
        message = write(CloudEvent(dict(attributes), data))
        headers = [(name.encode(), value.encode()) for name, value in message.headers.items()]
        event = decode(headers, message.body)
        assert event.data == data
        assert {name: event.get(name) for name in attributes} == attributes


@given(st.binary(max_size=100))
def test_any_bytes_are_members_or_an_event_error(body: bytes) -> None:
    try:
        found = members(body)
    except EventError:
        found = []
    assert all(raw.strip() for _, _, raw in found)


def test_members_are_given_with_their_own_bytes() -> None:
    encoded = base64.b64encode(b"x").decode()
    found = members(b'{"a": 1 ,"b":\n"\xff", "c":"' + encoded.encode() + b'"}')
    assert found == [("a", 1, b" 1"), ("b", "\udcff", b'\n"\xff"'), ("c", encoded, b'"eA=="')]
