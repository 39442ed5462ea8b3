"""Where the time of many traces went, as data: what `measure` makes of traces, and what `report` draws and says of it.

May live here: frozen dataclasses and nothing that computes. Times are microseconds; shares are parts of 1; what is not
known is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from toolkit.coldness import Quantiles
from toolkit.hops import HopPart as HopPart
from toolkit.traces.segments import What

Apart = Literal["cold", "failed"]  # traces that are kept apart from the others
APART: tuple[Apart, ...] = get_args(Apart)


@dataclass(frozen=True, slots=True)
class Share:
    """A segment of the critical path within a band of traces.

    `n` traces of the band have it; `mean_us` is over all traces of the band (0 where a trace has none of it), so that
    the means of a band add up to the band's own. `p50_us` and `p99_us` are over the `n`.
    """

    label: str
    what: What
    n: int
    mean_us: float
    p50_us: float | None
    p99_us: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Band:
    """The critical path of the traces whose duration lies between two percentiles (`low` ≤ rank < `high`, of 1)."""

    low: float
    high: float
    n: int
    from_us: int
    to_us: int
    mean_us: float
    shares: tuple[Share, ...]  # by falling mean


@dataclass(frozen=True, slots=True)
class HopAnatomy:
    """One edge. A call lasts as long as its CLIENT span, an event from PRODUCER start to CONSUMER start.

    Of a call, the time inside the receiver's SERVER span is `work` (whatever it waits for there). `failed` calls,
    `skewed` deliveries (that begin before they were sent) and `repeated` ones (the second and later ones of one message
    to one function, by one trigger) are counted and not timed; `n` messages were.
    """

    source: str
    to: str
    via: str
    n: int
    failed: int
    skewed: int
    mean_us: float | None
    p50_us: float | None
    p99_us: float | None
    parts: tuple[HopPart, ...]
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Exemplar:
    """The trace whose duration is the `quantile` (0..1) of all."""

    quantile: float
    trace: str
    duration_us: int


@dataclass(frozen=True, slots=True)
class Bin:
    """So many traces, of which `failed` have a span with an error, last from `from_us` up to `to_us` (excluded)."""

    from_us: int
    to_us: int
    n: int
    failed: int
    trace: str  # one of them


@dataclass(frozen=True, slots=True)
class Skew:
    """Two hosts whose clocks cannot agree: `other` is ahead of `one` by at least `least_us` and at most `most_us`.

    A bound is None where no message bounds it. `pairs` messages were looked at, `impossible` of them arrive before they
    were sent or end after their answer did. When `least_us` > `most_us` no constant offset explains it: a clock moved.
    """

    one: str
    other: str
    pairs: int
    impossible: int
    least_us: int | None
    most_us: int | None


@dataclass(frozen=True, slots=True)
class MissingEdge:
    """An edge of the chain that `traces` traces do not show as often as they should."""

    source: str
    to: str
    via: str
    traces: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """Traces held against the chain's graph. `unknown` are edges that traces show and the chain has not; `failed` are
    there, but every attempt at a message failed, so that those traces are not complete."""

    traces: int
    complete: int
    missing: tuple[MissingEdge, ...] = ()
    unknown: tuple[MissingEdge, ...] = ()
    orphans: int = 0  # spans whose parent is not in their trace, or that begin one of their own beside the first
    failed: tuple[MissingEdge, ...] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """Of some numbers the least, the median (of two in the middle their mean) and the most, however few they are."""

    least: float
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class FanSpread:
    """What `n` handlings of `source` sent several times each: to `to`, or, where that is None, to several functions.

    Of each handling (`traces.overlap`): its `branches`, how many ran `at_once`, the `share` of the time that pairs of
    them could have had in common, `wall_us` from the first start to the last end, the `slowest_us` branch, and the
    `stretch`, wall time over the slowest branch. `trace` is one whose share is the least.
    """

    source: str
    to: str | None
    via: str | None
    n: int
    branches: Extent
    at_once: Extent
    share: Extent
    wall_us: Extent
    slowest_us: Extent
    stretch: Extent
    trace: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything that many traces tell together.

    `traces` have a root with a time, and are what durations, exemplars, bins, bands, hops and fans are of: neither
    failed (a span has an error) nor cold (a function says that it was), but for what is `pooled` on purpose, or because
    there is nothing else. `failed` and `cold` count all of these, pooled or not, one that is both as failed;
    `failed_us` and `cold_us` are their durations. Failed messages of a hop are counted in all traces. `spans` are those
    of `traces`.
    `unusable` traces have no root with a time: they are held against the chain, and are in no other number.
    `bands` begins with all traces (0..1), then 0..0.5, 0.5..0.9, 0.9..0.99, 0.99..1 as far as they have traces.
    `durations_us` is from a trace's root's start to the end of all that followed from it.
    """

    traces: int
    spans: int
    unusable: int
    durations_us: Quantiles | None
    exemplars: tuple[Exemplar, ...]
    bins: tuple[Bin, ...]
    bands: tuple[Band, ...]
    hops: tuple[HopAnatomy, ...]
    skews: tuple[Skew, ...]
    completeness: Completeness | None
    failed: int = 0  # traces with a span that has an error
    cold: int = 0
    failed_us: Quantiles | None = None
    cold_us: Quantiles | None = None
    pooled: tuple[Apart, ...] = ()
    fans: tuple[FanSpread, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """A segment's mean in two sets of traces; None where one of them does not have it."""

    label: str
    what: What
    one_us: float | None
    other_us: float | None


@dataclass(frozen=True, slots=True)
class AnalysisChange:
    """Two analyses beside each other: `other` minus `one`, largest change first."""

    one: Analysis
    other: Analysis
    segments: tuple[SegmentChange, ...]
