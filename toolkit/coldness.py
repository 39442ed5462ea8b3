"""What is known of cold starts, as data: of functions' instances, of what calls them cold, of where the time went.

May live here: frozen dataclasses and nothing that computes; what else a run leaves behind is in `results`, from which
all of these are imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Microseconds. A quantile without at least 10 samples beyond it is None.

    `ci95` holds where p50, p95 and p99 are with 95 % confidence, of those that are known; None when nobody asked.
    """

    n: int
    min: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None
    mean: float | None = None
    ci95: Mapping[str, tuple[float, float]] | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a function, as the platform saw it come up.

    `name` is the replica in receipts, or the `host` that a receipt's boot names. `marks` are moments of wall clocks in
    nanoseconds, as far as they were seen: `asked` (somebody came), `created`, `scheduled`, `pulled` (the image
    is there), `started`, `ready`. `coarse` are those of them that the platform tells in whole seconds, as it does.
    """

    function: str
    name: str
    marks: Mapping[str, int] = field(default_factory=dict)
    coarse: Mapping[str, int] = field(default_factory=dict)
    image: str | None = None  # what the platform said of getting it


@dataclass(frozen=True, slots=True)
class ColdWitnesses:
    """How many calls each witness calls cold; None where it saw nothing. docs/cold.md says what each of them saw.

    `disagree` are the calls of which two witnesses say different things; `standing` those of them that met the first
    message of an instance which was there, and ready, before the call was due.
    """

    instance: int
    activator: int | None
    pod: int | None
    disagree: int
    standing: int = 0


@dataclass(frozen=True, slots=True)
class ColdSegment:
    """Where the time of cold starts went: one segment of one function (None: of none). Shares and means add up."""

    function: str | None
    segment: str
    n: int
    p50_us: float | None
    min_us: float
    max_us: float
    mean_us: float
    share: float


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """Forced cold starts. `n` of the `tried` are timed; `failures` say, repetition by repetition, why others are not.

    `how` says how functions got to zero; `settings` what decides how long that takes, as it was found or set.
    """

    asked: int
    tried: int
    n: int
    how: str
    end_to_end_us: Quantiles | None
    segments: tuple[ColdSegment, ...] = ()
    failures: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        return self.tried - self.n
