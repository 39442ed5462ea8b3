"""A trip for some people, each step of which has a number of places left."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

STEPS = ("flight", "hotel", "car")
SOLD_OUT = "sold out"


def generate_input(seed: int, size: int) -> dict[str, Any]:
    """So many people, and the places left in each step; of four seeds that follow each other, three lack one."""
    draw = random.Random(f"saga/{seed}")
    left = {step: size + draw.randrange(10) for step in STEPS}
    if seed % 4 < len(STEPS):
        left[STEPS[seed % 4]] = draw.randrange(size)
    return {"people": size, "left": left}


def step(name: str, do: str, people: int, left: dict[str, int]) -> str:
    """Takes a step, or takes it back; returns the step, or that it is sold out."""
    return SOLD_OUT if do == "book" and left[name] < people else name


def told(steps: Sequence[str], failed: str | None = None) -> str:
    """What became of the trip."""
    if failed is None:
        return f"booked {', '.join(steps)}"
    return f"no {failed}; cancelled {', '.join(steps) or 'nothing'}"


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """The seed says which step has no place; the sentences are written down."""
    wanted = (
        "no flight; cancelled nothing",
        "no hotel; cancelled flight",
        "no car; cancelled hotel, flight",
        "booked flight, hotel, car",
    )[seed % 4]
    return None if answer == wanted else f"{answer[:80]!r} is not {wanted!r}"
