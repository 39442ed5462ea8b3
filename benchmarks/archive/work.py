"""A machine's log, and what must be true of it once it was packed, sealed and opened."""

from __future__ import annotations

import base64
import json
import random
import zlib

PARTS = ("cpu", "disk", "fan", "gpu", "net", "psu")


def generate_input(seed: int, size: int) -> str:
    """`size` bytes of a log; the last line may be cut."""
    draw = random.Random(f"archive/{seed}")
    lines, left = [""], size
    while left > 0:
        lines.append(
            f"{draw.choice(PARTS)}{draw.randrange(8)}: {draw.randrange(20, 90)} C, {draw.choice(('ok', 'hot'))}\n"
        )
        left -= len(lines[-1])
    return "".join(lines)[:size]


def told(sealed: str, opened: str) -> str:
    """The packed log as it came out again, and how much of it the seal left as it was, in bits of a hundred."""
    return json.dumps({"opened": opened, "bits_alike": _alike(sealed, opened)})


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Unpacks what was opened; and of sealed data half the bits are those of the data, by chance and no more."""
    try:
        said = json.loads(answer)
        log = zlib.decompress(base64.b64decode(said["opened"], validate=True)).decode()
        alike = float(said["bits_alike"])
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
        return f"that is no archive: {error!r:.120}"
    if log != generate_input(seed, size):
        return f"{len(log)} characters come out of it, which are not the {size} that went in"
    return None if size < 1024 or 45 <= alike <= 55 else f"{alike} % of the sealed bits are those of the log"


def _alike(sealed: str, opened: str) -> float:
    one, other = base64.b64decode(sealed), opened.encode()
    bits = 8 * len(one)
    apart = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return round(100 * (1 - apart.bit_count() / bits), 1) if bits else 0.0
