"""A plan of arrivals, for a person at a terminal and for programs. May not live here: computing its numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.planned import Planned
from toolkit.report.asked import asked
from toolkit.report.characters import in_ascii
from toolkit.report.tables import bars, count, milliseconds, rate, seconds
from toolkit.results import SCHEMA, Load

LABEL = 13
ROWS = 8  # of the plot
MARGIN = 12


def as_json(load: Load, found: Planned | None) -> Mapping[str, Any]:
    """One object. `plan` is None for a closed loop: its calls follow the answers."""
    asked_for = {key: value for key, value in dataclasses.asdict(load).items() if key != "recorded"}
    return {
        "schema": SCHEMA,
        "load": {"model": load.model, **asked_for},
        "plan": None if found is None else dataclasses.asdict(found),
    }


def text(load: Load, found: Planned | None, *, width: int = 100, unicode: bool = True) -> str:
    """Newline at the end."""
    sections = (_facts(load, found), *(() if found is None else (plot(found.rate_over_time), _spread(found, width))))
    told = "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"
    return told if unicode else in_ascii(told)


def _facts(load: Load, found: Planned | None) -> Iterator[str]:
    yield f"{'load':<{LABEL}}{asked(load)}"
    if found is None:
        yield f"{'calls':<{LABEL}}each leaves when a worker has its answer: nothing is due beforehand"
        return
    over = f"over {seconds(found.duration_s)}, the last after {seconds(found.last_s)}"
    yield f"{'calls':<{LABEL}}{count(found.calls)} {over}"
    yield f"{'rate':<{LABEL}}{rate(found.mean_rate)} on average · {count(found.busiest)} in the busiest second"
    yield f"{'due (ms)':<{LABEL}}{', '.join(f'{each / 1e6:,.3f}' for each in found.first)}{_more(found)}"
    if (gaps := found.gaps) is not None:
        names = ("min", "p50", "p90", "p99", "max", "mean")
        told = " · ".join(f"{name} {milliseconds(getattr(gaps, name))}" for name in names)
        yield f"{'gaps (ms)':<{LABEL}}{told} · spread {gaps.spread:.2f}"


def _more(found: Planned) -> str:
    return ", …" if found.calls > len(found.first) else ""


def plot(points: Sequence[tuple[float, float]]) -> Iterator[str]:
    """The rate over time, as columns under a scale. Half a row counts."""
    highest = max((value for _, value in points), default=0.0)
    if highest <= 0:
        return
    for row in range(ROWS, 0, -1):
        columns = "".join(_cell(value / highest * ROWS - (row - 1)) for _, value in points)
        scale = f"{highest * row / ROWS:,.5g}/s" if row in (ROWS, ROWS // 2) else ""
        yield f"{scale:>{MARGIN}} │{columns}".rstrip()
    yield f"{'0':>{MARGIN}} │{'─' * len(points)}"
    end = seconds(points[-1][0])
    yield f"{'':>{MARGIN}}  0{end:>{len(points) - 1}}"


def _cell(filled: float) -> str:
    return "█" if filled >= 0.75 else "▄" if filled >= 0.25 else " "


def _spread(found: Planned, width: int) -> Iterator[str]:
    if found.gap_counts:
        yield "between two calls"
        yield from bars(found.gap_counts, width)
