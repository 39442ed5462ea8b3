"""A web server's log, made up line by line, and zlib."""

from __future__ import annotations

import base64
import random
import zlib

PATHS = ("/", "/about", "/basket", "/checkout", "/favicon.ico", "/hotels", "/images/logo.png", "/login", "/search")
STATUSES = (200, 200, 200, 200, 204, 301, 304, 404, 500)
WORST_RATIO = 2  # such a log shrinks to less than a quarter, at any level
ENOUGH = 4096  # bytes from which on the ratio says something


def packed(text: str, level: int) -> bytes:
    """The text as zlib has it (RFC 1950)."""
    return zlib.compress(text.encode(), level)


def armoured(data: bytes) -> str:
    """An answer is text."""
    return base64.b64encode(data).decode()


def generate_input(seed: int, size: int) -> str:
    """`size` bytes of a log; the last line may be cut."""
    draw = random.Random(f"compression/{seed}")
    lines: list[str] = []
    left, second = size, 0
    while left > 0:
        second += draw.randrange(3)
        lines.append(_line(draw, second))
        left -= len(lines[-1])
    return "".join(lines)[:size]


def _line(draw: random.Random, second: int) -> str:
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    when = f"01/May/2026:{hours % 24:02}:{minutes:02}:{seconds:02} +0000"
    host = f"10.{draw.randrange(4)}.{draw.randrange(16)}.{draw.randrange(256)}"
    return f'{host} - - [{when}] "GET {draw.choice(PATHS)} HTTP/1.1" {draw.choice(STATUSES)} {draw.randrange(60_000)}\n'


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Unpacks it piece by piece: the log must come back, nothing behind it, and smaller than it was."""
    unpacking = zlib.decompressobj()
    try:
        data = base64.b64decode(answer, validate=True)
        text = unpacking.decompress(data, size + 1)
    except (ValueError, zlib.error) as error:
        return f"it cannot be unpacked: {error}"
    if text.decode(errors="replace") != generate_input(seed, size) or not unpacking.eof or unpacking.unused_data:
        return f"{len(text)} bytes come out of it, which are not the {size} that went in"
    if size >= ENOUGH and len(data) * WORST_RATIO > size:
        return f"{len(data)} bytes for {size}: that is hardly compressed"
    return None
