"""Data of any size that a seed decides, and the account that whoever got it gives of it."""

from __future__ import annotations

import hashlib
import random

BLOCK = (1 << 20) - 1  # bytes; odd, so that no part of a transfer begins where a block does


def generate_input(seed: int, size: int) -> bytes:
    """`size` bytes that do not compress. Each block is the first one turned by its number, so that none can stand in
    for another; and made by copying, so that making them takes little of the time that is measured."""
    block = random.Random(f"payload/{seed}").randbytes(min(size, BLOCK))
    return b"".join(block[turn:] + block[:turn] for turn in range(-(-size // BLOCK)))[:size]


def account(data: bytes) -> str:
    return f"{len(data)} bytes, BLAKE2b {hashlib.blake2b(data, digest_size=32).hexdigest()}"


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """What is wrong with the account of the data of this seed; None when it is right."""
    wanted = account(generate_input(seed, size))
    return None if answer == wanted else f"the consumer got {answer!r:.120}, and {wanted} were sent"
