"""Spans out of JSON that comes piece by piece.

May live here: cutting a stream of bytes into spans; nothing here knows of files. A span that is told as Zipkin itself
would tell it takes a short way (msgspec reads and checks it in a third of the time), every other one goes through
`traces.wire`, and both end alike.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from json import JSONDecodeError
from typing import Annotated, Any, NamedTuple

import msgspec

from toolkit.traces import wire, zipkin
from toolkit.traces.model import Kind, Span

LARGEST = 64 << 20  # characters of one span, or of one trace in a list of traces
_BLANKS = " \t\r\n"
_AT_THE_END = 16  # so near to it, an error may be half a word
_decode = zipkin.parser.raw_decode
_WORDS = ("true", "false", "null")
_trace_id = re.compile("[0-9a-f]{16}|[0-9a-f]{32}").fullmatch
_span_id = re.compile("[0-9a-f]{16}").fullmatch
_ZERO = "0" * 16
_LINE = 1 << 14  # characters within which a line of its own has to end
_Time = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Cut(ValueError):
    """The text ends in the middle."""


class Found(NamedTuple):
    """A span, and the JSON that told it."""

    span: Span
    text: str


class _Endpoint(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False, frozen=True):
    service_name: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    port: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)] | None = None


class _Plain(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """What most spans are; one with anything else is none of these."""

    trace_id: str
    id: str
    parent_id: str | None = None
    kind: Kind | None = None
    name: str = ""
    timestamp: _Time | None = None
    duration: _Time | None = None
    local_endpoint: _Endpoint = _Endpoint()
    remote_endpoint: _Endpoint = _Endpoint()
    tags: dict[str, str] = {}


_decode_plain = msgspec.json.Decoder(_Plain).decode


def spans_in(pieces: Iterable[bytes]) -> Iterator[Found]:
    """Every span of the JSON in `pieces`. Raises ValueError, Cut and UnicodeDecodeError among them."""
    number = 0
    try:
        for item in _items(_Text(pieces)):
            if isinstance(item, Found):
                yield item
                number += 1
                continue
            for raw in item if isinstance(item, list) else (item,):
                yield Found(span_of(raw), _encode(raw))
                number += 1
    except wire.Refused as refused:
        raise ValueError(f"span {number}: {refused}") from None
    except Cut:
        raise Cut(f"it ends behind {number:,} whole spans") from None


def span_of(raw: Any) -> Span:
    """The span that this JSON value tells. Raises `wire.Refused`."""
    try:
        span = _at_once(msgspec.convert(raw, _Plain))
    except msgspec.ValidationError:
        span = None
    return span or zipkin.to_span(wire.normal(raw))


def _at_once(told: _Plain) -> Span | None:
    """The span, if it is told in Zipkin's normal form, or so that addresses alone are not; otherwise None."""
    trace, span, parent, name = told.trace_id, told.id, told.parent_id, told.name
    local, remote = told.local_endpoint.service_name, told.remote_endpoint.service_name
    if not _trace_id(trace) or trace.startswith(_ZERO) or not _span_id(span) or span == _ZERO:
        return None
    if parent is not None and (not _span_id(parent) or parent in (_ZERO, span)):
        return None
    if name != name.lower() or not (_is_plain(local) and _is_plain(remote)):
        return None
    return Span(trace, span, name, local, parent, told.kind, told.timestamp, told.duration, remote, told.tags)


def _is_plain(name: str | None) -> bool:
    return name is None or (name != "" and name == name.lower())


def _items(text: _Text) -> Iterator[Any]:
    """Objects, and what is in lists: of documents that stand behind each other."""
    while sign := text.sign():
        if sign == "[":
            yield from _listed(text)
        else:
            yield text.plain() or text.value()


def _listed(text: _Text) -> Iterator[Any]:
    text.at += 1
    if text.sign() == "]":
        text.at += 1
        return
    while True:
        yield text.plain() or text.value()
        sign = text.sign()
        text.at += 1
        if sign == "]":
            return
        if sign != ",":
            raise text.wrong("a comma or the end of the list is missing")


class _Text:
    """Text that grows at its end and is forgotten at its beginning; `at` is where reading goes on."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._held, self._whole = "", False
        self.at = 0

    def sign(self) -> str:
        """The next character that is no blank, which stays; nothing at the end."""
        while True:
            while self.at < len(self._held):
                if (sign := self._held[self.at]) not in _BLANKS:
                    return sign
                self.at += 1
            if not self._more():
                return ""

    def plain(self) -> Found | None:
        """The span that has a line of its own here, if it is one as most are."""
        self.sign()
        if (end := self._held.find("\n", self.at, self.at + _LINE)) < 0:
            return None
        line = self._held[self.at : end].rstrip(",\r")
        try:
            span = _at_once(_decode_plain(line))
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return None
        if span is None:
            return None
        self.at += len(line)
        return Found(span, line)

    def value(self) -> Any:
        """The object or list that begins here."""
        if self.sign() not in ("{", "["):
            raise self.wrong("neither a span nor a list of spans")
        while True:
            start = self.at
            try:
                value, self.at = _decode(self._held, start)
            except JSONDecodeError as error:
                self._read_on(error)
            except RecursionError:
                raise ValueError("not JSON that can be read: nested too deeply") from None
            else:
                halved = self._held.find("\\ud", start, self.at) >= 0 or self._held.find("\\uD", start, self.at) >= 0
                return zipkin.without_surrogates(value) if halved else value

    def _read_on(self, error: JSONDecodeError) -> None:
        """Twice as much text for a value that was not whole, so that it is not tried too often. Raises ValueError."""
        if error.pos < len(self._held) - _AT_THE_END and not error.msg.startswith("Unterminated string"):
            raise self._malformed(error)
        if (length := len(self._held) - self.at) > LARGEST:
            raise ValueError(f"a span or a trace is longer than {LARGEST >> 20} MiB")
        if self._whole:
            raise Cut if self._ends_in(error) else self._malformed(error)
        while self._more() and len(self._held) < 2 * length:
            pass

    def _malformed(self, error: JSONDecodeError) -> ValueError:
        self.at = error.pos
        return self.wrong(error.msg)

    def _ends_in(self, error: JSONDecodeError) -> bool:
        """Whether what is wrong is only that there is no more."""
        rest = self._held[error.pos :].rstrip(_BLANKS)
        return error.msg.startswith(("Unterminated", "Invalid \\")) or any(word.startswith(rest) for word in _WORDS)

    def _more(self) -> bool:
        """Whether there was more."""
        if self._whole:
            return False
        piece = next(self._pieces, b"")
        self._whole = not piece
        self._held = self._held[self.at :] + self._decoder.decode(piece, final=self._whole)
        self.at = 0
        return not self._whole

    def wrong(self, reason: str) -> ValueError:
        """What to raise: that something is wrong here, or that this is the end."""
        here = self._held[self.at : self.at + 40]
        return ValueError(f"not JSON: {reason}, at {here!a}") if here else Cut()
