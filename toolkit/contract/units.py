"""Sizes and durations as people write them: `4KiB` and bytes, `250ms` and seconds, in both directions.

The only place of the project that knows units. May not live here: anything that knows what a size or a duration is
for, and any import beyond the standard library.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

BYTES = {
    "GiB": 1 << 30,
    "MiB": 1 << 20,
    "KiB": 1 << 10,
    "GB": 10**9,
    "MB": 10**6,
    "KB": 10**3,
    "kB": 10**3,
    "B": 1,
}
SECONDS = {
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("1e-3"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
}
NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
SIZE = rf"{NUMBER} ?(?:{'|'.join(BYTES)})"
DURATION = rf"{NUMBER} ?(?:{'|'.join(SECONDS)})"
SIZE_FORMS = "write 0B, 4KiB or 1MB"
DURATION_FORMS = "write 250ms, 10s or 2m"
_PARTS = re.compile(rf"({NUMBER}) ?([A-Za-zµ]*)")
_LARGEST = 10**18  # fits 64 bits wherever it is read
_EXACT = Context(prec=60)  # more digits than a number and a unit have


def size(text: str) -> int:
    """The bytes that `4KiB`, `1MB`, `1.5MiB`, `0B` or a bare `4096` mean. ValueError says how to write one."""
    number, unit = _split(text, "size", SIZE_FORMS)
    factor = BYTES.get(unit or "B")
    if factor is None:
        raise ValueError(f"{shown(text)} is not a size; {SIZE_FORMS}")
    count = _EXACT.multiply(number, Decimal(factor))
    if count != int(count):
        raise ValueError(f"{shown(text)} is not a whole number of bytes; {SIZE_FORMS}")
    if count > _LARGEST:
        raise ValueError(f"{shown(text)} is larger than any size can be")
    return int(count)


def seconds(text: str) -> float:
    """The seconds that `250ms`, `10s`, `2m`, `1h` or `20us` mean; a bare `0` is 0. ValueError says how to write one."""
    number, unit = _split(text, "duration", DURATION_FORMS)
    if not unit and number == 0:
        return 0.0
    if unit not in SECONDS:
        raise ValueError(f"{shown(text)} is not a duration; {DURATION_FORMS}")
    return float(_EXACT.multiply(number, SECONDS[unit]))


def is_size(text: str) -> bool:
    """Whether `text` is a number with a unit of size."""
    return re.fullmatch(SIZE, text) is not None


def is_duration(text: str) -> bool:
    """Whether `text` is a number with a unit of time."""
    return re.fullmatch(DURATION, text) is not None


def show_size(count: int) -> str:
    """The shortest text that `size` reads back as `count` bytes: 4096 is `4KiB`, 1000000 is `1MB`, 1001 is `1001B`."""
    for unit, factor in BYTES.items():
        if count and count % factor == 0:
            return f"{count // factor}{unit}"
    return "0B"


def show_seconds(duration: float) -> str:
    """The text that `seconds` reads back, to the nanosecond: 0.25 is `250ms`, 10.0 is `10s`, 120.0 is `2m`."""
    exact = Decimal(repr(duration)).quantize(Decimal("1e-9"))
    if exact >= 60 and exact % 60 == 0:
        unit = "h" if exact % 3600 == 0 else "m"
    else:
        unit = next((each for each in ("s", "ms") if exact >= SECONDS[each]), "us" if exact else "s")
    return f"{_plain(exact / SECONDS[unit])}{unit}"


def shown(text: str, limit: int = 60) -> str:
    """`text` in quotes for a message: escaped, on one line, and cut when it is long."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def _split(text: str, what: str, forms: str) -> tuple[Decimal, str]:
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not a {what}; {forms}")
    return Decimal(found[1]), found[2]


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
