"""A search for a capacity, for a person at a terminal and for programs.

May live here: how it is told. May not: the search (`measure.capacity`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.report.characters import in_ascii, printable
from toolkit.report.tables import NONE, count, milliseconds, rate, seconds
from toolkit.results import SCHEMA
from toolkit.verdicts import Capacity, Judged, Step

CELL, RATE = 10, 12
MARKS = {"kept": "✓", "broken": "✗", "undecided": "?", "invalid": "!"}


def as_json(found: Capacity) -> Mapping[str, Any]:
    """One object. Times are microseconds; a bound that is not finite is None."""
    document: Mapping[str, Any] = _finite({"schema": SCHEMA, "kind": "capacity", **dataclasses.asdict(found)})
    return document


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def step_line(step: Step) -> str:
    """One measurement."""
    head = f"{rate(step.rate):>{RATE}}{seconds(step.duration_s):>{CELL}}{count(step.calls):>{CELL}}"
    return f"{head}  {MARKS[step.verdict]} {step.verdict:<10}{' · '.join(map(_judged, step.judged))}".rstrip()


def _judged(each: Judged) -> str:
    if each.objective.startswith("check "):
        return f"{printable(each.objective)}: failed"
    if each.objective.startswith("completions"):
        return f"{printable(each.objective)}: {NONE if each.got is None else format(each.got, '.1%')}"
    errors = each.objective.startswith("errors")
    told = f"{printable(each.objective)}: {_value(each.got, errors)}"
    if each.interval is None:
        return told
    return f"{told} [{_value(each.interval.low, errors)}, {_value(each.interval.high, errors)}]"


def _value(value: float | None, errors: bool) -> str:
    if value is None:
        return NONE
    if not math.isfinite(value):
        return "∞"
    return f"{value:.3%}" if errors else f"{milliseconds(value)} ms"


def text(found: Capacity, *, unicode: bool = True) -> str:
    """Newline at the end."""
    told = "\n".join(_lines(found)) + "\n"
    return told if unicode else in_ascii(told)


def _lines(found: Capacity) -> Iterator[str]:
    yield f"{printable(found.what)} · {' · '.join(found.objectives)}"
    yield ""
    yield f"{'rate':>{RATE}}{'time':>{CELL}}{'calls':>{CELL}}  verdict     measured [95 % sure]"
    yield from map(step_line, found.steps)
    yield ""
    yield _result(found)
    yield f"the search ended: {printable(found.ended)}"


def _result(found: Capacity) -> str:
    if found.kept is None:
        broken = f"; broken at {rate(found.broken)}" if found.broken else ""
        return f"capacity: none that was found{_unknown(found)}{broken}"
    unknown = _unknown(found)
    if found.broken is None:
        return f"capacity: at least {rate(found.kept)}{unknown}; no rate was seen to break the promise"
    return f"capacity: from {rate(found.kept)} (kept){unknown} to {rate(found.broken)} (broken)"


def _unknown(found: Capacity) -> str:
    """Rates below the broken one that even the longest measurement did not decide."""
    last = {step.rate: step.verdict for step in found.steps}
    open_rates = sorted(
        each for each, verdict in last.items() if verdict == "undecided" and not (found.broken and each > found.broken)
    )
    return f", undecided at {', '.join(map(rate, open_rates))}" if open_rates else ""
