"""An order's price, the cost of its shipping, and both together, in whole cents."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

Line = Mapping[str, int]

DISCOUNT_FROM = 10  # pieces of one line
DISCOUNT = 5  # percent
PARCEL, POUND = 490, 500  # cents for a parcel, and grams that cost ...
PER_POUND = 35  # ... so many cents more, once begun


def generate_input(seed: int, size: int) -> list[dict[str, int]]:
    """The order's lines: pieces, what one costs in cents, what one weighs in grams."""
    draw = random.Random(f"diamond/{seed}")
    return [
        {"pieces": draw.randrange(1, 20), "cents": draw.randrange(1, 10_000), "grams": draw.randrange(10, 2_000)}
        for _ in range(size)
    ]


def price(order: Sequence[Line]) -> int:
    """Many of one are cheaper, rounded down line by line."""
    return sum(_price(line["pieces"], line["cents"]) for line in order)


def _price(pieces: int, cents: int) -> int:
    whole = pieces * cents
    return whole * (100 - DISCOUNT) // 100 if pieces >= DISCOUNT_FROM else whole


def shipping(order: Sequence[Line]) -> int:
    grams = sum(line["pieces"] * line["grams"] for line in order)
    return PARCEL + (grams + POUND - 1) // POUND * PER_POUND


def invoice(parts: Mapping[str, int]) -> str:
    return json.dumps({**dict(sorted(parts.items())), "total": parts["goods"] + parts["shipping"]})


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Reckons in decimals, piece by piece, as one would on paper."""
    goods, pounds, rest = Decimal(0), 0, 0
    for line in generate_input(seed, size):
        line_price = sum((Decimal(line["cents"]) for _ in range(line["pieces"])), Decimal(0))
        goods += line_price if line["pieces"] < DISCOUNT_FROM else int(line_price - line_price / 20)
        whole, rest = divmod(rest + line["pieces"] * line["grams"], POUND)
        pounds += whole
    costs = PARCEL + PER_POUND * (pounds + (rest > 0))
    wanted = json.dumps({"goods": int(goods), "shipping": costs, "total": int(goods) + costs})
    return None if answer == wanted else f"{answer[:200]} is not {wanted}"
