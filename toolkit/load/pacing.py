"""When each call is due. Pure arithmetic: time is a number here, never a clock.

May live here: schedules, and the rules that a `Load` has to keep. May not: anything that waits or sends.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Sequence

from toolkit.errors import UsageError
from toolkit.results import Load

SECOND = 1_000_000_000
MOST_CALLS = 5_000_000  # each call leaves a record in memory (about 0.5 KiB)
MOST_WORKERS = 10_000


def times(load: Load) -> Iterator[int]:
    """The due time of every call, one after the other, in nanoseconds after the start, never decreasing.

    Nothing is kept: memory does not grow with the length of a load. Of a closed loop nothing is due: no times.
    The k-th call of a constant rate is due at k / rate: rounding never adds up. Poisson arrivals are drawn from the
    seed, so that the same seed meets two systems with the same arrivals.
    """
    if load.rate is None:
        return iter(())
    if load.arrivals == "poisson":
        return _poisson(load.rate, load)
    return _constant(load.rate, _count(load.rate, load))


def count(load: Load) -> int | None:
    """How many calls that are; None where only sending them tells: random arrivals, or a closed loop, for a time."""
    if load.requests is not None or load.rate is None or load.arrivals == "poisson":
        return load.requests
    return _count(load.rate, load)


def schedule(load: Load) -> Sequence[int] | None:
    """All `times` at once, for who has to look at them in another order; None for a closed loop."""
    return None if load.model == "closed" else array("q", times(load))


def _count(rate: float, load: Load) -> int:
    if load.requests is not None:
        return load.requests
    return max(1, round((load.duration_s or 0.0) * rate))


def _constant(rate: float, calls: int) -> Iterator[int]:
    for place in range(calls):
        yield round(place * SECOND / rate)


def _poisson(rate: float, load: Load) -> Iterator[int]:
    draws = random.Random(f"{load.seed}/arrivals")  # noqa: S311 - reproducible arrivals, no secret
    end = math.inf if load.duration_s is None else load.duration_s
    most = MOST_CALLS if load.requests is None else load.requests
    at = 0.0
    for _ in range(most):
        if at >= end:
            return
        yield round(at * SECOND)
        at += draws.expovariate(rate)


def longest_s(load: Load) -> float:
    """How long it takes at most to send such a load, and to have an answer to all of it."""
    if load.duration_s is not None:
        sending = load.duration_s
    elif (due := schedule(load)) is not None:
        sending = due[-1] / SECOND
    else:
        sending = load.timeout_s * (load.requests or 0) / (load.concurrency or 1)
    return sending + load.timeout_s


def validate(load: Load) -> None:
    """Raises UsageError, naming the flag, for a load that cannot be sent."""
    _exactly_one("--requests", load.requests, "--duration", load.duration_s)
    _exactly_one("--rate", load.rate, "--concurrency", load.concurrency)
    _whole("--requests", load.requests, MOST_CALLS)
    _whole("--concurrency", load.concurrency, MOST_WORKERS)
    for flag, value in (("--rate", load.rate), ("--duration", load.duration_s), ("--timeout", load.timeout_s)):
        _positive(flag, value)
    if not _is_number(load.sample) or not 0 <= load.sample <= 1:
        raise UsageError(
            f"--sample {load.sample}: not a share", next_step="give a number from 0 (none) to 1 (every call)"
        )
    if load.arrivals not in ("constant", "poisson"):
        raise UsageError(f"--arrivals {load.arrivals}: unknown", next_step="give constant or poisson")
    if load.rate is not None and load.duration_s is not None and load.rate * load.duration_s > MOST_CALLS:
        raise UsageError(
            f"--rate {load.rate:g} for --duration {load.duration_s:g}s is more than {MOST_CALLS:,} calls",
            next_step="lower the rate or shorten the duration",
        )


def _exactly_one(one: str, first: object, other: str, second: object) -> None:
    if first is not None and second is not None:
        raise UsageError(f"{one} and {other} exclude each other", next_step=f"give {one} or {other}, not both")
    if first is None and second is None:
        raise UsageError(f"neither {one} nor {other} is set", next_step=f"give {one} or {other}")


def _whole(flag: str, value: object, most: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UsageError(f"{flag} {value}: not in range", next_step=f"give a whole number from 1 to {most}")


def _positive(flag: str, value: object) -> None:
    if value is None:
        return
    if not _is_number(value) or not 0 < float(value) <= 1e7:  # type: ignore[arg-type]  # a number by now
        raise UsageError(f"{flag} {value}: not in range", next_step="give a number above 0, at most 10 000 000")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
