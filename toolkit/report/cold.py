"""Cold starts for the eye, and as JSON: what calls a call cold, and where the time of forced ones went.

May live here: words and columns. May not: numbers (`measure.cold`, `measure.witnesses`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from toolkit.report.characters import printable
from toolkit.report.tables import CELL, LABEL, NONE, count, milliseconds, percent, plural
from toolkit.results import ColdSegment, ColdStarts, ColdWitnesses, Measurement

FAILURES = 5  # that are printed; report.json has them all


def witness_line(found: Measurement) -> str | None:
    """What the three say, where one of them calls something cold."""
    said = found.witnesses
    if said is None or not (said.instance or said.activator or said.pod):
        return None
    how = "forced" if found.cold_starts is not None else "natural"
    if said.activator is None and said.pod is None:
        return f"{plural(said.instance, 'call')}, {how} · told by instance {count(said.instance)}, by nobody else"
    counts = [f"{name} {_number(number)}" for name, number in _named(said)]
    differ = f" · they disagree about {plural(said.disagree, 'call')}" if said.disagree else " · none disagrees"
    first = f" ({count(said.standing)} of a ready instance's first message)" if said.standing else ""
    return f"{plural(said.instance, 'call')}, {how} · told by {', '.join(counts)}{differ}{first}"


def start_lines(found: ColdStarts | None) -> Iterator[str]:
    """How many were tried, and what became of those that are not timed; nothing where none were forced."""
    if found is None:
        return
    left = found.asked - found.tried
    untried = f" · {count(left)} never tried" if left else ""
    told = f"{count(found.n)} of {count(found.asked)} timed · {count(found.failed)} failed"
    yield f"{told}{untried} · {printable(found.how)}"
    for each in found.failures[:FAILURES]:
        yield f"not timed: {printable(each)}"
    if found.settings:
        yield " · ".join(printable(f"{name}={value}") for name, value in found.settings.items())


def segment_table(found: ColdStarts | None, width: int) -> Iterator[str]:
    """One row a segment of a function. Means and shares add up; a median needs twenty repetitions."""
    if found is None or not found.segments:
        return
    names = [_name(each) for each in found.segments]
    room = max(LABEL, min(max(map(len, names)) + 2, width - 6 * CELL))
    heads = ("n", "min ms", "p50 ms", "mean ms", "max ms", "share")
    yield f"{'cold start':<{room}}" + "".join(f"{head:>{CELL}}" for head in heads)
    for name, each in zip(names, found.segments, strict=True):
        times = (each.min_us, each.p50_us, each.mean_us, each.max_us)
        cells = (count(each.n), *map(milliseconds, times), percent(each.share))
        yield f"{printable(name):<{room}}" + "".join(f"{cell:>{CELL}}" for cell in cells)
    if any(each.n < found.n for each in found.segments):
        yield f"a segment's n is below {count(found.n)} where a repetition was without it: it counts as 0 there"


def cold_json(found: Measurement, numbers: dict[str, Any] | None) -> dict[str, Any] | None:
    """The key `cold`: the numbers of cold calls, how they came to be, and the witnesses. None where nobody saw any."""
    said = found.witnesses
    if numbers is None and (said is None or not (said.activator or said.pod)):
        return None
    how = "forced" if found.cold_starts is not None else "natural"
    witnesses = None if said is None else dataclasses.asdict(said)
    return {**(numbers or {"n": 0}), "how": how, "witnesses": witnesses}


def starts_json(found: ColdStarts | None) -> dict[str, Any] | None:
    return None if found is None else {**dataclasses.asdict(found), "failed": found.failed}


def _named(said: ColdWitnesses) -> tuple[tuple[str, int | None], ...]:
    return (("instance", said.instance), ("activator", said.activator), ("pod", said.pod))


def _number(number: int | None) -> str:
    return NONE if number is None else count(number)


def _name(each: ColdSegment) -> str:
    return each.segment if each.function is None else f"{each.function}: {each.segment}"
