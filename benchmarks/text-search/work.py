"""Semantic search over short passages. The model is WordLlama's, 16 MB of word vectors that its wheel holds.

Only `embedded` and what calls it needs the model: whoever judges knows which passage each question is about.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path
from typing import Any

CANDIDATES = 5  # of each shard
SHOWN = 3
LEXICAL = 0.1  # what a question's words count beside its meaning, if all of them are in a passage
LEAST_FOUND = 0.75  # of the questions, among what is shown

Vectors = list[list[float]]


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage, and a question that is about it and about none of the others."""

    title: str
    text: str
    question: str


@cache
def passages() -> tuple[Passage, ...]:
    lines = Path(__file__).with_name("passages.tsv").read_text("utf-8").splitlines()
    return tuple(Passage(*line.split("\t")) for line in lines)


def generate_input(seed: int, size: int) -> list[str]:
    """As many different questions."""
    return [passages()[number].question for number in _asked(seed, size)]


def _asked(seed: int, size: int) -> list[int]:
    return random.Random(f"search/{seed}").sample(range(len(passages())), size)


@cache
def _model() -> Any:
    import wordllama

    # Where the wheel has its files; without it the tokenizer would be looked for on the network.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def embedded(texts: Sequence[str]) -> Vectors:
    """A vector of length one for each text, rounded to what matters."""
    vectors: Vectors = _model().embed(list(texts), norm=True).round(5).tolist()
    return vectors


def nearest(questions: Vectors, shard: int, shards: int) -> list[list[int]]:
    """For each question the passages of a shard that are nearest to it, the nearest first, by their numbers."""
    there = _shard(shard, shards)
    return [sorted(there, key=lambda number: -_alike(question, there[number]))[:CANDIDATES] for question in questions]


@cache
def _shard(shard: int, shards: int) -> dict[int, list[float]]:
    """Every so manyth passage, as vectors."""
    own = range(shard, len(passages()), shards)
    texts = [f"{passages()[number].title}. {passages()[number].text}" for number in own]
    return dict(zip(own, embedded(texts), strict=True)) if texts else {}


def _alike(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def ranked(questions: Sequence[str], candidates: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each question the best of its candidates: by the whole passage, its best sentence, and rare words shared."""
    return [_best(*each) for each in zip(questions, embedded(questions), candidates, strict=True)]


def _best(question: str, vector: list[float], candidates: Sequence[int]) -> list[int]:
    words, rarity = _words(question), _rarity()
    whole = sum(rarity[word] for word in words) or 1.0

    def score(number: int) -> float:
        passage = passages()[number]
        shared = sum(rarity[word] for word in words & _words(f"{passage.title} {passage.text}"))
        return max(_alike(vector, part) for part in _parts(number)) + LEXICAL * shared / whole

    return sorted(candidates, key=lambda number: (-score(number), number))[:SHOWN]


@cache
def _parts(number: int) -> Vectors:
    """The passage as a whole and sentence by sentence."""
    passage = passages()[number]
    return embedded([f"{passage.title}. {passage.text}", *re.split(r"(?<=\.) ", passage.text)])


@cache
def _rarity() -> Counter[str]:
    """How much a word tells: the logarithm of how few passages have it; nothing, where none has."""
    counts = Counter(word for passage in passages() for word in _words(f"{passage.title} {passage.text}"))
    return Counter({word: log(len(passages()) / count) for word, count in counts.items()})


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """The passage that a question is about has to be among those shown, for most of the questions."""
    try:
        shown = json.loads(answer)
        if [len(set(each)) for each in shown] != [SHOWN] * size:
            return f"{size} questions have {SHOWN} different passages each"
        missed = [number for number, each in zip(_asked(seed, size), shown, strict=True) if number not in each]
    except (ValueError, TypeError, RecursionError) as error:
        return f"that is no answer of a search: {error!r:.80}"
    titles = ", ".join(passages()[number].title for number in missed)
    return f"these passages were not found: {titles}" if len(missed) > (1 - LEAST_FOUND) * size else None
