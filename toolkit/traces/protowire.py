"""How many messages there are in protobuf that nobody has read yet: told without making any of them.

Two bytes are an empty message, which takes a hundred once it is read: what a peer sends has to be counted before.
May live here: the walk over the wire form, and the shapes of what is walked over. Nothing is decoded, and what the walk
takes is bounded as well. Source: the protobuf encoding specification.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_FIELDS = 4_000_000  # of a body, whatever they hold
MOST_MESSAGES = 1_500_000  # of a body; 50,000 spans with 10 attributes each have a million
_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_WIDTH = {_FIXED64: 8, _FIXED32: 4, _GROUP: 0, _GROUP_END: 0}  # what is in a group is walked over as if it stood there


class Torn(ValueError):
    """No protobuf."""


class TooMuch(ValueError):
    """More than may be read; the text says of what."""


@dataclass(slots=True)
class Shape:
    """A message's fields that are messages, by their numbers. `span`: it is what is counted as a span."""

    fields: dict[int, Shape] = field(default_factory=dict)
    span: bool = False


def spans(body: bytes, shape: Shape, *, most: int) -> int:
    """How many spans are in `body`, a message of this shape.

    Raises TooMuch, when there are more than that or more of anything than is read, and Torn.
    """
    waiting = [(0, len(body), shape)]
    walked = messages = count = 0
    while waiting:
        at, end, of = waiting.pop()
        inner = of.fields
        while at < end:
            at, start, number, kind = _next(body, at, end)
            walked += 1
            if walked > MOST_FIELDS:
                raise TooMuch(f"more than {MOST_FIELDS} fields in one request; send fewer spans at once")
            if kind != _BYTES or (found := inner.get(number)) is None:
                continue
            messages += 1
            count += found.span
            if count > most:
                raise TooMuch(f"more than {most} spans in one request; {most} are the most that are taken")
            if messages > MOST_MESSAGES:
                raise TooMuch(f"more than {MOST_MESSAGES} attributes, events and other parts in one request")
            if at > start and found.fields:
                waiting.append((start, at, found))
    return count


def _next(body: bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """(where the field ends, where what it holds begins, its number, its wire type) of the field at `at`."""
    try:
        key = body[at]
        at += 1
        if key > 0x7F:
            key, at = _varint(body, at - 1)
        kind = key & 7
        if kind == _VARINT:
            while body[at] > 0x7F:
                at += 1
            start = at = at + 1
        elif kind == _BYTES:
            size = body[at]
            start = at + 1
            if size > 0x7F:
                size, start = _varint(body, at)
            at = start + size
        else:
            start, at = at, at + _WIDTH[kind]
    except (IndexError, KeyError):
        raise Torn from None
    if at > end:
        raise Torn
    return at, start, key >> 3, kind


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise Torn


def _otlp() -> Shape:
    """opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest."""
    value, attribute = Shape(), Shape()
    attribute.fields[2] = value
    value.fields.update({5: Shape({1: value}), 6: Shape({1: attribute})})
    event, link = Shape({3: attribute}), Shape({4: attribute})
    span = Shape({9: attribute, 11: event, 13: link, 15: Shape()}, span=True)
    scoped = Shape({1: Shape({3: attribute}), 2: span})
    of_resource = Shape({1: Shape({1: attribute, 3: Shape()}), 2: scoped, 1000: scoped})
    return Shape({1: of_resource})


OTLP = _otlp()
ZIPKIN = Shape({1: Shape({8: Shape(), 9: Shape(), 10: Shape(), 11: Shape()}, span=True)})
