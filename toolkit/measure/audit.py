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
    yield from sending([call.due_ns for call in calls], [call.sent_ns for call in calls], asked)
    yield from unsent(sum(call.refused for call in calls), len(calls))
    if elapsed is not None:
        yield from moved(elapsed)


def unsent(refused: int, of: int) -> Iterator[str]:
    """Why a load was not the one that was asked for."""
    if refused:
        calls = f"{refused:,} of {of:,} calls"
        yield f"the generator did not send {calls}: too many were in flight, or they were too late; lower --rate"


def sending(due_ns: Sequence[int], sent_ns: Sequence[int], asked: Load) -> Iterator[str]:
    """Why an open loop was none: what was due was sent too late. One place a call, in the order of their due."""
    if asked.model == "open" and due_ns:
        yield from _late(due_ns, sent_ns, asked)
        yield from _off_rate(due_ns, sent_ns)


def _late(due_ns: Sequence[int], sent_ns: Sequence[int], asked: Load) -> Iterator[str]:
    per_mille = _tail(len(due_ns))
    late_us = at_rank(sorted((sent - due) / 1e3 for due, sent in zip(due_ns, sent_ns, strict=True)), per_mille)
    limit_us = max(LATE_US, min(LATE_SHARE * 1e6 / _rate(due_ns, asked), LATE_MOST_US))
    if late_us > limit_us:
        yield (
            f"the generator was late: the p{per_mille / 10:g} of its lateness is {late_us / 1e3:.1f} ms, "
            f"more than {limit_us / 1e3:.1f} ms; lower --rate or give it a core of its own"
        )


def _rate(due_ns: Sequence[int], asked: Load) -> float:
    """Calls per second: the mean one of the schedule, or that which was given, if that is higher (of bursts it is)."""
    took_ns = due_ns[-1] - due_ns[0]
    return max(asked.rate or 0.0, (len(due_ns) - 1) * 1e9 / took_ns if took_ns > 0 else 0.0) or 1.0


def _tail(n: int) -> int:
    """The highest quantile up to p99, in thousandths, with 10 samples beyond it; the median of the smallest runs.

    As for every quantile here: two hiccups in 200 calls are not yet a p99.
    """
    return min(990, max(500, 1000 - math.ceil(1000 * BEYOND / n)))


def _off_rate(due_ns: Sequence[int], sent_ns: Sequence[int]) -> Iterator[str]:
    """Held against the schedule, not against the asked rate: Poisson arrivals have a rate of their own."""
    wanted = due_ns[-1] - due_ns[0]
    took = max(sent_ns) - sent_ns[0]
    if abs(took - wanted) > max(OFF_RATE * wanted, LATE_US * 1e3):
        yield f"the calls were sent at {wanted / took:.0%} of the asked rate" if took > 0 else "the rate was not kept"


def moved(elapsed: Elapsed) -> Iterator[str]:
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
