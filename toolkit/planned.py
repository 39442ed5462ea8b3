"""What a schedule is like, as data: before anything is sent. May not live here: anything that computes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedGaps:
    """Microseconds between a call and the one before it. `spread` is their deviation as a part of their mean."""

    min: float
    p50: float
    p90: float
    p99: float
    max: float
    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Planned:
    """What a schedule is like. Rates are calls per second; `busiest` is that of the second that has the most calls.

    `rate_over_time` are (end of a stretch in seconds, its rate), equally long; `gap_counts` are (upper bound in
    microseconds, gaps). None where there are too few calls for a number.
    """

    calls: int
    duration_s: float
    last_s: float
    mean_rate: float | None
    busiest: int
    first: tuple[int, ...]
    gaps: PlannedGaps | None
    rate_over_time: tuple[tuple[float, float], ...]
    gap_counts: tuple[tuple[float, int], ...]
