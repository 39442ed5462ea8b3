"""Somebody else's arrivals as one text that goes with a load: into reports, and to generators elsewhere. Pure.

`counts/60000000000 3 5 0`: so many calls in each stretch of so many nanoseconds. `gaps/1000 0 120 7`: so many thousand
nanoseconds after the call before. A million calls take about 6 MB as gaps; a day of counts per minute a few KB.

May live here: this text, and the moments it means. May not: files and their formats (`invocations`).
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterable, Iterator

from toolkit.errors import UsageError
from toolkit.load.arrivals import draws

LONGEST = 12 << 20  # characters: an order to a generator is one line of at most 16 MiB
_WHOLE = re.compile(r"(counts|gaps)/([1-9][0-9]{0,15})((?: [0-9]{1,16})+)", re.ASCII)
_NUMBER = re.compile(r" ([0-9]+)")


def text(form: str, unit_ns: int, numbers: Iterable[int]) -> str:
    """Raises UsageError when that is more than goes with a load."""
    parts, length = [f"{form}/{unit_ns}"], 0
    for each in numbers:
        parts.append(str(each))
        if (length := length + len(parts[-1]) + 1) > LONGEST:
            raise UsageError(
                f"--arrivals recorded: more than {LONGEST >> 20} MiB of times, too much to go with a load",
                next_step="take fewer calls (rate=0.1), or a part of the file",
            )
    return " ".join(parts)


def check(recorded: str) -> None:
    """Raises UsageError for what `text` did not make."""
    found = _WHOLE.fullmatch(recorded) if len(recorded) <= LONGEST + 100 else None
    if found is None:
        raise UsageError("the recorded arrivals of this load are damaged", next_step="read them from the file again")
    if count(recorded) == 0:
        raise UsageError(
            "--arrivals recorded: not one call was recorded", next_step="choose another row or other minutes"
        )


def count(recorded: str) -> int:
    """How many calls were recorded."""
    form, _, numbers = _read(recorded)
    return sum(numbers) if form == "counts" else sum(1 for _ in numbers)


def length_ns(recorded: str) -> int:
    """From the start of the recording to its end: of counts to that of the last stretch, of gaps to the last call."""
    form, unit_ns, numbers = _read(recorded)
    return unit_ns * (sum(1 for _ in numbers) if form == "counts" else sum(numbers))


def peak(recorded: str) -> float | None:
    """The most calls a second that some stretch has; None of a recording that has none."""
    form, unit_ns, numbers = _read(recorded)
    return max(numbers) * 1e9 / unit_ns if form == "counts" else None


def times(recorded: str, gaps: str, seed: int) -> Iterator[int]:
    """The moments in nanoseconds after the recording's start, never decreasing.

    Within a stretch of `counts` the calls keep equal distances from its start on (constant), are each at a moment of
    their own drawn uniformly (poisson: so are the calls of a Poisson process once their number is known), or keep
    uniformly drawn distances, scaled to fill it (uniform).
    """
    form, unit_ns, numbers = _read(recorded)
    if form == "gaps":
        yield from (unit_ns * total for total in itertools.accumulate(numbers))
        return
    random = draws(seed, "arrivals")
    for place, calls in enumerate(numbers):
        for share in _spread(calls, gaps, random):
            yield min(place * unit_ns + round(share * unit_ns), (place + 1) * unit_ns - 1)


def _spread(calls: int, gaps: str, draw: random.Random) -> Iterable[float]:
    if gaps == "poisson":
        return _in_order(calls, draw)
    if gaps == "uniform":
        ends = list(itertools.accumulate(draw.random() for _ in range(calls + 1)))
        return (each / (ends[-1] or math.inf) for each in ends[:-1])
    return (place / calls for place in range(calls))


def _in_order(calls: int, draw: random.Random) -> Iterator[float]:
    """So many uniform numbers, the smallest first, without having them all: what is left is uniform above the last."""
    left_over = 1.0
    for left in range(calls, 0, -1):
        left_over *= (1.0 - draw.random()) ** (1.0 / left)
        yield 1.0 - left_over


def _read(recorded: str) -> tuple[str, int, Iterator[int]]:
    form, _, unit = recorded.partition(" ")[0].partition("/")
    return form, int(unit), (int(each[1]) for each in _NUMBER.finditer(recorded))
