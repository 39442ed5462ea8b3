"""What the chains of this folder work out, and what their answers have to be."""

from __future__ import annotations

import json


def generate_input(seed: int, size: int) -> list[int]:
    return [seed * 100 + at for at in range(size)]


def worked(number: int) -> int:
    return number * number


def validate_output(answer: str, seed: int, size: int | None) -> str | None:
    """The squares of all inputs, in order."""
    wanted = [worked(each) for each in generate_input(seed, size or 1)]
    return None if json.loads(answer) == wanted else f"{answer[:60]} is not {str(wanted)[:60]}"


def validate_total(answer: str, seed: int, size: int | None) -> str | None:
    """Their sum, however often they were cut and joined."""
    wanted = sum(worked(each) for each in generate_input(seed, size or 1))
    return None if int(answer) == wanted else f"{answer[:60]} is not {wanted}"


def validate_way(answer: str, seed: int, size: int | None) -> str | None:
    """Even seeds go left, odd ones go right."""
    wanted = ("left", "right")[seed % 2]
    return None if answer == wanted else f"{answer[:60]} is not {wanted}"


def validate_count(answer: str, seed: int, size: int | None) -> str | None:
    """A loop of so many rounds."""
    return None if int(answer) == size else f"{answer[:60]} is not {size}"
