"""The generator audits itself: reasons not to trust the numbers of a run.

A reason here is about the measurement, never about the chain: failed calls and slow answers are results.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from toolkit.measure.quantiles import BEYOND, at_rank
from toolkit.results import CallRecord, Elapsed, Load, Measurement

LATE_US = 5_000.0  # p99 of the lateness (see tail) that is always tolerated
LATE_SHARE = 0.10  # or this share of the mean interval between two calls, if that is more ...
LATE_MOST_US = 50_000.0  # ... but never more than this
OFF_RATE = 0.05
BUSY = 0.90  # of a processor, from which on a generator has none left for what comes
FULL = 0.95  # the same, from which on a closed loop shows how fast the generator is, and not what it loads
BUSY_LATE_US = 1_000.0  # p99 of the lateness that shows it
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
    per_mille = tail(len(due_ns))
    late_us = at_rank(sorted((sent - due) / 1e3 for due, sent in zip(due_ns, sent_ns, strict=True)), per_mille)
    yield from late(late_us, per_mille, pace(len(due_ns), due_ns[-1] - due_ns[0], asked))


def late(late_us: float, per_mille: int, rate: float) -> Iterator[str]:
    """Why an open loop was late, by this quantile of its lateness."""
    limit_us = max(LATE_US, min(LATE_SHARE * 1e6 / rate, LATE_MOST_US))
    if late_us > limit_us:
        yield (
            f"the generator was late: the p{per_mille / 10:g} of its lateness is {late_us / 1e3:.1f} ms, "
            f"more than {limit_us / 1e3:.1f} ms; lower --rate or give it a core of its own"
        )


def pace(n: int, took_ns: int, asked: Load) -> float:
    """Calls per second: the mean one of the schedule, or that which was given, if that is higher (of bursts it is)."""
    return max(asked.rate or 0.0, (n - 1) * 1e9 / took_ns if took_ns > 0 else 0.0) or 1.0


def tail(n: int) -> int:
    """The highest quantile up to p99, in thousandths, with 10 samples beyond it; the median of the smallest runs.

    As for every quantile here: two hiccups in 200 calls are not yet a p99.
    """
    return min(990, max(500, 1000 - math.ceil(1000 * BEYOND / n)))


def _off_rate(due_ns: Sequence[int], sent_ns: Sequence[int]) -> Iterator[str]:
    yield from off_rate(due_ns[-1] - due_ns[0], max(sent_ns) - sent_ns[0])


def off_rate(wanted_ns: int, took_ns: int) -> Iterator[str]:
    """Held against the schedule, not against the asked rate: Poisson arrivals have a rate of their own."""
    if abs(took_ns - wanted_ns) > max(OFF_RATE * wanted_ns, LATE_US * 1e3):
        share = f"at {wanted_ns / took_ns:.0%} of the asked rate" if took_ns > 0 else ""
        yield f"the calls were sent {share}" if share else "the rate was not kept"


def saturated(cpus: Iterable[float], late_us: float) -> Iterator[str]:
    """Why numbers may be the generator's own: it had no processor time left, and what was due had to wait for it."""
    busy = [cpu for cpu in cpus if cpu > BUSY]
    if busy and late_us > BUSY_LATE_US:
        yield (
            f"the generator used {max(busy):.0%} of a processor and was late: the p99 of its lateness is "
            f"{late_us / 1e3:.1f} ms; lower --rate, or share the load with --generators"
        )


def filled(cpus: Iterable[float]) -> Iterator[str]:
    """The same of a closed loop, which is never late, only slow: its numbers may be the generator's own queue."""
    busiest = max(cpus, default=0.0)
    if busiest >= FULL:
        yield f"a generator used {busiest:.0%} of a core: the load is what it could send; use more --generators"


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
