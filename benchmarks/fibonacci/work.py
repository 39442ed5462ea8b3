"""Fibonacci numbers: by as many additions as it takes, and by halving."""

from __future__ import annotations


def fibonacci(n: int) -> int:
    """F(n), with F(0) = 0 and F(1) = 1."""
    one, next_one = 0, 1
    for _ in range(n):
        one, next_one = next_one, one + next_one
    return one


def generate_input(seed: int, size: int) -> int:
    """A number from `size` on."""
    return size + seed % 16


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Computes the same number by doubling, in as many steps as `n` has bits."""
    n = generate_input(seed, size)
    wanted = str(_doubled(n)[0])
    return None if answer == wanted else f"F({n}) is {_short(wanted)}, not {_short(answer)}"


def _doubled(n: int) -> tuple[int, int]:
    """F(n) and F(n+1): F(2k) = F(k)(2F(k+1) - F(k)), and F(2k+1) = F(k)^2 + F(k+1)^2."""
    if n == 0:
        return 0, 1
    one, next_one = _doubled(n // 2)
    even, odd = one * (2 * next_one - one), one * one + next_one * next_one
    return (odd, even + odd) if n % 2 else (even, odd)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:18]}…{text[-18:]}"
