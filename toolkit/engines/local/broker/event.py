"""The event as the ingress understands it: taken from an HTTP message, normalised, judged; always binary afterwards.

May live here: pure rules of Knative's decode and validate (cloudevents/sdk-go v2.16: `binding.ToEvent`, `Event.
Validate`, the JSON format), recorded from a real broker. Attribute values are the bytes of a header. What the real one
answers at random or by dying is answered the same way every time here, and says so in `Message.doubts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from toolkit.engines.local.broker import golang, structured
from toolkit.engines.local.broker.structured import JSON, SCHEMA
from toolkit.engines.local.broker.verdicts import Invalid, Undecodable, Unsendable

__all__ = ["ARRIVAL", "JSON", "TTL", "Invalid", "Message", "Undecodable", "Unsendable"]
__all__ += ["check_sendable", "decode", "encode_json", "from_parts", "validate"]

BATCH = b"application/cloudevents-batch+json"
TTL = b"knativebrokerttl"
ARRIVAL = b"knativearrivaltime"

_CONTEXT = frozenset({b"id", b"source", b"type", b"subject", b"time", b"specversion", b"datacontenttype"})
_NAME = re.compile(rb"[a-z0-9]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


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
        """For people: which event; short enough that what became of it can stand behind."""
        what = (self.attributes.get(name, b"").decode("utf-8", "replace")[:60] for name in (b"id", b"type"))
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
            return Message(*structured.from_json(body))
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
    schema = SCHEMA.get(version)
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


def _replace(attributes: dict[bytes, bytes], name: bytes, change: Callable[[bytes], bytes | None]) -> None:
    if name in attributes:
        value = change(attributes[name])
        if value is None:
            del attributes[name]
        else:
            attributes[name] = value


def _trimmed_url(value: bytes) -> bytes | None:
    value = golang.trim_space(value)
    return golang.rewrite_url(value) if value else None


def encode_json(message: Message) -> bytes:
    """The structured form, for `delivery.format: json`; raises Unsendable."""
    return structured.to_json(message.attributes, message.content_type, message.body)
