"""Amounts in several currencies, converted with rates that somebody else knows, and when that somebody is busy."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

CURRENCIES = ("CHF", "GBP", "INR", "JPY", "USD", "ZAR")
CENT = Decimal("0.01")


def turned_away(message: str, busy: float) -> bool:
    """Whether the bank is busy for this message: its id decides, so the same message meets the same fate again."""
    return int(message[:8], 16) < busy * 16**8


def rates(seed: int, currencies: Sequence[str]) -> dict[str, str]:
    """What one of each costs in euros, with four decimals."""
    return {name: f"{Decimal(_rate(seed, name)).scaleb(-4)}" for name in currencies}


def total(amounts: Sequence[Mapping[str, Any]], rates: Mapping[str, str]) -> str:
    """All amounts in euros, rounded once."""
    whole = sum((Decimal(each["cents"]).scaleb(-2) * Decimal(rates[each["currency"]]) for each in amounts), Decimal(0))
    return f"EUR {whole.quantize(CENT, ROUND_HALF_EVEN)}"


def generate_input(seed: int, size: int) -> list[dict[str, Any]]:
    draw = random.Random(f"retry/{seed}")
    return [{"currency": draw.choice(CURRENCIES), "cents": draw.randrange(1, 1_000_000)} for _ in range(size)]


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Reckons in fractions, with the rates as they were drawn; who was asked for them makes no difference."""
    amounts = generate_input(seed, size)
    exact = sum((Fraction(each["cents"] * _rate(seed, each["currency"]), 10**6) for each in amounts), Fraction(0))
    euros, cents = divmod(round(exact * 100), 100)
    wanted = f"EUR {euros}.{cents:02}"
    return None if answer == wanted else f"{answer[:60]!r} is not {wanted!r}"


def _rate(seed: int, currency: str) -> int:
    return random.Random(f"retry/{seed}/{currency}").randrange(50, 20_000)
