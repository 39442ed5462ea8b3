"""Structured mode: the JSON form of an event, read and written as cloudevents/sdk-go v2.16 does it, quirks included.

May live here: its state machine (`event_unmarshal.go`: what comes before what matters) and its writer as encoding/json
compacts it (`event_marshal.go`). Data keep their own bytes. Pure; raises the refusals of `verdicts`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.engines.local.broker import golang
from toolkit.engines.local.broker.verdicts import Undecodable, Unsendable
from toolkit.sdk.cloudevents import EventError, members

JSON = b"application/cloudevents+json"
SCHEMA = {b"1.0": b"dataschema", b"0.3": b"schemaurl"}  # what the schema's attribute is called

Parts = tuple[dict[bytes, bytes], bytes | None, bytes]

_CONTEXT = frozenset({b"id", b"source", b"type", b"subject", b"time", b"specversion", b"datacontenttype"})
_RESERVED = {b"1.0": _CONTEXT | {b"dataschema"}, b"0.3": _CONTEXT | {b"schemaurl", b"datacontentencoding"}}
_NAME = re.compile(r"[A-Za-z0-9]+")
_LONE = re.compile(  # a lone surrogate's escape; pairs and other escapes are skipped as a whole
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


@dataclass(slots=True)
class _Reading:
    attributes: dict[bytes, bytes] = field(default_factory=dict)
    content_type: bytes | None = None
    encoding: bytes | None = None  # 0.3: datacontentencoding
    waiting: bytes | None = None  # data that came before what is needed to read it
    waiting_base64: bool = False
    data: bytes | None = None
    typed: bool = False  # datacontenttype has been seen

    @property
    def version(self) -> bytes | None:
        return self.attributes.get(b"specversion")


def from_json(body: bytes) -> Parts:
    """Attributes, content type and data of a structured event, not yet validated; raises Undecodable."""
    clean = _LONE.sub(_replace_lone, body) if b"\\u" in body else None
    try:
        found = members(body, clean)
    except EventError as error:
        raise Undecodable(str(error)) from None
    reading = _Reading()
    early: list[tuple[str, Any]] = []
    for name, value, raw in found:
        if not name:
            break  # jsoniter takes the empty name for the end of the object
        _member(reading, name, value, raw, early)
    if reading.version is None:
        raise Undecodable("no specversion")
    if reading.waiting is not None:
        _take_data(reading, reading.waiting_base64, reading.waiting, at_the_end=True)
    content_type = golang.trim_space(reading.content_type) if reading.content_type else None
    return reading.attributes, content_type or None, reading.data or b""


def _replace_lone(found: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if found[1] else found[0]  # of the same length, so that positions stay


def _member(reading: _Reading, name: str, value: Any, raw: bytes, early: list[tuple[str, Any]]) -> None:
    if name == "specversion":
        _set_version(reading, value, early)
    elif name == "datacontenttype":
        if reading.typed and reading.version is not None:
            raise Undecodable("datacontenttype was already provided")
        reading.content_type, reading.typed = _string(name, value), True
    elif name == "datacontentencoding" and reading.version != b"1.0":
        reading.encoding = _string(name, value)
    elif name in ("data", "data_base64") and not (name == "data_base64" and reading.version == b"0.3"):
        ready = reading.version == b"1.0" and reading.typed
        if ready:
            _take_data(reading, name == "data_base64", raw, at_the_end=False)
        else:
            reading.waiting = raw
            reading.waiting_base64 = reading.waiting_base64 or name == "data_base64"
    elif reading.version is None and name not in ("id", "type", "source", "subject", "time"):
        early.append((name, value))
    else:
        _set(reading, name, value)


def _set_version(reading: _Reading, value: Any, early: list[tuple[str, Any]]) -> None:
    if reading.version is not None:
        raise Undecodable("specversion was already provided")
    version = _string("specversion", value)
    if version not in SCHEMA:
        raise Undecodable(f"unknown specversion {version!r}")
    reading.attributes[b"specversion"] = version
    if version == b"1.0" and reading.encoding is not None:
        _set_extension(reading, "datacontentencoding", reading.encoding.decode("utf-8", "surrogateescape"))
    for name, waiting in early:
        _set(reading, name, waiting)


def _set(reading: _Reading, name: str, value: Any) -> None:
    attributes = reading.attributes
    key = name.encode("utf-8", "surrogateescape")
    if name in ("id", "type"):
        attributes[key] = _string(name, value)
    elif name == "source":
        try:
            attributes[key] = golang.rewrite_url(_string(name, value))
        except ValueError as error:
            raise Undecodable(f"source: {error}") from None
    elif name == "subject":
        _put(attributes, key, _string(name, value) or None)
    elif name == "time":
        text = _string(name, value)
        try:
            _put(attributes, key, golang.utc_time(text) if text else None)
        except ValueError as error:
            raise Undecodable(str(error)) from None
    elif key == SCHEMA.get(reading.version or b"1.0"):
        _put(attributes, key, _url_or_nothing(_string(name, value)))
    else:
        _set_extension(reading, name, value)


def _set_extension(reading: _Reading, name: str, value: Any) -> None:
    key = name.lower().encode("utf-8", "surrogateescape")
    if not _NAME.fullmatch(name) or key in _RESERVED[reading.version or b"1.0"]:
        raise Undecodable(f"{name!r} is no extension name")
    if value is None:
        reading.attributes.pop(key, None)
    elif isinstance(value, bool):
        reading.attributes[key] = b"true" if value else b"false"
    elif isinstance(value, int | float):
        if not -(2**31) <= value <= 2**31 - 1:
            raise Undecodable(f"the extension {name!r} is out of range: {value}")
        reading.attributes[key] = b"%d" % int(value)
    else:
        reading.attributes[key] = _string(name, value)


def _put(attributes: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
    if value is None:
        attributes.pop(key, None)
    else:
        attributes[key] = value


def _string(name: str, value: Any) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise Undecodable(f"{name!r} is not a string")
    return value.encode("utf-8", "surrogateescape")


def _url_or_nothing(value: bytes) -> bytes | None:
    try:
        return golang.rewrite_url(value) or None
    except ValueError:
        return None


def _take_data(reading: _Reading, as_base64: bool, raw: bytes, *, at_the_end: bool) -> None:
    if as_base64 or (reading.version == b"0.3" and (reading.encoding or b"").lower() == b"base64"):
        reading.data = _base64(raw)
        return
    try:
        kind = golang.media_type(reading.content_type or b"")
    except ValueError:
        kind = b""
    if kind in (b"application/json", b"text/json") or (at_the_end and not kind):
        reading.data = raw
        return
    text = raw.strip(b" \t\r\n")
    if text != b"null" and not text.startswith(b'"'):
        raise Undecodable(f"data of type {kind!r} must be a string")
    ((_, value, _),) = members(_LONE.sub(_replace_lone, b'{"data":' + text + b"}"))
    reading.data = _string("data", value)


def _base64(raw: bytes) -> bytes:
    text = raw.strip(b" \t\r\n").strip(b'"')
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Undecodable(f"data_base64: {error}") from None


# --- format json: event_marshal.go, as encoding/json compacts it ------------------------------------------------------

_ESCAPES = {byte: b"\\u%04x" % byte for byte in range(0x20)} | {
    0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x22: b'\\"', 0x5C: b"\\\\",
    0x3C: b"\\u003c", 0x3E: b"\\u003e", 0x26: b"\\u0026",
}  # fmt: skip
_MUST_ESCAPE = re.compile(rb'[\x00-\x1f"\\<>&]')
_TOKENS = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.DOTALL)
_HTML = re.compile(rb"[<>&]|\xe2\x80[\xa8\xa9]")


def to_json(attributes: Mapping[bytes, bytes], content_type: bytes | None, data: bytes) -> bytes:
    """The structured form; raises Unsendable when the data says JSON and is none (the real one never sends it)."""
    left = dict(attributes)
    version = left[b"specversion"]
    names = [b"specversion", b"id", b"source", b"type", b"subject"]
    parts = [_pair(name, left.pop(name)) for name in names if name in left]
    if content_type is not None:
        parts.append(_pair(b"datacontenttype", content_type))
    parts += [_pair(name, left.pop(name)) for name in (SCHEMA[version], b"time") if name in left]
    if data:
        parts.append(b'"data":' + _json_data(content_type, data))
    parts += [_pair(name, left[name]) for name in sorted(left)]
    return b"{" + b",".join(parts) + b"}"


def _pair(name: bytes, value: bytes) -> bytes:
    return b'"%b":%b' % (name, _quote(value))


def _quote(value: bytes) -> bytes:
    text = _MUST_ESCAPE.sub(lambda found: _ESCAPES[found[0][0]], value)
    return b'"%b"' % text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def _json_data(content_type: bytes | None, data: bytes) -> bytes:
    try:
        kind = golang.media_type(content_type) if content_type else b"application/json"
    except ValueError:
        kind = b""
    if kind not in (b"application/json", b"text/json"):
        return _quote(data)
    try:
        members(b'{"data":' + data + b"}")
    except EventError as error:
        raise Unsendable(f"its data is no JSON, although its type says so: {error}") from None
    compact = _TOKENS.sub(lambda found: found[1] or b"", data)
    return _HTML.sub(_escape_html, compact)


def _escape_html(found: re.Match[bytes]) -> bytes:
    text = found[0]
    return _ESCAPES[text[0]] if len(text) == 1 else b"\\u202" + (b"8" if text.endswith(b"\xa8") else b"9")
