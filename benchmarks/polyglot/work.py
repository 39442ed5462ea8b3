"""What the programs in Go and Node.js do, once more in Python, so that their answers can be judged."""

from __future__ import annotations

import hashlib
import html
import json
import random
from collections.abc import Mapping
from functools import cache
from typing import Any

GOODS = ("Bolt & nut", 'Pipe 1/2"', "Écrou", "Gasket <soft>", "Ölfilter", "Valve", "Zylinder")


def generate_input(seed: int, size: int | None = None) -> dict[str, Any]:
    """An invoice of so many positions: what each is, how many, and what one costs in cents."""
    draw = random.Random(f"polyglot/{seed}")
    rows = [[draw.choice(GOODS), draw.randint(1, 99), draw.randint(1, 99_999)] for _ in range(size or 100)]
    return {"number": draw.randint(1, 999_999), "rows": rows}


def render(invoice: Mapping[str, Any]) -> str:
    """The invoice as HTML, the dearest position first; of equals, the one that came first."""
    rows = sorted(invoice["rows"], key=lambda row: -row[1] * row[2])
    lines = [f"<h1>Invoice {invoice['number']}</h1>", "<table>"]
    lines += [f"<tr><td>{html.escape(what)}</td><td>{n}</td><td>{money(n * each)}</td></tr>" for what, n, each in rows]
    total = money(sum(n * each for _, n, each in rows))
    return "\n".join([*lines, f"<tr><th>Total</th><th></th><th>{total}</th></tr>", "</table>"])


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def checksum(text: str, rounds: int) -> dict[str, Any]:
    """The SHA-256 of the lines' own, each of which was taken of itself `rounds` times."""
    whole, lines = hashlib.sha256(), text.split("\n")
    for line in lines:
        found = line.encode()
        for _ in range(rounds):
            found = hashlib.sha256(found).digest()
        whole.update(found)
    return {"lines": len(lines), "sha256": whole.hexdigest()}


def validate_output(answer: str, seed: int, size: int | None, parameters: Mapping[str, Any]) -> str | None:
    """What is wrong with an answer; None when it is right."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError) as error:
        return f"no answer of the form {{bytes, rounds, lines, sha256}}: {error!r:.80}"
    wanted = _wanted(seed, size, int(parameters["rounds"]))
    return None if said == wanted else f"wanted {wanted}, got {str(said)[:200]}"


@cache
def _wanted(seed: int, size: int | None, rounds: int) -> dict[str, Any]:
    page = render(generate_input(seed, size))
    return {"bytes": len(page.encode()), "rounds": rounds, **checksum(page, rounds)}
