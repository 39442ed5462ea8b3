"""CloudEvents 1.0 over HTTP: an event as a value, and its binary and structured forms.

May live here: what any sender and receiver owes the specification (HTTP protocol binding 1.0.2, JSON format 1.0.2).
May not: what a particular broker makes of an event on the way; that is the broker's. Nothing is invented on receipt: an
event without id or time stays without (the `cloudevents` package generates them, so a relay built on it would lie).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]

REQUIRED = ("id", "source", "specversion", "type")
STRUCTURED = b"application/cloudevents+json"

_NAME = re.compile(r"[a-z0-9]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MUST_ENCODE = re.compile(rb"[^\x21\x23-\x24\x26-\x7e]")  # all but U+0021..U+007E without `"` and `%`
_JSON_TYPE = re.compile(r"[^;]*[/+]json\s*(;.*)?", re.IGNORECASE | re.DOTALL)
_SPACE = b" \t\r\n"
_BLANKS = (" ", "\t", "\r", "\n")


class EventError(ValueError):
    """What came (or is to be sent) is no CloudEvent; the text says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `attributes` holds every context attribute as its canonical string, `datacontenttype` included.

    `data` is what the producer's bytes were (JSON data: its JSON text); None: there is none.
    """

    attributes: Mapping[str, str]
    data: bytes | None = field(default=None)

    @property
    def id(self) -> str:
        return self.attributes["id"]

    @property
    def type(self) -> str:
        return self.attributes["type"]

    @property
    def source(self) -> str:
        return self.attributes["source"]

    def get(self, name: str) -> str | None:
        """An optional or extension attribute, None when absent."""
        return self.attributes.get(name)


def decode(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Event:
    """The event of an HTTP message in binary or structured mode; raises EventError with the reason."""
    headers = tuple(headers)
    content_type = next((value for name, value in headers if name.lower() == b"content-type"), None)
    if content_type is not None and content_type[:23].lower() == b"application/cloudevents":
        return _decode_structured(content_type, body)
    return _decode_binary(headers, content_type, body)


def encode_binary(event: Event) -> tuple[Headers, bytes]:
    """Headers and body in binary mode; raises EventError when the event is not valid."""
    check(event.attributes)
    headers = [
        (b"ce-" + name.encode(), _percent_encode(value))
        for name, value in event.attributes.items()
        if name != "datacontenttype"
    ]
    content_type = event.attributes.get("datacontenttype")
    if content_type is not None:
        headers.append((b"Content-Type", _plain(content_type)))
    return tuple(headers), event.data or b""


def encode_structured(event: Event) -> tuple[Headers, bytes]:
    """Headers and body in structured mode (JSON format); raises EventError when the event is not valid."""
    check(event.attributes)
    text = json.dumps(dict(event.attributes), ensure_ascii=False, separators=(",", ":")).encode()
    if event.data is not None:
        text = text[:-1] + b"," + _data_member(event.data, event.attributes.get("datacontenttype")) + b"}"
    return ((b"Content-Type", STRUCTURED + b"; charset=UTF-8"),), text


def check(attributes: Mapping[str, str]) -> None:
    """Raise EventError unless these are the attributes of a valid CloudEvent 1.0."""
    for name in REQUIRED:
        if not attributes.get(name):
            raise EventError(f"the attribute {name!r} is missing or empty")
    if attributes["specversion"] != "1.0":
        raise EventError(f"specversion {attributes['specversion']!r} is not supported; this is CloudEvents 1.0")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name) or name == "data":
            raise EventError(f"{name!r} is no attribute name: only a-z and 0-9")
        if not isinstance(value, str):
            raise EventError(f"the attribute {name!r} is {type(value).__name__}, not a string")
    for name in ("subject", "dataschema", "datacontenttype"):
        if attributes.get(name) == "":
            raise EventError(f"the attribute {name!r} is empty; leave it out instead")
    time = attributes.get("time")
    if time is not None and not _TIME.fullmatch(time):
        raise EventError(f"time {time!r} is not RFC 3339")


def is_json(content_type: str | None) -> bool:
    """Whether data of that type is JSON; data of no type is, too (JSON format 1.0.2, section 3.1)."""
    return content_type is None or _JSON_TYPE.fullmatch(content_type) is not None


def members(body: bytes, clean: bytes | None = None) -> list[tuple[str, Any, bytes]]:
    """The members of one JSON object in order: name, value, and the value's own bytes; raises EventError.

    The value's bytes are all that follows its colon, white space included. Names and values may hold lone surrogates
    where the bytes were not UTF-8 (surrogateescape). `clean`, if given, is what to parse in place of `body`: it differs
    from it only in characters that were replaced one for one.
    """
    text = body.decode("utf-8", "surrogateescape")
    try:
        found = _members(text if clean is None else clean.decode("utf-8", "surrogateescape"))
        return [(name, value, text[a:b].encode("utf-8", "surrogateescape")) for name, value, a, b in found]
    except (ValueError, RecursionError) as error:
        raise EventError(f"the body is not a JSON object: {error}") from None


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


# Python refuses to parse integers beyond 4300 digits; data may hold them all the same, and stays as its own bytes.
_json = json.JSONDecoder(
    parse_constant=_no_constant, parse_int=lambda text: int(text) if len(text) < 20 else float(text)
)


def _members(text: str) -> list[tuple[str, Any, int, int]]:
    at = _skip(text, _expect(text, 0, "{"))
    found: list[tuple[str, Any, int, int]] = []
    if text[at : at + 1] == "}":
        at += 1
    else:
        while True:
            if text[at : at + 1] != '"':
                raise ValueError(f"a name is expected at {at}")
            name, at = _json.raw_decode(text, at)
            start = _expect(text, at, ":")
            value, end = _json.raw_decode(text, _skip(text, start))
            found.append((name, value, start, end))
            at = _skip(text, end) + 1
            if text[at - 1 : at] == "}":
                break
            if text[at - 1 : at] != ",":
                raise ValueError(f"',' or '}}' is expected at {at - 1}")
            at = _skip(text, at)
    if _skip(text, at) != len(text):
        raise ValueError("something follows the object")
    return found


def _expect(text: str, at: int, what: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != what:
        raise ValueError(f"{what!r} is expected at {at}")
    return at + 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in _BLANKS:
        at += 1
    return at


def _decode_binary(headers: Headers, content_type: bytes | None, body: bytes) -> Event:
    attributes: dict[str, str] = {}
    for name, value in headers:
        if name[:3].lower() == b"ce-":
            attribute = name[3:].lower().decode("latin-1")
            if attribute in attributes or attribute == "datacontenttype":
                raise EventError(f"the header 'ce-{attribute}' is not allowed" + " twice" * (attribute in attributes))
            attributes[attribute] = _header_value(value)
    if not attributes:
        raise EventError("no 'ce-' header and no 'application/cloudevents' content type: this is no CloudEvent")
    if content_type is not None:
        attributes["datacontenttype"] = _text(content_type)
    check(attributes)
    return Event(attributes, body or None)


def _decode_structured(content_type: bytes, body: bytes) -> Event:
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type != STRUCTURED:
        raise EventError(f"{media_type.decode('latin-1')!r} is not supported; only {STRUCTURED.decode()!r} is")
    attributes: dict[str, str] = {}
    data: dict[str, tuple[Any, bytes]] = {}
    for name, value, raw in members(body):
        if name in ("data", "data_base64"):
            data[name] = (value, raw)
        elif value is not None:
            attributes[name] = _canonical(name, value)
    if len(data) > 1:
        raise EventError("both 'data' and 'data_base64' are there")
    check(attributes)
    return Event(attributes, _data(data, attributes.get("datacontenttype")))


def _canonical(name: str, value: Any) -> str:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise EventError(f"the attribute {name!r} is not Unicode text") from None
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return str(value)
    raise EventError(f"the attribute {name!r} is neither a string, a boolean nor a 32-bit integer")


def _data(found: Mapping[str, tuple[Any, bytes]], content_type: str | None) -> bytes | None:
    if "data_base64" in found:
        text = found["data_base64"][0]
        try:
            return base64.b64decode(text, validate=True) if text is not None else None
        except (binascii.Error, TypeError, ValueError):
            raise EventError("'data_base64' is not base64") from None
    value, raw = found.get("data", (None, b""))
    if value is None:
        return None
    if is_json(content_type):
        return raw.lstrip()
    if not isinstance(value, str):
        raise EventError(f"'data' is no string, although its type is {content_type!r}")
    return value.encode("utf-8", "surrogateescape")


def _data_member(data: bytes, content_type: str | None) -> bytes:
    if is_json(content_type) and data.strip(_SPACE) == data:  # white space around it would be lost on the way
        try:
            _json.decode(data.decode())
        except (ValueError, RecursionError):
            pass  # it says JSON and is not: the bytes still have to arrive
        else:
            return b'"data":' + data
    elif content_type is not None and content_type.lower().startswith("text/"):
        try:
            return b'"data":' + json.dumps(data.decode(), ensure_ascii=False).encode()
        except UnicodeDecodeError:
            pass  # text in another charset: as bytes, then
    return b'"data_base64":"' + base64.b64encode(data) + b'"'


def _percent_encode(value: str) -> bytes:
    """HTTP protocol binding 1.0.2, section 3.1.3.2."""
    try:
        return _MUST_ENCODE.sub(lambda found: b"%%%02X" % found[0][0], value.encode())
    except UnicodeEncodeError:
        raise EventError(f"{value!r} is not Unicode text") from None


def _header_value(value: bytes) -> str:
    """What the header says, once: out of its double quotes, if it is in any, then percent-decoded.

    HTTP protocol binding 1.0.2, section 3.1.3.2. Nobody has to quote; senders of older versions do.
    """
    if value[:1] == b'"' and (quoted := _QUOTED.fullmatch(value)) is not None:
        value = _ESCAPED.sub(rb"\1", quoted[1])
    return _text(_PERCENT.sub(lambda found: bytes([int(found[1], 16)]), value) if b"%" in value else value)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _plain(value: str) -> bytes:
    if not value.isascii() or not value.isprintable():
        raise EventError(f"datacontenttype {value!r} holds characters no header may hold")
    return value.encode()
