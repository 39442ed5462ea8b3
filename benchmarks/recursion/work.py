"""Newton's square root of a whole number, one step at a time; how many it takes depends on the number.

A state is (number, guess); guesses fall until they are exact.
"""

from __future__ import annotations

import random
from math import isqrt


def generate_input(seed: int, size: int) -> int:
    """A number of exactly `size` bits."""
    return random.Random(f"recursion/{seed}").getrandbits(size) | 1 << size - 1


def guess(number: int) -> tuple[int, int]:
    """The first state: a power of two that is no smaller than the root."""
    return number, 1 << (number.bit_length() + 1) // 2


def step(number: int, guess: int) -> tuple[int, int] | None:
    """The next state, None when the guess is the root, rounded down."""
    better = (guess + number // guess) // 2
    return (number, better) if better < guess else None


def shown(number: int, root: int) -> str:
    return f"{root} squared is the largest square up to {number}"


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Asks the standard library, which goes about it otherwise, and squares."""
    number = generate_input(seed, size)
    root = isqrt(number)
    if not root * root <= number < (root + 1) * (root + 1):
        return f"{root} is not the root of {number}"
    wanted = shown(number, root)
    return None if answer == wanted else f"{answer[:80]!r}, where the root is {root}"
