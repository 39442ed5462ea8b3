"""A linear congruential generator of random numbers (with Knuth's constants for MMIX), step by step and at once.

Each step needs the one before it, so no compiler, cache or second processor makes it shorter; but where `n` steps lead
is a geometric series, so the answer is judged without taking them.
"""

from __future__ import annotations

FACTOR, ADDED, BELOW = 6364136223846793005, 1442695040888963407, 2**64


def spun(value: int, steps: int) -> int:
    for _ in range(steps):
        value = (value * FACTOR + ADDED) % BELOW
    return value


def generate_input(seed: int, size: int) -> int:
    """Where to start."""
    return seed % BELOW


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """After n steps: x a^n + c (a^n - 1) / (a - 1), where the division asks for a larger modulus."""
    power = pow(FACTOR, size, BELOW * (FACTOR - 1))
    wanted = (generate_input(seed, size) * power + ADDED * ((power - 1) // (FACTOR - 1))) % BELOW
    return None if answer == str(wanted) else f"{size} steps lead to {wanted}, not to {answer[:40]}"
