"""Colour images in Python alone: PNG (ISO/IEC 15948; 8 bits for each of red, green and blue) in and out.

Images come as cameras' programs write them, with all five filters of the standard; they go out unfiltered, so that
whoever judges them finds each pixel by its place in the unpacked bytes.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = ">IIBBBBB"  # width, height, depth, kind of colour, compression, filtering, interlace
DEPTH, RGB = 8, 2
CHANNELS = 3


class NoImage(ValueError):
    """These bytes are no PNG that is read here; the text says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """Rows from the top, pixels from the left, a byte each for red, green and blue."""

    width: int
    height: int
    pixels: bytes


def decoded(data: bytes) -> Image:
    """Raises NoImage."""
    chunks = list(_chunks(data))
    header = dict(chunks).get(b"IHDR", b"")
    if len(header) != struct.calcsize(HEADER):
        raise NoImage("it has no header")
    width, height, *form = struct.unpack(HEADER, header)
    if form != [DEPTH, RGB, 0, 0, 0]:
        raise NoImage(f"its form is {form}; only 8-bit RGB without interlace is read")
    try:
        raw = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    except zlib.error as error:
        raise NoImage(f"its data cannot be unpacked: {error}") from error
    line = width * CHANNELS
    if len(raw) != height * (line + 1):
        raise NoImage(f"{len(raw)} bytes of pixels, {height * (line + 1)} were to be there")
    rows = [bytearray(line)]  # above the first one lies nothing
    for at in range(0, len(raw), line + 1):
        rows.append(_unfiltered(raw[at], bytearray(raw[at + 1 : at + 1 + line]), rows[-1]))
    return Image(width, height, b"".join(rows[1:]))


def encoded(image: Image, filters: Callable[[int], int] = lambda row: 0) -> bytes:
    """The PNG of `image`; `filters` says which filter (0 to 4) a row gets."""
    line = image.width * CHANNELS
    rows, above = [], bytes(line)
    for number in range(image.height):
        row = image.pixels[number * line : (number + 1) * line]
        kind = filters(number)
        rows.append(bytes((kind,)) + _filtered(kind, row, above))
        above = row
    header = struct.pack(HEADER, image.width, image.height, DEPTH, RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def turned(image: Image) -> Image:
    """Clockwise, by a quarter: a column, from below, becomes a row."""
    line = image.width * CHANNELS
    turned = bytearray(len(image.pixels))
    for channel in range(CHANNELS):
        columns = (image.pixels[at::line][::-1] for at in range(channel, line, CHANNELS))
        turned[channel::CHANNELS] = b"".join(columns)
    return Image(image.height, image.width, bytes(turned))


def generate_input(seed: int, size: int) -> bytes:
    """A PNG, `size` pixels high and half as wide again, with a filter for each row as it comes."""
    width = size * 3 // 2
    pixels = bytes(value for y in range(size) for x in range(width) for value in _colour(seed, x, y))
    return encoded(Image(width, size, pixels), lambda row: (row + seed) % 5)


def _colour(seed: int, x: int, y: int) -> tuple[int, int, int]:
    """A gradient, rings and a grain that differ from seed to seed."""
    return (x * 2 + seed) % 256, (x * x + y * y >> 5) % 256, (x * 7919 + y * 104729 + seed * 31) % 251


def armoured(data: bytes) -> str:
    """An answer is text."""
    return base64.b64encode(data).decode()


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Looks each pixel up: what is at (x, y) of the answer was at (y, height - 1 - x)."""
    try:
        data = base64.b64decode(answer, validate=True)
        parts = dict(_chunks(data))
        raw = zlib.decompress(parts[b"IDAT"])
    except (ValueError, zlib.error, KeyError) as error:  # ValueError: it is no base64, or no PNG
        return f"it is no image: {error}"
    width, height = size, size * 3 // 2
    if parts[b"IHDR"] != struct.pack(HEADER, width, height, DEPTH, RGB, 0, 0, 0):
        return f"its header is {parts[b'IHDR'].hex()}, not that of {width} by {height} pixels"
    at = 0
    for y in range(height):
        row = bytes(value for x in range(width) for value in _colour(seed, y, size - 1 - x))
        if raw[at : at + 1 + len(row)] != b"\0" + row:
            return f"row {y} is not the column that it was"
        at += 1 + len(row)
    return None if len(raw) == at else f"{len(raw) - at} bytes lie behind the last row"


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the content of each chunk, up to IEND."""
    if not data.startswith(SIGNATURE):
        raise NoImage("it does not begin as a PNG does")
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if len(data) < at + 12:
            raise NoImage("it ends too early")
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + size]
        if data[at : at + 12 + size] != _chunk(kind, content):
            raise NoImage(f"the chunk {kind!r} is damaged")
        yield kind, content
        at += 12 + size
    if at != len(data):
        raise NoImage("something lies behind its end")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _filtered(kind: int, row: bytes, above: bytes) -> bytes:
    if kind == 0:
        return row
    guess = _GUESSES[kind]
    left, corner = bytes(CHANNELS) + row, bytes(CHANNELS) + above
    return bytes((x - guess(a, b, c)) & 0xFF for x, a, b, c in zip(row, left, above, corner, strict=False))


def _unfiltered(kind: int, row: bytearray, above: bytearray) -> bytearray:
    if kind not in _GUESSES:
        raise NoImage(f"there is no filter {kind}")
    guess = _GUESSES[kind]
    for at in range(len(row)):
        left, corner = (row[at - CHANNELS], above[at - CHANNELS]) if at >= CHANNELS else (0, 0)
        row[at] = (row[at] + guess(left, above[at], corner)) & 0xFF
    return row


def _paeth(left: int, above: int, corner: int) -> int:
    near = left + above - corner
    return min(((abs(near - left), 0, left), (abs(near - above), 1, above), (abs(near - corner), 2, corner)))[2]


# What a pixel's byte probably is, from those to the left, above, and at the corner between (ISO/IEC 15948, 9.2).
_GUESSES: dict[int, Callable[[int, int, int], int]] = {
    0: lambda left, above, corner: 0,
    1: lambda left, above, corner: left,
    2: lambda left, above, corner: above,
    3: lambda left, above, corner: (left + above) // 2,
    4: _paeth,
}
