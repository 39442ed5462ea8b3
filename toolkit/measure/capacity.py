"""Which rate is tried next on the way to the highest one that keeps a promise. Pure: it asks, and is told.

May live here: the search. May not: sending anything, judging one measurement (`promise`).

Rates double until one does not keep the promise; then the gap is halved, on a scale of ratios. A measurement that is
undecided is repeated with twice the time. One that says nothing about the system is repeated once, and then ends the
search: the generator's limit must not be taken for the system's.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from toolkit.verdicts import Step

REPEATS = 3  # of a measurement that is undecided, each twice as long as the one before
SPOILT = 1  # measurements of a rate that may be invalid before it ends the search
RESOLUTION = 0.05  # of the highest rate that keeps the promise


@dataclass(frozen=True, slots=True)
class Search:
    """`step_s` is the time of a measurement, without its warm-up; `calls` are how many it needs at least."""

    lowest: float
    highest: float
    step_s: float
    calls: int = 1
    resolution: float = RESOLUTION
    repeats: int = REPEATS


@dataclass(frozen=True, slots=True)
class Ask:
    """The next measurement: a rate, and for how long it is to be judged."""

    rate: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """`kept` is the highest rate that kept the promise, `broken` the lowest that broke it.

    `complete`: no rate is left to try, and the lowest was decided.
    """

    kept: float | None
    broken: float | None
    ended: str
    complete: bool


def length_s(search: Search, rate: float, attempt: int = 0) -> float:
    """Long enough for as many calls as are needed; each repetition twice as long."""
    return max(search.step_s, search.calls / rate) * float(2**attempt)


def steps(search: Search) -> Generator[Ask, Step, Found]:
    """Asks for measurements and is sent what became of each; returns what was found."""
    kept, above, broken = None, None, None
    unknown = list[float]()
    rate = search.lowest
    while True:
        step = yield from _decided(search, rate)
        if step.verdict == "invalid":
            why = "; ".join(step.invalid) or "the measurement is invalid"
            return Found(kept, broken, f"at {rate:.6g}/s no valid measurement was possible: {why}", complete=False)
        if step.verdict == "kept":
            kept = rate
        elif kept is None and step.verdict == "undecided":
            return Found(None, None, f"it could not be decided at the lowest rate, {rate:.6g}/s", complete=False)
        else:
            above = rate
            broken = rate if step.verdict == "broken" else broken
            # What lies above a broken rate is of no interest any more.
            unknown = [*unknown, rate] if step.verdict == "undecided" else []
        following = _next(search, kept, above, unknown)
        if isinstance(following, str):
            return Found(kept, broken, following, complete=True)
        rate = following


def _decided(search: Search, rate: float) -> Generator[Ask, Step, Step]:
    attempt, spoilt, step = 0, 0, (yield Ask(rate, length_s(search, rate)))
    while True:
        if step.verdict == "undecided" and attempt < search.repeats:
            attempt += 1
        elif step.verdict == "invalid" and spoilt < SPOILT:
            spoilt += 1
        else:
            return step
        step = yield Ask(rate, length_s(search, rate, attempt))


def _next(search: Search, kept: float | None, above: float | None, unknown: Sequence[float]) -> float | str:
    """A rate, or why there is none."""
    if kept is None:
        return "the lowest rate did not keep the promise already: there may be a capacity below it"
    if above is None:
        if kept >= search.highest:
            return "the highest rate kept the promise as well: the capacity may be above it"
        return min(search.highest, kept * 2)
    if above <= kept * (1 + search.resolution):
        if unknown:
            rates = ", ".join(f"{each:.6g}/s" for each in sorted(unknown))
            return f"above {kept:.6g}/s it could not be decided at {rates}"
        return f"the gap is within {search.resolution:.0%}"
    return math.sqrt(kept * above)


def undecided(found: Sequence[Step]) -> tuple[float, ...]:
    """Rates at which even the longest measurement did not decide."""
    last = {step.rate: step.verdict for step in found}
    return tuple(sorted(rate for rate, verdict in last.items() if verdict == "undecided"))
