"""How many primes lie in a range: part by part, each by a sieve of its own, and by one sieve over everything."""

from __future__ import annotations

from itertools import pairwise
from math import isqrt


def generate_input(seed: int, size: int) -> tuple[int, int]:
    """A range of `size` numbers: from, and up to but not including."""
    first = 1000 * (seed % 1000)
    return first, first + size


def cut(first: int, end: int, parts: int) -> list[tuple[int, int]]:
    """`parts` ranges that follow each other; where there are more parts than numbers, some are empty."""
    at = [first + (end - first) * number // parts for number in range(parts + 1)]
    return list(pairwise(at))


def primes(first: int, end: int) -> int:
    """How many there are from `first` up to but not including `end`: a sieve of this range alone."""
    left = bytearray(b"\1") * max(0, end - first)
    for number in range(first, min(2, end)):
        left[number - first] = 0
    for factor in range(2, isqrt(max(0, end - 1)) + 1):
        begin = max(factor * factor, (first + factor - 1) // factor * factor) - first
        if begin < len(left):
            left[begin::factor] = bytes(len(range(begin, len(left), factor)))
    return sum(left)


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Sieves from 2 on, over the whole range at once, as Eratosthenes did."""
    first, end = generate_input(seed, size)
    prime = [False, False] + [True] * max(0, end - 2)
    for number in range(2, isqrt(max(0, end - 1)) + 1):
        if prime[number]:
            prime[number * number : end : number] = [False] * len(range(number * number, end, number))
    wanted = sum(prime[first:end])
    return None if answer == str(wanted) else f"{wanted} primes lie in [{first}, {end}), not {answer[:40]}"
