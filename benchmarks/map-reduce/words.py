"""Word count: how often each word is there, however it is written."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

SYLLABLES = ("ba", "chi", "do", "fe", "gla", "ho", "ki", "lu", "mo", "ner", "pi", "qua", "ro", "su", "ta", "ver")
WORDS = tuple(one + two for one in SYLLABLES for two in SYLLABLES)
MARKS = ("", "", "", "", ",", ".", "!", ";")
_OFTEN = tuple(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))  # Zipf's law


def generate_input(seed: int, size: int) -> str:
    """About `size` characters of prose, in lines of twelve words."""
    draw = random.Random(f"words/{seed}")
    lines: list[str] = []
    left = size
    while left > 0:
        drawn = draw.choices(WORDS, cum_weights=_OFTEN, k=12)
        lines.append(" ".join(_written(draw, word) for word in drawn) + "\n")
        left -= len(lines[-1])
    return "".join(lines)


def _written(draw: random.Random, word: str) -> str:
    return (word.capitalize() if draw.random() < 0.2 else word) + draw.choice(MARKS)


def mapped(part: str) -> Iterator[tuple[str, int]]:
    """Each word, once for each time it is there."""
    for line in part.splitlines():
        for word in line.lower().split(" "):
            yield word.rstrip(",.!;"), 1


def reference(text: str) -> dict[str, int]:
    """The same by a pattern and a `Counter`, over the whole text."""
    return Counter(re.findall(r"[a-z]+", text.lower()))
