"""Numbers from a seed, their partition around a pivot, and the proof that they were sorted."""

from __future__ import annotations

import hashlib
import json
import random
from array import array
from collections.abc import Iterable, Sequence

MOST = 1 << 31


def generate_input(seed: int, size: int | None = None) -> array[int]:
    """`size` numbers (2000), some of them more than once."""
    draw = random.Random(f"quicksort/{seed}")
    return array("i", (draw.randrange(MOST) >> draw.randrange(8) for _ in range(size or 2000)))


def partition(numbers: Sequence[int]) -> tuple[array[int], array[int], array[int]]:
    """Those below, equal to and above the median of three."""
    pivot = sorted((numbers[0], numbers[len(numbers) // 2], numbers[-1]))[1]
    below = array("i", (each for each in numbers if each < pivot))
    above = array("i", (each for each in numbers if each > pivot))
    return below, array("i", [pivot]) * (len(numbers) - len(below) - len(above)), above


def proof(numbers: Iterable[int]) -> str:
    """How many numbers there are, and a digest of them in this order."""
    told = array("i", numbers)
    return json.dumps({"sorted": len(told), "digest": hashlib.blake2b(told.tobytes(), digest_size=16).hexdigest()})


def validate_output(answer: str, seed: int, size: int | None = None) -> str | None:
    """Sorts again, with Python's own sort."""
    right = proof(sorted(generate_input(seed, size)))
    return None if answer == right else f"{answer} is not {right}"
