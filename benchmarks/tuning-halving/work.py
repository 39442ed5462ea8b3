"""Successive halving (Jamieson and Talwalkar, 2016) of a support vector machine's settings, on handwritten digits.

The digits are the optical recognition set of Alpaydin and Kaynak, which scikit-learn brings along. Every candidate
gets a small budget of pictures, the better half twice as many, until one is left.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from sklearn.datasets import load_digits
from sklearn.svm import SVC

CANDIDATES = 8
ROUNDS = 3
HELD_OUT = 400  # pictures that are scored with and never learned from
LEAST_RIGHT = 0.9  # of them, by the winner
GOOD = (8e-4, 2e-3)  # from and to: a gamma with which digits are told apart
BAD = ((1e-8, 1e-7), (0.3, 3.0))  # all digits look alike, or none like any other

Settings = Mapping[str, float]


def generate_input(seed: int, size: int | None = None) -> list[dict[str, float]]:
    """Candidates, drawn by the seed. One of them is good, whatever the data: it has to win."""
    draw = random.Random(f"halving/{seed}")
    good = draw.randrange(CANDIDATES)
    return [_candidate(draw, GOOD if number == good else draw.choice(BAD)) for number in range(CANDIDATES)]


def _candidate(draw: random.Random, gammas: tuple[float, float]) -> dict[str, float]:
    return {"C": round(draw.uniform(1, 10), 3), "gamma": draw.uniform(*gammas)}


def budgets(size: int) -> list[int]:
    """The pictures that each round learns from; the last has `size`."""
    return [size >> left for left in reversed(range(ROUNDS))]


def score(settings: Settings, budget: int, seed: int) -> int:
    """How many of the pictures that are held out are told right after learning from `budget` others."""
    pictures, digits = _shuffled(seed)
    machine = SVC(C=settings["C"], gamma=settings["gamma"])
    machine.fit(pictures[HELD_OUT : HELD_OUT + budget], digits[HELD_OUT : HELD_OUT + budget])
    return int((machine.predict(pictures[:HELD_OUT]) == digits[:HELD_OUT]).sum())


@cache
def _shuffled(seed: int) -> tuple[Any, Any]:
    pictures, digits = load_digits(return_X_y=True)
    order = random.Random(seed).sample(range(len(digits)), len(digits))
    return pictures[order], digits[order]


def better_half(candidates: Sequence[Any], scores: Sequence[int]) -> list[Any]:
    """The half with the higher scores, the highest first; of equals, those that stood first."""
    order = sorted(range(len(candidates)), key=lambda number: -scores[number])
    return [candidates[number] for number in order[: len(order) // 2]]


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Goes by the rules of the game, and has the winner tell the digits once more."""
    try:
        return _wrong(json.loads(answer), seed, size)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return f"that is no answer of a tuner: {error!r:.80}"


def _wrong(said: Mapping[str, Any], seed: int, size: int) -> str | None:
    candidates, rounds = generate_input(seed), said["rounds"]
    (good,) = (each for each in candidates if GOOD[0] <= each["gamma"] <= GOOD[1])
    if said["winner"] != good:
        return f"{good} is better than {said['winner']}"
    if [(each["budget"], len(each["trials"])) for each in rounds] != [*zip(budgets(size), (8, 4, 2), strict=True)]:
        return "the rounds are not 8, 4 and 2 trials, each with twice the budget"
    scores = [{str(settings): score for settings, score in each["trials"]} for each in rounds]
    if set(scores[0]) != set(map(str, candidates)):
        return "the first round did not try the candidates"
    for number, (tried, kept) in enumerate(pairwise([*scores, {str(good): 0}]), start=1):
        if not set(kept) <= set(tried) or min(tried[each] for each in kept) < max(
            tried[each] for each in set(tried) - set(kept)
        ):
            return f"those that are left after round {number} are not its better half"
    again = score(good, size, seed)
    if scores[-1][str(good)] != again or again < LEAST_RIGHT * HELD_OUT:
        return (
            f"the winner tells {again} of {HELD_OUT} digits right, not {scores[-1][str(good)]}; {LEAST_RIGHT:.0%} count"
        )
    return None
