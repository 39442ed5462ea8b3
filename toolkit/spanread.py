"""Spans out of JSON that comes piece by piece.

May live here: cutting a stream of bytes into spans; nothing here knows of files. A span that is told as Zipkin itself
would tell it takes a short way, every other one goes through `traces.wire`, and both end alike.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from json import JSONDecodeError
from typing import Any, NamedTuple

from toolkit.traces import wire, zipkin
from toolkit.traces.model import Span

LARGEST = 64 << 20  # characters of one span, or of one trace in a list of traces
_BLANKS = " \t\r\n"
_AT_THE_END = 16  # so near to it, an error may be half a word
_decode = zipkin.parser.raw_decode
_WORDS = ("true", "false", "null")
_trace_id = re.compile("[0-9a-f]{16}|[0-9a-f]{32}").fullmatch
_span_id = re.compile("[0-9a-f]{16}").fullmatch
_ZERO = "0" * 16
_LONG = 1 << 63
_TEXT = {str}
_NOTHING: dict[str, Any] = {}


class Cut(ValueError):
    """The text ends in the middle."""


class Found(NamedTuple):
    """A span, and the JSON value that told it."""

    span: Span
    raw: Any


def spans_in(pieces: Iterable[bytes]) -> Iterator[Found]:
    """Every span of the JSON in `pieces`. Raises ValueError, Cut and UnicodeDecodeError among them."""
    number = 0
    try:
        for item in _items(_Text(pieces)):
            for raw in item if isinstance(item, list) else (item,):
                yield Found(span_of(raw), raw)
                number += 1
    except wire.Refused as refused:
        raise ValueError(f"span {number}: {refused}") from None
    except Cut:
        raise Cut(f"it ends behind {number:,} whole spans") from None


def span_of(raw: Any) -> Span:
    """The span that this JSON value tells. Raises `wire.Refused`."""
    return _at_once(raw) or zipkin.to_span(wire.normal(raw))


def _at_once(raw: Any) -> Span | None:
    """The span, if it is told in Zipkin's normal form, or so that addresses alone are not; otherwise None."""
    if type(raw) is not dict:
        return None
    get = raw.get
    trace, span, parent, kind, name = get("traceId"), get("id"), get("parentId"), get("kind"), get("name", "")
    if type(trace) is not str or not _trace_id(trace) or trace.startswith(_ZERO):
        return None
    if type(span) is not str or not _span_id(span) or span == _ZERO:
        return None
    if parent is not None and (type(parent) is not str or not _span_id(parent) or parent in (_ZERO, span)):
        return None
    if (
        (kind is not None and (type(kind) is not str or kind not in wire.KINDS))
        or type(name) is not str
        or name != name.lower()
    ):
        return None
    if "annotations" in raw or "shared" in raw or "debug" in raw or "binaryAnnotations" in raw:
        return None
    timestamp, duration = get("timestamp"), get("duration")
    local, remote, tags = get("localEndpoint", _NOTHING), get("remoteEndpoint", _NOTHING), get("tags", _NOTHING)
    if not (_is_time(timestamp) and _is_time(duration) and _is_endpoint(local) and _is_endpoint(remote)):
        return None
    if type(tags) is not dict or not _TEXT.issuperset(map(type, tags.values())):
        return None
    services = local.get("serviceName"), remote.get("serviceName")
    return Span(trace, span, name, services[0], parent, kind, timestamp, duration, services[1], tags)


def _is_time(value: Any) -> bool:
    return value is None or (type(value) is int and 0 < value < _LONG)


def _is_endpoint(value: Any) -> bool:
    if type(value) is not dict:
        return False
    for key, each in value.items():
        if key == "port":
            if type(each) is not int or not 0 < each <= 0xFFFF:
                return False
        elif type(each) is not str or not each or (key == "serviceName" and each != each.lower()):
            return False
    return True


def _items(text: _Text) -> Iterator[Any]:
    """Objects, and what is in lists: of documents that stand behind each other."""
    while sign := text.sign():
        if sign == "[":
            yield from _listed(text)
        else:
            yield text.value()


def _listed(text: _Text) -> Iterator[Any]:
    text.at += 1
    if text.sign() == "]":
        text.at += 1
        return
    while True:
        yield text.value()
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
