"""One step at a time. What a count leaves is a digest of every number in its order, so that none is skipped."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from typing import Any


def generate_input(seed: int, size: int | None = None) -> int:
    """The number before the first one."""
    return random.Random(f"counter/{seed}").randrange(1_000_000)


def trail(numbers: Iterable[int], limit: int) -> str:
    """What was counted of `limit`: how many numbers, and a digest of them in this order."""
    told = list(numbers)
    digest = hashlib.blake2b(",".join(map(str, told)).encode(), digest_size=16).hexdigest()
    return json.dumps({"limit": limit, "counted": len(told), "digest": digest})


def validate_output(answer: str, seed: int, size: int | None, parameters: Mapping[str, Any]) -> str | None:
    """Counts again, to the limit that was asked for."""
    limit, first = int(parameters["limit"]), generate_input(seed, size) + 1
    if answer == trail(range(first, first + limit), limit):
        return None
    return f"{answer[:100]!r} is not what is left when one counts {limit} numbers from {first} on"
