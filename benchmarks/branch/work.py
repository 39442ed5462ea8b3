"""Amounts in documents of three formats, and their sum."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Iterable
from decimal import Decimal

KINDS = ("csv", "json", "letter")


def kind(document: str) -> str:
    """The format of a document, told by how it begins."""
    if document.startswith("{"):
        return "json"
    return "csv" if document.startswith("date,") else "letter"


def of_csv(document: str) -> Decimal:
    """The sum of the column `amount`."""
    return _sum(row["amount"] for row in csv.DictReader(io.StringIO(document)))


def of_json(document: str) -> Decimal:
    """The sum of each entry's `amount`, however deep it lies."""
    amounts: list[str] = []
    left = [json.loads(document)]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            amounts += [str(value["amount"])] if "amount" in value else []
            left += value.values()
        elif isinstance(value, list):
            left += value
    return _sum(amounts)


def of_letter(document: str) -> Decimal:
    """The sum of what is said in euros."""
    return _sum(re.findall(r"EUR (\d+\.\d\d)", document))


def shown(amount: Decimal) -> str:
    return f"EUR {amount:.2f}"


def generate_input(seed: int, size: int) -> str:
    """A document with `size` amounts; the seed decides its format too."""
    cents = _cents(seed, size)
    return {"csv": _csv, "json": _json, "letter": _letter}[KINDS[seed % len(KINDS)]](cents)


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Adds up the amounts before they were written into a document."""
    euros, cents = divmod(sum(_cents(seed, size)), 100)
    wanted = f"EUR {euros}.{cents:02}"
    return None if answer == wanted else f"{answer[:60]!r} is not {wanted!r}"


def _cents(seed: int, size: int) -> list[int]:
    draw = random.Random(f"branch/{seed}")
    return [draw.randrange(1, 1_000_000) for _ in range(size)]


def _csv(cents: list[int]) -> str:
    return "date,amount\n" + "".join(f"2026-05-{at % 28 + 1:02},{_euros(each)}\n" for at, each in enumerate(cents))


def _json(cents: list[int]) -> str:
    entries = [{"amount": _euros(each), "note": {"number": at}} for at, each in enumerate(cents)]
    return json.dumps({"first": entries[:1], "others": {"entries": entries[1:]}})


def _letter(cents: list[int]) -> str:
    lines = (f"On day {at} you spent EUR {_euros(each)}, it says.\n" for at, each in enumerate(cents))
    return "Dear customer,\n" + "".join(lines)


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _sum(amounts: Iterable[str]) -> Decimal:
    return sum(map(Decimal, amounts), Decimal(0))
