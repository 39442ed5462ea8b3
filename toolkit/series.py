"""What a page draws of a run: its distributions and its timeline, as few enough points to look at.

May live here: frozen dataclasses and nothing that computes (`toolkit.measure` does).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distribution:
    """`curve` are (share of samples not above, microseconds) from the least to the largest sample, by nearest rank.

    `known` is the largest share with 10 samples beyond it: what the curve shows further out is those samples
    themselves. `bars` are (from, to, count): classes of equal ratio, in microseconds.
    """

    n: int
    curve: tuple[tuple[float, float], ...]
    known: float
    bars: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of a run. Calls count where they were due; `sent` counts those that left in this stretch.

    Microseconds of the calls that were answered OK without meeting a cold function. No data is None.
    """

    start_s: float
    due: int
    sent: int
    ok: int
    failed: int
    lost: int
    refused: int
    cold: int
    p50: float | None
    tail: float | None
    max: float | None
    lateness_max: float | None


@dataclass(frozen=True, slots=True)
class Dot:
    """One call: when it was due, and its latency; None of one that failed or was lost."""

    at_s: float
    latency_us: float | None
    cold: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """`tail` says which quantile the intervals' `tail` is, in thousandths. `warmup_s` is where the warm-up ended."""

    width_s: float
    intervals: tuple[Interval, ...]
    tail: int | None
    dots: tuple[Dot, ...] = ()
    warmup_s: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Each distribution is None when there is no sample for it."""

    latency: Distribution | None = None
    service_time: Distribution | None = None
    completion: Distribution | None = None
    cold: Distribution | None = None
    timeline: Timeline | None = None
