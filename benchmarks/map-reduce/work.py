"""What all jobs share: parts, shares and answers. A job is a module with `generate_input`, `mapped`, `reference`.

Every job sums up whole numbers by key: a mapper those of its part, a reducer those of its share of the keys.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import revenue
import words

JOBS: Mapping[str, ModuleType] = {"words": words, "revenue": revenue}

Sums = Mapping[str, int]


def data(job: str, seed: int, size: int) -> str:
    """The text of one job, about `size` bytes of it, in lines. Raises ValueError for a job that nobody knows."""
    if job not in JOBS:
        raise ValueError(f"there is no job {job[:40]!r}; one of {', '.join(JOBS)}")
    return JOBS[job].generate_input(seed, size)  # type: ignore[no-any-return]


def generate_input(seed: int, size: int) -> dict[str, str]:
    """The texts of all jobs."""
    return {job: data(job, seed, size) for job in JOBS}


def parts(text: str, size: int) -> list[str]:
    """The text in parts of at least `size` characters, each of whole lines; the last may be shorter."""
    found: list[str] = []
    lines: list[str] = []
    held = 0
    for line in text.splitlines(keepends=True):
        lines.append(line)
        held += len(line)
        if held >= size:
            found.append("".join(lines))
            lines, held = [], 0
    return [*found, "".join(lines)] if lines or not found else found


def mapped(job: str, part: str) -> dict[str, int]:
    """What one mapper makes of its part."""
    sums: dict[str, int] = {}
    for key, value in JOBS[job].mapped(part):
        sums[key] = sums.get(key, 0) + value
    return sums


def shuffled(job: str, mapped: Iterable[Sums], reducers: int) -> list[list[Sums]]:
    """Each reducer's share: of every mapper the keys that are its own. Shares without a key are left out."""
    shares: list[list[Sums]] = [[] for _ in range(reducers)]
    for sums in mapped:
        cut: list[dict[str, int]] = [{} for _ in range(reducers)]
        for key, value in sums.items():
            cut[zlib.crc32(key.encode()) % reducers][key] = value
        for share, piece in zip(shares, cut, strict=True):
            share.append(piece)
    return [share for share in shares if any(share)]


def reduced(share: Iterable[Sums]) -> dict[str, int]:
    """What one reducer makes of its share."""
    total: dict[str, int] = {}
    for sums in share:
        for key, value in sums.items():
            total[key] = total.get(key, 0) + value
    return total


def answer(job: str, reduced: Sequence[Sums]) -> str:
    """What all reducers together found. No key is in two shares."""
    whole = {key: value for sums in reduced for key, value in sums.items()}
    return json.dumps({"job": job, "found": dict(sorted(whole.items()))})


def validate_output(answer: str, seed: int, size: int, parameters: Mapping[str, Any]) -> str | None:
    """Asks the job that was wanted for the same sums by another way, over all data at once."""
    job = str(parameters["job"])
    try:
        said = json.loads(answer)
        named, found = said["job"], {**said["found"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return f"that is no answer of a job: {error!r:.80}"
    if named != job:
        return f"the job was {job}, not {str(named)[:40]!r}"
    wanted = JOBS[job].reference(data(job, seed, size))
    if found == wanted:
        return None
    apart = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    return f"{job}: {apart[0]!r} has {found.get(apart[0])}, not {wanted.get(apart[0])}; {len(apart)} keys differ"
