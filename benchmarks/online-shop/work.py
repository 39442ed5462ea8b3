"""A shop's rules. Money is whole: cents of a dollar in the catalogue, the smallest units of a currency elsewhere."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

PRODUCTS: Sequence[tuple[str, int, int]] = (  # name, cents, grams
    ("Sunglasses", 1999, 60),
    ("Tank top", 1899, 180),
    ("Watch", 10999, 150),
    ("Loafers", 8999, 800),
    ("Hairdryer", 2499, 700),
    ("Candle holder", 1899, 450),
    ("Salt and pepper shakers", 1849, 380),
    ("Bamboo jar", 549, 320),
    ("Mug", 899, 360),
    ("Umbrella", 2450, 510),
    ("Rucksack", 6425, 950),
    ("Notebook", 1275, 270),
)
CURRENCIES: Mapping[str, tuple[int, int]] = {  # millionths of it for a dollar, decimals that it has
    "USD": (1_000_000, 2),
    "EUR": (918_432, 2),
    "JPY": (151_270_315, 0),
    "TND": (3_109_876, 3),
    "INR": (83_451_290, 2),
}
ZONES: Mapping[str, tuple[int, int]] = {
    "US": (499, 2),
    "DE": (1250, 5),
    "JP": (1475, 6),
    "TN": (1690, 8),
    "IN": (1395, 7),
}
"""What a parcel to a country costs: cents, and cents for each ten grams begun."""

Order = Mapping[str, Any]


def generate_input(seed: int, size: int) -> dict[str, Any]:
    """What a customer wants: products and how many of each, where to, in which money, by which card."""
    draw = random.Random(f"shop/{seed}")
    wanted = [(product, draw.randrange(1, 6)) for product in draw.sample(range(len(PRODUCTS)), size)]
    return {
        "wanted": wanted,
        "country": draw.choice(list(ZONES)),
        "currency": draw.choice(list(CURRENCIES)),
        "card": _card(draw, valid=draw.random() < 0.85),
        "email": f"customer{draw.randrange(1000)}@example.com",
    }


def _card(draw: random.Random, *, valid: bool) -> str:
    """Sixteen digits of a card that nobody has; of one that is not valid, the last is another one."""
    digits = "4000" + "".join(str(draw.randrange(10)) for _ in range(11))
    last = next(digit for digit in "0123456789" if luhn(digits + digit))
    return digits + (last if valid else str((int(last) + draw.randrange(1, 10)) % 10))


def luhn(number: str) -> bool:
    """Whether a card may have this number (ISO/IEC 7812-1, Annex B)."""
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(sum(divmod(each, 10)) for each in doubled) % 10 == 0


def cart(wanted: Iterable[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"product": product, "quantity": quantity} for product, quantity in wanted]


def line(item: Mapping[str, int]) -> dict[str, int | str]:
    """An item of the cart as it stands on the bill, in cents."""
    name, cents, _ = PRODUCTS[item["product"]]
    return {"name": name, "quantity": item["quantity"], "cents": cents * item["quantity"]}


def shipping(items: Iterable[Mapping[str, int]], country: str) -> dict[str, int | str]:
    """What it costs, in cents, and a number to follow the parcel by."""
    grams = sum(PRODUCTS[item["product"]][2] * item["quantity"] for item in items)
    base, each = ZONES[country]
    return {"cents": base + each * -(-grams // 10), "tracking": _tracking(country, grams)}


def _tracking(country: str, grams: int) -> str:
    return f"{country}-{hashlib.sha256(f'{country}/{grams}'.encode()).hexdigest()[:10].upper()}"


def convert(cents: int, currency: str) -> int:
    """In the smallest units of `currency`, a half to the even one (as ISO 80000-1 rounds)."""
    rate, decimals = CURRENCIES[currency]
    tens: int = 10**decimals
    whole, rest = divmod(cents * rate * tens, 100 * 1_000_000)
    half = 50 * 1_000_000
    return whole + (rest > half or (rest == half and whole % 2 == 1))


def charge(card: str, units: int) -> dict[str, bool | str]:
    """Whether it was paid; what cannot be a card's number is declined."""
    if not luhn(card):
        return {"charged": False, "transaction": ""}
    return {"charged": True, "transaction": hashlib.sha256(f"{card}/{units}".encode()).hexdigest()[:16]}


def ordered(
    asked: Order, lines: Sequence[Order], converted: Sequence[int], shipping: Order, paid: Order
) -> dict[str, Any]:
    """The order as the customer gets it; of one that was not paid, nothing is sent."""
    return {
        "bill": [
            {"name": line["name"], "quantity": line["quantity"], "units": units}
            for line, units in zip(lines, converted[:-1], strict=True)
        ],
        "shipping": converted[-1],
        "total": sum(converted),
        "currency": asked["currency"],
        "tracking": shipping["tracking"] if paid["charged"] else None,
        "transaction": paid["transaction"] or None,
        "email": asked["email"],
    }


def letter(order: Order) -> str:
    """What the customer is written."""
    lines = [
        f"{each['quantity']} x {each['name']}: {money(each['units'], order['currency'])}" for each in order["bill"]
    ]
    total = money(order["total"], order["currency"])
    return "\n".join([f"To: {order['email']}", *lines, f"Total: {total}", f"Parcel: {order['tracking']}"])


def money(units: int, currency: str) -> str:
    return f"{Decimal(units).scaleb(-CURRENCIES[currency][1])} {currency}"


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Adds the bill up again, in decimals, and sees whether the card was one by the table of doubled digits."""
    try:
        return _wrong(json.loads(answer), seed, size)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        return f"that is no answer of a checkout: {error!r:.80}"


def _wrong(said: Mapping[str, Any], seed: int, size: int) -> str | None:
    asked = generate_input(seed, size)
    rate, decimals = CURRENCIES[asked["currency"]]
    unit, factor = Decimal(1).scaleb(-decimals), Decimal(rate).scaleb(-6)
    grams, total = 0, Decimal(0)
    for (product, quantity), each in zip(asked["wanted"], said["bill"], strict=True):
        name, cents, weight = PRODUCTS[product]
        grams += weight * quantity
        due = (Decimal(cents * quantity).scaleb(-2) * factor).quantize(unit, ROUND_HALF_EVEN)
        total += due
        if (each["name"], each["quantity"], Decimal(each["units"]) * unit) != (name, quantity, due):
            return f"{quantity} x {name} is {due} {asked['currency']}, not {each}"
    base, step = ZONES[asked["country"]]
    sent = (Decimal(base + step * ((grams + 9) // 10)).scaleb(-2) * factor).quantize(unit, ROUND_HALF_EVEN)
    total += sent
    if Decimal(said["shipping"]) * unit != sent:
        return f"shipping is {sent} {asked['currency']}, not {Decimal(said['shipping']) * unit}"
    if Decimal(said["total"]) * unit != total:
        return f"the total is {total} {asked['currency']}, not {Decimal(said['total']) * unit}"
    return _misdelivered(said, asked, grams) or _unpaid(said, asked["card"])


def _misdelivered(said: Order, asked: Order, grams: int) -> str | None:
    if (said["email"], said["currency"]) != (asked["email"], asked["currency"]):
        return f"{asked['email']} pays in {asked['currency']}, not {said['email']} in {said['currency']}"
    if said["tracking"] not in (None, _tracking(asked["country"], grams)):
        return f"a parcel of {grams} g to {asked['country']} is not followed by {said['tracking']}"
    return None


def _unpaid(said: Order, card: str) -> str | None:
    """Whether it was paid if and only if the card is one: by the table of doubled digits, from the right."""
    digits = [int(digit) for digit in card]
    checked = sum(digits[-1::-2]) + sum((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[digit] for digit in digits[-2::-2])
    valid, paid = checked % 10 == 0, (said["transaction"] is not None, said["tracking"] is not None)
    if paid != (valid, valid):
        return f"a card that is {'' if valid else 'not '}valid: charged and sent are {paid}"
    if valid and said["transaction"] != charge(card, said["total"])["transaction"]:
        return f"the charge of {said['total']} is not {said['transaction']}"
    return None
