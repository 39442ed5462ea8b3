"""Nearest neighbours in an index that is cut into shards."""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Sequence
from itertools import islice

DIMENSIONS = 8
NEAREST = 10  # points that a query asks for
_BELOW = 1000  # of a coordinate

Point = tuple[int, ...]


def generate_input(seed: int, size: int) -> list[Point]:
    """The points; a point's number is its place here."""
    draw = random.Random(f"broadcast/{seed}")
    return [_point(draw) for _ in range(size)]


def query(seed: int) -> Point:
    return _point(random.Random(f"broadcast/query/{seed}"))


def position(function: str) -> int:
    """The place of a copy among its likes, from 0 on: `shard-3` is the third, `shard` is alone."""
    number = function.rpartition("-")[2]
    return int(number) - 1 if number.isdecimal() else 0


def nearest(points: Sequence[Point], asked: Sequence[int], shard: int, shards: int) -> list[list[int]]:
    """The nearest of one shard's points, each as [squared distance, number], the nearest first."""
    numbers = range(shard, len(points), shards)
    return heapq.nsmallest(NEAREST, ([_distance(points[number], asked), number] for number in numbers))


def best(found: Sequence[Sequence[list[int]]]) -> str:
    """The numbers of the nearest points of all shards."""
    return json.dumps([number for _, number in islice(heapq.merge(*found), NEAREST)])


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Sorts all points by their distance."""
    asked, points = query(seed), generate_input(seed, size)
    order = sorted(
        range(size), key=lambda number: sum((x - y) ** 2 for x, y in zip(points[number], asked, strict=True))
    )
    wanted = json.dumps(order[:NEAREST])
    return None if answer == wanted else f"the nearest are {wanted}, not {answer[:200]}"


def _point(draw: random.Random) -> Point:
    return tuple(draw.randrange(_BELOW) for _ in range(DIMENSIONS))


def _distance(one: Sequence[int], other: Sequence[int]) -> int:
    return sum((x - y) * (x - y) for x, y in zip(one, other, strict=True))
