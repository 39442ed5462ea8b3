"""The generator audits itself: reasons not to trust the numbers of a run.

A reason here is about the measurement, never about the chain: failed calls and slow answers are results.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from toolkit.measure.quantiles import BEYOND, at_rank
from toolkit.results import CallRecord, Elapsed, Load, Measurement

LATE_US = 5_000.0  # p99 of the lateness (see _tail) that is always tolerated
LATE_SHARE = 0.10  # or this share of the mean interval between two calls, if that is more ...
LATE_MOST_US = 50_000.0  # ... but never more than this
OFF_RATE = 0.05
CLOCK_NS = 20_000_000  # what two readings of two clocks may differ by
CLOCK_SHARE = 0.001  # NTP slews by up to 500 ppm


def reasons(calls: Sequence[CallRecord], asked: Load, elapsed: Elapsed | None) -> Iterator[str]:
    """Why this run must not be taken for a measurement; nothing when it may be. `calls` in the order of their due."""
    if not calls:
        yield "nothing was sent"
        return
    if asked.model == "open":
        yield from _late(calls, asked)
        yield from _off_rate(calls)
    if refused := sum(call.refused for call in calls):
        unsent = f"{refused:,} of {len(calls):,}"
        yield f"the generator did not send {unsent} calls: too many were in flight, or they were too late; lower --rate"
    if elapsed is not None:
        yield from _moved(elapsed)


def _late(calls: Sequence[CallRecord], asked: Load) -> Iterator[str]:
    per_mille = _tail(len(calls))
    late_us = at_rank(sorted((call.sent_ns - call.due_ns) / 1e3 for call in calls), per_mille)
    limit_us = max(LATE_US, min(LATE_SHARE * 1e6 / (asked.rate or 1.0), LATE_MOST_US))
    if late_us > limit_us:
        yield (
            f"the generator was late: the p{per_mille / 10:g} of its lateness is {late_us / 1e3:.1f} ms, "
            f"more than {limit_us / 1e3:.1f} ms; lower --rate or give it a core of its own"
        )


def _tail(n: int) -> int:
    """The highest quantile up to p99, in thousandths, with 10 samples beyond it; the median of the smallest runs.

    As for every quantile here: two hiccups in 200 calls are not yet a p99.
    """
    return min(990, max(500, 1000 - math.ceil(1000 * BEYOND / n)))


def _off_rate(calls: Sequence[CallRecord]) -> Iterator[str]:
    """Held against the schedule, not against the asked rate: Poisson arrivals have a rate of their own."""
    wanted = calls[-1].due_ns - calls[0].due_ns
    took = max(call.sent_ns for call in calls) - calls[0].sent_ns
    if abs(took - wanted) > max(OFF_RATE * wanted, LATE_US * 1e3):
        yield f"the calls were sent at {wanted / took:.0%} of the asked rate" if took > 0 else "the rate was not kept"


def _moved(elapsed: Elapsed) -> Iterator[str]:
    off = elapsed.wall_ns - elapsed.monotonic_ns
    if abs(off) > max(CLOCK_NS, CLOCK_SHARE * elapsed.monotonic_ns):
        yield f"the clock moved by {off / 1e6:+.0f} ms during the run"


def notes(measurement: Measurement) -> tuple[str, ...]:
    """What a reader has to know about the numbers, though it does not make them wrong."""
    found: list[str] = []
    latency = measurement.latency_us
    if latency is not None and latency.p99 is None:
        found.append(f"{latency.n} warm calls are too few for a p99: 1,000 are needed")
    if measurement.cold is not None:
        number = measurement.cold.n
        found.append(f"{number} call{' is' if number == 1 else 's are'} kept apart: a function was cold")
    return tuple(found)
