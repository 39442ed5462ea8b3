"""The event as the ingress understands it: taken from an HTTP message, normalised, judged; always binary afterwards.

May live here: pure rules of Knative's decode and validate (cloudevents/sdk-go v2.16: `binding.ToEvent`, `Event.
Validate`, the JSON format), recorded from a real broker. Attribute values are the bytes of a header. What the real one
answers at random or by dying is answered the same way every time here, and says so in `Message.doubts`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from toolkit.engines.local.broker import golang
from toolkit.sdk.cloudevents import EventError, members

JSON = b"application/cloudevents+json"
BATCH = b"application/cloudevents-batch+json"
TTL = b"knativebrokerttl"
ARRIVAL = b"knativearrivaltime"

_SCHEMA = {b"1.0": b"dataschema", b"0.3": b"schemaurl"}
_CONTEXT = frozenset({b"id", b"source", b"type", b"subject", b"time", b"specversion", b"datacontenttype"})
_RESERVED = {b"1.0": _CONTEXT | {b"dataschema"}, b"0.3": _CONTEXT | {b"schemaurl", b"datacontentencoding"}}
_NAME = re.compile(rb"[a-z0-9]+")
_JSON_NAME = re.compile(r"[A-Za-z0-9]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LONE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class Undecodable(EventError):
    """`binding.ToEvent` fails: 400 at the ingress, 502 inside when a subscriber replies with it."""


class Invalid(EventError):
    """It decodes, and `Event.Validate` refuses it: 400 at the ingress, also for a reply."""


class Unsendable(EventError):
    """No header can carry it: the ingress answers 500."""


@dataclass(slots=True)
class Message:
    """A decoded event. `attributes` by lower-case name, without datacontenttype, which is `content_type`."""

    attributes: dict[bytes, bytes]
    content_type: bytes | None
    body: bytes
    doubts: tuple[str, ...] = ()  # where the real broker behaves at random, or dies
    lines: bytes = b""  # its headers, once they have been written

    @property
    def id(self) -> str:
        return self.attributes.get(b"id", b"").decode("utf-8", "replace")[:200]

    def describe(self) -> str:
        """For people: which event."""
        what = (self.attributes.get(name, b"").decode("utf-8", "replace")[:200] for name in (b"id", b"type"))
        return "event {!r} of type {!r}".format(*what)


def decode(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Message | None:
    """The event of a request or an answer, not yet validated; None when it claims to be none.

    `headers` in any case, the first of each name counts. Raises Undecodable.
    """
    attributes: dict[bytes, bytes] = {}
    content_type: bytes | None = None
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(b"ce-"):
            attributes.setdefault(lower[3:], value)
        elif lower == b"content-type" and content_type is None:
            content_type = value
    return from_parts(attributes, content_type, body)


def from_parts(attributes: dict[bytes, bytes], content_type: bytes | None, body: bytes) -> Message | None:
    """`decode` for those who have sorted the headers already. `attributes` is taken over and changed."""
    if content_type is not None and content_type[:12] in (b"application/", b"Application/"):
        kind = content_type.partition(b";")[0].strip().lower()
        if kind == JSON:
            return _from_json(body)
        if kind == BATCH:
            raise Undecodable("a batch of events is not supported")
    elif content_type is not None and content_type.partition(b";")[0].strip().lower() in (JSON, BATCH):
        return from_parts(attributes, content_type.strip().lower(), body)
    if b"specversion" not in attributes:
        return None
    message = Message(attributes, golang.trim_space(content_type) or None if content_type else None, body)
    _normalise(message)
    return message


def validate(message: Message) -> None:
    """`Event.Validate`; raises Invalid."""
    attributes = message.attributes
    for name in (b"id", b"source", b"type"):
        value = attributes.get(name)
        if not value or not golang.trim_space(value):
            raise Invalid(f"{name.decode()}: is REQUIRED and must not be empty")
    if message.content_type is not None:
        try:
            golang.media_type(message.content_type)
        except ValueError as error:
            raise Invalid(f"datacontenttype: {error}") from None
    schema = attributes.get(b"dataschema")
    if schema is not None and attributes[b"specversion"] == b"1.0" and not golang.is_absolute_url(schema):
        raise Invalid(f"dataschema: {schema!r} is not an absolute URI")


def check_sendable(message: Message) -> None:
    """The hop to the channel: header values are trimmed, and control bytes stop them; raises Unsendable."""
    for name, value in message.attributes.items():
        if _CONTROL.search(value):
            raise Unsendable(f"the attribute {name.decode()!r} holds a control character")
        if value[:1] in (b" ", b"\t") or value[-1:] in (b" ", b"\t"):
            message.attributes[name] = value.strip(b" \t")
    if message.content_type is not None and _CONTROL.search(message.content_type):
        raise Unsendable("datacontenttype holds a control character")


def _normalise(message: Message) -> None:
    """What the setters of sdk-go's event context do, for binary mode; raises Undecodable."""
    attributes = message.attributes
    version = attributes[b"specversion"]
    schema = _SCHEMA.get(version)
    if schema is None:
        raise Undecodable(f"unknown specversion {version!r}")
    for name in attributes:
        if name not in _CONTEXT and not _NAME.fullmatch(name):
            raise Undecodable(f"{name!r} is no extension name")
    if b"datacontenttype" in attributes:
        raise Undecodable("'ce-datacontenttype' is not allowed; it is the Content-Type header")
    if version == b"0.3" and attributes.pop(b"datacontentencoding", None) is not None:
        message.doubts += ("the real ingress answers 202 or 400 at random to ce-datacontentencoding in 0.3",)
    try:
        if b"source" in attributes:
            attributes[b"source"] = golang.rewrite_url(attributes[b"source"])
        _replace(attributes, b"time", golang.utc_time)
        _replace(attributes, schema, _trimmed_url)
    except ValueError as error:
        raise Undecodable(str(error)) from None
    for name in (b"id", b"type", b"subject"):
        _replace(attributes, name, golang.trim_space)
    if attributes.get(b"id") == b"":
        raise Undecodable("id: must not be empty")
    if attributes.get(b"subject") == b"":
        del attributes[b"subject"]


def _replace(attributes: dict[bytes, bytes], name: bytes, change: Any) -> None:
    if name in attributes:
        value = change(attributes[name])
        if value is None:
            del attributes[name]
        else:
            attributes[name] = value


def _trimmed_url(value: bytes) -> bytes | None:
    value = golang.trim_space(value)
    return golang.rewrite_url(value) if value else None


# --- structured mode: the state machine of sdk-go's event_unmarshal.go ------------------------------------------------


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


def _from_json(body: bytes) -> Message:
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
    return Message(reading.attributes, content_type or None, reading.data or b"")


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
    if version not in _SCHEMA:
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
    elif key == _SCHEMA.get(reading.version or b"1.0"):
        _put(attributes, key, _url_or_nothing(_string(name, value)))
    else:
        _set_extension(reading, name, value)


def _set_extension(reading: _Reading, name: str, value: Any) -> None:
    key = name.lower().encode("utf-8", "surrogateescape")
    if not _JSON_NAME.fullmatch(name) or key in _RESERVED[reading.version or b"1.0"]:
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


def encode_json(message: Message) -> bytes:
    """The structured form; raises Unsendable when the data says JSON and is none (the real one never sends it)."""
    attributes = dict(message.attributes)
    version = attributes[b"specversion"]
    names = [b"specversion", b"id", b"source", b"type", b"subject"]
    parts = [_pair(name, attributes.pop(name)) for name in names if name in attributes]
    if message.content_type is not None:
        parts.append(_pair(b"datacontenttype", message.content_type))
    parts += [_pair(name, attributes.pop(name)) for name in (_SCHEMA[version], b"time") if name in attributes]
    if message.body:
        parts.append(b'"data":' + _json_data(message))
    parts += [_pair(name, attributes[name]) for name in sorted(attributes)]
    return b"{" + b",".join(parts) + b"}"


def _pair(name: bytes, value: bytes) -> bytes:
    return b'"%b":%b' % (name, _quote(value))


def _quote(value: bytes) -> bytes:
    text = _MUST_ESCAPE.sub(lambda found: _ESCAPES[found[0][0]], value)
    return b'"%b"' % text.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def _json_data(message: Message) -> bytes:
    try:
        kind = golang.media_type(message.content_type) if message.content_type else b"application/json"
    except ValueError:
        kind = b""
    if kind not in (b"application/json", b"text/json"):
        return _quote(message.body)
    try:
        members(b'{"data":' + message.body + b"}")
    except EventError as error:
        raise Unsendable(f"its data is no JSON, although its type says so: {error}") from None
    compact = _TOKENS.sub(lambda found: found[1] or b"", message.body)
    return _HTML.sub(_escape_html, compact)


def _escape_html(found: re.Match[bytes]) -> bytes:
    text = found[0]
    return _ESCAPES[text[0]] if len(text) == 1 else b"\\u202" + (b"8" if text.endswith(b"\xa8") else b"9")
