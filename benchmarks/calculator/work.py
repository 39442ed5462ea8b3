"""Sums of two exact numbers."""

from __future__ import annotations

import json
import random
from fractions import Fraction

OPERATIONS = {"+": "addition", "-": "subtraction", "*": "multiplication", "/": "division"}
LONGEST = 100  # characters of a number


class NoSum(ValueError):
    """What was asked is no sum, or has no result; the text says why."""


def read(text: str) -> dict[str, str] | None:
    """The sum that a request asks for: JSON with `a`, `b` and `sign`. None when it asks for nothing in particular."""
    try:
        asked = json.loads(text)
    except ValueError:
        return None
    if not isinstance(asked, dict):
        return None
    missing = [name for name in ("a", "b", "sign") if not isinstance(asked.get(name), str)]
    if missing:
        raise NoSum(f"wanted a, b and sign, each once, as in ?a=1&b=2&sign=%2B; {', '.join(missing)} is not there")
    if asked["sign"] not in OPERATIONS:
        raise NoSum(f"{asked['sign'][:LONGEST]!r} is no sign; one of {' '.join(OPERATIONS)} (in a URL, + is %2B)")
    for name in ("a", "b"):
        _number(asked[name])
    return {name: asked[name] for name in ("a", "b", "sign")}


def calculate(a: str, b: str, sign: str) -> str:
    """The result: a whole number, or a fraction as `2/3`. Raises NoSum for a division by zero."""
    left, right = _number(a), _number(b)
    if sign == "/" and right == 0:
        raise NoSum("a division by zero")
    results = {"+": left + right, "-": left - right, "*": left * right}
    return str(results[sign] if sign in results else left / right)


def generate_input(seed: int, size: int | None = None) -> dict[str, str]:
    """A sum with numbers of up to `size` digits (6), never a division by zero."""
    draw = random.Random(f"calculator/{seed}")
    most = 10 ** (size or 6)
    return {
        "a": str(draw.randrange(-most, most)),
        "b": str(draw.randrange(1, most)),
        "sign": draw.choice(list(OPERATIONS)),
    }


def validate_output(answer: str, seed: int, size: int | None = None) -> str | None:
    """Asks the result back: what was added is taken away again, and so on."""
    asked = generate_input(seed, size)
    try:
        got = _number(answer) if "/" not in answer else Fraction(*map(int, answer[: 2 * LONGEST].split("/")))
    except (ValueError, TypeError, ZeroDivisionError):  # no numbers, or more than two, or none at all
        return f"{answer[:LONGEST]!r} is no number such as 12 or 2/3"
    a, b = int(asked["a"]), int(asked["b"])
    back = {"+": got - b, "-": got + b, "*": got / b, "/": got * b}[asked["sign"]]
    return None if back == a else f"{asked['a']} {asked['sign']} {asked['b']} is not {answer[:LONGEST]}"


def _number(text: str) -> Fraction:
    try:
        if len(text) <= LONGEST and "/" not in text and "e" not in text.lower():  # 1e999999 would be a long number
            return Fraction(text)
    except ValueError:
        pass
    raise NoSum(f"{text[:LONGEST]!r} is no number such as -12 or 1.5")
