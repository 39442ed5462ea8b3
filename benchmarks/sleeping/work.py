"""How long to wait, and whether it was waited for so long."""

from __future__ import annotations

import re

# A loop wakes up to one tick of its clock early: asyncio's rounds to it, and a kernel's timer has one of its own.
EARLY_NS = 1_000_000


def generate_input(seed: int, size: int) -> float:
    """Seconds; `size` is in milliseconds. All calls wait as long."""
    return size / 1000


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Waiting longer is no error: how much longer is what the benchmark measures."""
    said = re.fullmatch(r"slept (\d{1,18}) ns", answer)
    if said is None:
        return f"{answer[:80]!r} does not say for how long it slept"
    return None if int(said[1]) >= size * 1_000_000 - EARLY_NS else f"{answer}, which is less than {size} ms"
