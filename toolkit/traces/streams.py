"""Zipkin v2 spans out of bytes that come bit by bit: however many there are, one span is held at a time.

May live here: telling the form apart (JSON list, list of traces, one span a line, protobuf; gzipped or not) and cutting
it into spans. What a span is stays in `traces.wire`, what is a message in `traces.zipkinproto`. Bytes come from whoever
reads the file.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.traces import wire, zipkinproto
from toolkit.traces.zipkin import ZipkinError, parser, without_surrogates

LARGEST = 16 << 20  # bytes of one span
_SPACE = re.compile(r"[ \t\r\n]*")
_GZIP = b"\x1f\x8b"
_SPAN_KEY = 0x0A  # field 1, bytes: a span in a ListOfSpans


@dataclass(frozen=True, slots=True)
class Bad:
    """A span that is none: the how manieth it is, from 0, and why."""

    index: int
    reason: str


def spans(chunks: Iterable[bytes]) -> Iterator[dict[str, Any] | Bad]:
    """Each span in Zipkin's normal form, or why it is none. Nothing at all is no span.

    Raises ZipkinError where what follows cannot be read either: no JSON, torn, no spans at all.
    """
    chunks = _joined(_plain(_joined(iter(chunks))))
    first = next(chunks, b"")
    if not first:
        return
    whole = _chain(first, chunks)
    yield from _numbered(_messages(whole) if is_protobuf(first) else _objects(_text(whole)))


def _numbered(found: Iterable[Any]) -> Iterator[dict[str, Any] | Bad]:
    for index, each in enumerate(found):
        try:
            yield each() if callable(each) else wire.normal(each)
        except wire.Refused as refused:
            yield Bad(index, str(refused))
        except ZipkinError as error:
            yield Bad(index, error.reason)


def _joined(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, the first chunk long enough to know the form by, and none empty."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= 4:
            break
    if first:
        yield first
    yield from (chunk for chunk in chunks if chunk)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _plain(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Gunzipped, where it is gzipped; several members one behind the other are one, as `cat a.gz b.gz` makes them."""
    first = next(chunks, b"")
    if not first.startswith(_GZIP):
        yield from _chain(first, chunks)
        return
    unpacking = zlib.decompressobj(wbits=31)
    for chunk in _chain(first, chunks):
        waiting = chunk
        while waiting:
            if unpacking.eof:
                unpacking = zlib.decompressobj(wbits=31)
            try:
                yield unpacking.decompress(waiting, 1 << 20)
            except zlib.error:
                raise ZipkinError("gzip that cannot be unpacked") from None
            waiting = unpacking.unconsumed_tail or unpacking.unused_data
    if not unpacking.eof:
        raise ZipkinError("gzip that ends too early")


def is_protobuf(first: bytes) -> bool:
    """Whether these first bytes, at least one, are a ListOfSpans. JSON begins with a bracket, perhaps behind blanks. A
    line break is also how a message begins, which then holds control characters where JSON has none: the lengths of
    the span's first fields."""
    if first[0] == _SPAN_KEY and any(byte < 0x20 and byte not in b"\t\r\n" for byte in first[1:4]):
        return True
    return first.lstrip()[:1] not in (b"[", b"{", b"") and first[0] == _SPAN_KEY


def _text(chunks: Iterator[bytes]) -> Iterator[str]:
    reading = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            yield reading.decode(chunk)
        yield reading.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ZipkinError(f"not UTF-8: {error.reason}") from None


class _Window:
    """The text that is being looked at; more of it comes when asked for."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks, self.text, self.at, self.gone = chunks, "", 0, 0

    def more(self) -> bool:
        """Forget what lies behind and take another chunk; False when there is none."""
        if (chunk := next(self._chunks, None)) is None:
            return False
        self.gone += self.at
        self.text, self.at = self.text[self.at :] + chunk, 0
        return True

    def peek(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        """The JSON value that begins here. Raises ZipkinError."""
        while True:
            try:
                found, end = parser.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if len(self.text) - self.at > LARGEST or not self.more():
                    raise ZipkinError(f"not JSON: {error.msg}, {self.place(error.pos)}") from None
            except (RecursionError, ValueError) as error:
                said = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:80]
                raise ZipkinError(f"not JSON that can be read: {said}, {self.place()}") from None
            else:
                if end == len(self.text) and not isinstance(found, dict | list | str) and self.more():
                    continue  # a number may go on
                text, self.at = self.text[self.at : end], end
                return without_surrogates(found) if "\\ud" in text or "\\uD" in text else found

    def place(self, at: int | None = None) -> str:
        return f"{self.gone + (self.at if at is None else at)} characters from the start"


def _objects(chunks: Iterator[str]) -> Iterator[Any]:
    """The spans of a list, of a list of lists, or one behind the other."""
    window, depth = _Window(chunks), 0
    while (found := window.peek()) or depth:
        if found == "[" and depth < 2:
            window.at, depth = window.at + 1, depth + 1
            if window.peek() != "]":
                continue
        elif found == "{" or (depth and found not in ("]", ",", "")):
            yield window.value()
        else:
            raise ZipkinError(f"no list of spans: {found or 'the end'!a} {window.place()}")
        depth = _closed(window, depth)


def _closed(window: _Window, depth: int) -> int:
    """How deep in lists we are behind a value: past the brackets that end and the comma that goes on."""
    while depth and window.peek() == "]":
        window.at, depth = window.at + 1, depth - 1
    if depth:
        if (found := window.peek()) != ",":
            raise ZipkinError(f"not JSON: {found or 'the end'!a} where , or ] should be, {window.place()}")
        window.at += 1
        if window.peek() in ("]", ""):
            raise ZipkinError(f"not JSON: nothing behind a comma, {window.place()}")
    return depth


def _messages(chunks: Iterator[bytes]) -> Iterator[Any]:
    """What reads each span of a ListOfSpans."""
    waiting, at = bytearray(), 0
    for chunk in chunks:
        del waiting[:at]
        waiting, at = waiting + chunk, 0
        while (end := _end(waiting, at)) is not None and end <= len(waiting):
            message, at = bytes(waiting[at:end]), end
            yield lambda message=message: next(zipkinproto.normalised(message))
    if at < len(waiting):
        raise ZipkinError("protobuf that ends within a span")


def _end(waiting: bytearray, at: int) -> int | None:
    """Where the span that begins at `at` ends; None: too little is here to know."""
    if at >= len(waiting):
        return None
    if waiting[at] != _SPAN_KEY:
        raise ZipkinError("not a protobuf ListOfSpans (Zipkin v2)")
    size = 0
    for place, byte in enumerate(waiting[at + 1 : at + 6]):
        size |= (byte & 0x7F) << (7 * place)
        if size > LARGEST:
            break
        if byte < 0x80:
            return at + 2 + place + size
    else:
        if len(waiting) < at + 6:
            return None
    raise ZipkinError(f"not a protobuf ListOfSpans (Zipkin v2): a span of more than {LARGEST >> 20} MiB")
