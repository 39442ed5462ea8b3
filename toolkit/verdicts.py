"""What statistics say about runs, as data: intervals, comparisons, trials, and searches for a capacity.

May live here: frozen dataclasses and nothing that computes. Times are microseconds, rates calls a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["better", "worse", "indistinguishable", "too few samples"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value is, with this confidence (0.95: in 95 of 100 such experiments it is inside)."""

    low: float
    high: float
    confidence: float
    method: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of B against that of A.

    `ratio` is B divided by A; for `errors` and `cold calls` the metrics are shares and `difference` (B - A) is
    judged in its place. The interval is of whichever is judged. `equivalent` when the whole interval is within the
    minimum effect; `calls_needed` a side before a difference as large as the minimum effect could be excluded, if that
    is not so.
    """

    metric: str
    a: float | None
    b: float | None
    ratio: float | None
    difference: float | None
    interval: Interval | None
    verdict: Verdict
    equivalent: bool
    why: str
    calls_needed: int | None = None


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Of warm latencies as whole distributions. `delta` is Cliff's: P(B > A) - P(B < A), from -1 to 1.

    `shift_us` is Hodges' and Lehmann's: the median of all differences between a call of B and one of A.
    """

    delta: float
    magnitude: Literal["negligible", "small", "medium", "large"]
    shift_us: float


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: runs that are taken for repetitions of one thing."""

    name: str
    runs: tuple[str, ...]
    calls: int  # warm and answered OK, of all runs
    invalid: tuple[str, ...] = ()  # why the generator does not trust them


@dataclass(frozen=True, slots=True)
class Difference:
    """A condition that is not the same on both sides. `serious` ones make a comparison one of something else."""

    what: str
    a: str
    b: str
    serious: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A. `overall` is worse when any metric is, better when one is and none is worse."""

    a: Side
    b: Side
    min_effect: float
    confidence: float  # of all intervals together
    metrics: tuple[Compared, ...]
    overall: Verdict
    differences: tuple[Difference, ...] = ()
    second: SecondOpinion | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantile over trials of one variant: the geometric mean of the trials' own, and how far those are apart.

    `between` is the standard deviation of their logarithms: 0.05 means that trials differ by about 5 %. `interval` is
    Student's over trials, `bootstrap` the one of the hierarchical bootstrap; None with fewer than three trials.
    """

    metric: str
    trials: int
    centre: float
    between: float | None
    interval: Interval | None
    bootstrap: Interval | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a group. `variant` is what was set for it; empty when nothing varies."""

    run: str
    block: int
    variant: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that were made to be compared with each other: a fresh deployment each, in random order.

    `variants` are in the order in which they were asked for; empty in a file from before that was kept.
    """

    group: str
    chain: str
    seed: int
    planned: int
    trials: tuple[Trial, ...]
    partial: bool = False
    variants: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """One objective in one step. The interval is None where there is none (the maximum), or too few calls."""

    objective: str
    got: float | None
    interval: Interval | None
    verdict: Literal["kept", "broken", "undecided"]


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement on the way to a capacity. `invalid` when it says nothing about the system."""

    rate: float
    duration_s: float
    calls: int
    verdict: Literal["kept", "broken", "undecided", "invalid"]
    judged: tuple[Judged, ...]
    run: str | None = None
    invalid: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    """The highest rate that keeps the promise is from `kept` on and below `broken`; None: no step ended so."""

    what: str
    objectives: tuple[str, ...]
    kept: float | None
    broken: float | None
    steps: tuple[Step, ...]
    ended: str  # why no further step was taken
    complete: bool  # False: interrupted, the generator's limit came first, or the lowest rate is undecided
    conditions: Mapping[str, Any]
