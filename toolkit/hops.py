"""What became of messages between a chain's functions, as data: where time went, and whether events kept up with calls.

May live here: frozen dataclasses and nothing that computes; what else a run leaves behind is in `results`, from which
all of these are imported.
"""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.coldness import Quantiles
from toolkit.traces.segments import What


@dataclass(frozen=True, slots=True)
class HopPart:
    """What one kind of time cost on the way of an edge's messages.

    `n` of the hop's messages have some of it; the mean is over all of them, so that the means add up to the hop's own.
    `p50_us` and `p99_us` are over the `n`.
    """

    what: What
    n: int
    mean_us: float
    p50_us: float | None
    p99_us: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Hop:
    """One edge, as the spans of warm calls saw it.

    A call lasts as long as its CLIENT span, with everything behind it; an event from its PRODUCER span's start to its
    CONSUMER span's start. `share` is that time as a part of the end-to-end time of the traces: calls contain each
    other, so shares do not add up (those of the critical path do). `parts` are what that time was spent on, and do.
    """

    source: str
    to: str
    via: str
    n: int
    p50_us: float | None
    p99_us: float | None
    share: float | None
    parts: tuple[HopPart, ...] = ()


@dataclass(frozen=True, slots=True)
class PathPart:
    """What one segment of the critical path cost in the traces that have it; shares add up to 1.

    One row a segment and what it was spent on; `what` is None where nobody asked.
    """

    segment: str
    n: int
    p50_us: float | None
    p99_us: float | None
    share: float
    what: What | None = None

    @property
    def name(self) -> str:
        """The segment, with what it was spent on where that does not go without saying."""
        way = self.segment.endswith(("(call)", "(event)"))
        plain = self.what is None or self.what in ("work", "unattributed") or (way and self.what == "network")
        return self.segment if plain else f"{self.segment}: {self.what}"


@dataclass(frozen=True, slots=True)
class Completions:
    """Whether an asynchronous chain kept up with what it accepted, while calls were being sent.

    `accept_rate` and `completion_rate` are calls a second that were answered OK, and whose last receipt came, between
    the first and the last sending (None when that is no time); `backlog` how many were accepted by then and not
    completed. `first_us` is from due to the first of several events that lead to no other; None where one is all.
    """

    accept_rate: float | None
    completion_rate: float | None
    backlog: int
    completed: int  # in the end, of all calls
    first_us: Quantiles | None = None
