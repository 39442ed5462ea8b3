"""When each call is due. Pure arithmetic: time is a number here, never a clock.

May live here: schedules, and the rules that a `Load` has to keep. May not: anything that waits or sends, what the text
of arrivals means (`arrivals`), integrals (`shapes`).
"""

from __future__ import annotations

import itertools
import math
import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from toolkit.errors import UsageError
from toolkit.load import arrivals, recorded, shapes
from toolkit.load.arrivals import Arrivals
from toolkit.results import Load

SECOND = arrivals.SECOND
MOST_CALLS = 20_000_000  # a row of 64 bytes each, and their numbers take a gigabyte of memory
MOST_KEPT = 5_000_000  # where each is kept in memory with all that proves it, as the calls of a chain are
MOST_WORKERS = 10_000
Problem = tuple[str, str | None]  # what is wrong, and what to do next


def times(load: Load) -> Iterator[int]:
    """The due time of every call, one after the other, in nanoseconds after the start, never decreasing.

    Nothing is kept: memory does not grow with the length of a load. Of a closed loop nothing is due: no times. What is
    random follows from the seed, so that the same seed meets two systems with the same arrivals.
    """
    if load.model == "closed":
        return iter(())
    shape = arrivals.parse(load.arrivals)
    if shape.kind == "recorded":
        due = recorded.times(load.recorded or "", shape.gaps, load.seed)
    else:
        expected = arrivals.expected_calls(shape.gaps, load.seed)
        due = shapes.due(shape, load.rate or 1.0, _over(load, shape), expected)
    if (most := _counted(load, shape)) is not None:
        return itertools.islice(due, most)
    end = (load.duration_s or 0.0) * SECOND
    return itertools.takewhile(lambda at: at < end, due)


def count(load: Load) -> int | None:
    """How many calls that are; None where only sending them tells: random arrivals, or a closed loop, for a time."""
    if load.model == "closed":
        return load.requests
    shape = arrivals.parse(load.arrivals)
    if shape.kind == "recorded" and load.duration_s is not None:
        return sum(1 for _ in times(load))
    return _counted(load, shape)


def schedule(load: Load) -> Sequence[int] | None:
    """All `times` at once, for who has to look at them in another order; None for a closed loop."""
    return None if load.model == "closed" else array("q", times(load))


def expected(load: Load) -> float | None:
    """How many calls are to be expected, chance included; None of a closed loop for a time: the answers decide."""
    if load.requests is not None or load.model == "closed":
        return load.requests
    shape = arrivals.parse(load.arrivals)
    if shape.kind == "recorded":
        return count(load)
    return max(1.0, shapes.calls(shape, load.rate or 1.0, _over(load, shape), load.duration_s or 0.0))


def length_s(load: Load) -> float | None:
    """For how long such a load is to be expected to be sent; None of a closed loop whose calls are counted."""
    if load.duration_s is not None or load.model == "closed":
        return load.duration_s
    shape, calls = arrivals.parse(load.arrivals), load.requests or 1
    if shape.kind == "recorded":
        whole = recorded.length_ns(load.recorded or "") / SECOND
        return whole if recorded.count(load.recorded or "") <= calls else _last(load) / SECOND
    return next(shapes.due(shape, load.rate or 1.0, _over(load, shape), iter([float(calls)]))) / SECOND


def mean_rate(load: Load) -> float | None:
    """Calls per second that the plan means; None of a closed loop."""
    calls, seconds = expected(load), length_s(load)
    return calls / seconds if load.model == "open" and calls is not None and seconds else None


def peak_rate(load: Load) -> float | None:
    """The highest rate of the plan, calls per second; None of a closed loop, and of a recording of single calls."""
    if load.model == "closed":
        return None
    shape = arrivals.parse(load.arrivals)
    if shape.kind == "recorded":
        return recorded.peak(load.recorded or "")
    return shapes.peak(shape, load.rate or 1.0, length_s(load) or 0.0)


def thinking(load: Load, index: int = 0) -> Iterator[int] | None:
    """How long a worker waits between an answer and its next call: nanoseconds, one for each answer, without end.

    None when it does not wait. Each of several generators, by `index`, has draws of its own.
    """
    return None if load.think is None else arrivals.thoughts(load.think, load.seed, index)


def longest_s(load: Load) -> float:
    """How long it takes at most to send such a load, and to have an answer to all of it."""
    if load.duration_s is not None:
        sending = load.duration_s
    elif load.model == "open":
        sending = _last(load) / SECOND
    else:
        longest_think = 0.0 if load.think is None else 3 * arrivals.think(load.think)[1]
        sending = (load.timeout_s + longest_think) * (load.requests or 0) / (load.concurrency or 1)
    return sending + load.timeout_s


def _counted(load: Load, shape: Arrivals) -> int | None:
    """How many calls end the load; None when it is time that does."""
    if load.requests is not None or shape.kind == "recorded" or shape.gaps != "constant":
        return load.requests
    return max(1, round(shapes.calls(shape, load.rate or 1.0, _over(load, shape), load.duration_s or 0.0)))


def _over(load: Load, shape: Arrivals) -> float:
    """How long a ramp takes that does not say it: the whole load."""
    if load.duration_s is not None:
        return load.duration_s
    return 2 * (load.requests or 1) / ((load.rate or 1.0) + (shape.to or load.rate or 1.0))


def _last(load: Load) -> int:
    return deque(times(load), maxlen=1).pop()


def validate(load: Load, most: int = MOST_CALLS) -> None:
    """Raises UsageError, naming the flags, for a load that cannot be sent; all that is wrong with it at once."""
    found = [*_bounds(load), *_numbers(load, most)]
    if load.model == "closed":
        found += _closed(load)
    elif not found:
        found += _open(load, most)
    else:
        found += _raised(lambda: arrivals.parse(load.arrivals))
    if found:
        steps = dict.fromkeys(step for _, step in found if step)
        raise UsageError("\n".join(told for told, _ in found), next_step="; ".join(steps) or None)


def _bounds(load: Load) -> Iterator[Problem]:
    yield from _exactly_one("--requests", load.requests, "--duration", load.duration_s)
    if load.model == "open" and isinstance(load.arrivals, str) and load.arrivals.startswith("recorded"):
        if load.rate is not None:
            yield "--arrivals recorded has the rate of the recording, not that of --rate", "scale it, with rate=FACTOR"
    else:
        yield from _exactly_one("--rate", load.rate, "--concurrency", load.concurrency)


def _numbers(load: Load, most: int) -> Iterator[Problem]:
    yield from _whole("--requests", load.requests, most if load.recorded is None else sys.maxsize)
    yield from _whole("--concurrency", load.concurrency, MOST_WORKERS)
    for flag, value in (("--rate", load.rate), ("--duration", load.duration_s), ("--timeout", load.timeout_s)):
        yield from _positive(flag, value)
    if not _is_number(load.sample) or not 0 <= load.sample <= 1:
        yield f"--sample {load.sample}: not a share", "give a number from 0 (none) to 1 (every call)"


def _closed(load: Load) -> Iterator[Problem]:
    if load.arrivals != "constant":
        yield (
            f"--arrivals {load.arrivals!s:.60}: a closed loop has none, its calls follow the answers",
            "give --rate instead of --concurrency, or leave --arrivals away",
        )
    if load.think is not None:
        yield from _raised(lambda: arrivals.think(load.think or ""))


def _open(load: Load, most: int) -> Iterator[Problem]:
    if load.think is not None:
        yield (
            "--think: in an open loop nobody waits for answers, so nobody thinks about them",
            "give --concurrency instead of --rate, or leave --think away",
        )
    if broken := _raised(lambda: arrivals.parse(load.arrivals)):
        yield from broken
        return
    shape = arrivals.parse(load.arrivals)
    if shape.kind == "recorded":
        yield from _recorded(load, most)
    elif (wrong := _wrong_shape(load, shape)) is not None:
        yield wrong
    elif (calls := expected(load)) is not None and calls > most:
        yield _too_many(load, most)


def _recorded(load: Load, most: int) -> Iterator[Problem]:
    if load.recorded is None:
        yield "--arrivals recorded: nothing was read", "give --arrivals recorded:FILE"
    elif broken := _raised(lambda: recorded.check(load.recorded or "")):
        yield from broken
    elif (calls := recorded.count(load.recorded)) < (load.requests or 0):
        yield f"--requests {load.requests}: only {calls:,} calls were recorded", f"give at most --requests {calls}"
    elif min(calls, load.requests or calls) > most:
        yield f"{calls:,} calls were recorded, more than {most:,}", "scale it down, with rate=0.1 for example"


def _wrong_shape(load: Load, shape: Arrivals) -> Problem | None:
    rate = load.rate or 1.0
    if shape.kind == "step" and shape.to is not None and (shape.to - rate) * (shape.by or 0.0) <= 0:
        return f"--arrivals {load.arrivals}: by= does not lead from --rate {rate:g} to to=", "turn the sign of by="
    if shape.kind == "step" and shape.to is None and (shape.by or 0.0) < 0:
        return f"--arrivals {load.arrivals}: steps down have to end somewhere", "say where, with to="
    if (highest := shapes.peak(shape, rate, length_s(load) or 0.0)) > arrivals.HIGHEST:
        return f"--arrivals {load.arrivals}: rises to {highest:g} calls a second", "lower it, or shorten the load"
    return None


def _too_many(load: Load, most: int) -> Problem:
    plain = "" if load.arrivals == "constant" else f" with --arrivals {load.arrivals}"
    return (
        f"--rate {load.rate:g} for --duration {load.duration_s:g}s{plain} is more than {most:,} calls",
        "lower the rate or shorten the duration",
    )


def _raised(look: Callable[[], object]) -> list[Problem]:
    try:
        look()
    except UsageError as error:
        return [(str(error), error.next_step)]
    return []


def _exactly_one(one: str, first: object, other: str, second: object) -> Iterator[Problem]:
    if first is not None and second is not None:
        yield f"{one} and {other} exclude each other", f"give {one} or {other}, not both"
    if first is None and second is None:
        yield f"neither {one} nor {other} is set", f"give {one} or {other}"


def _whole(flag: str, value: object, most: int) -> Iterator[Problem]:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        yield f"{flag} {value}: not in range", f"give a whole number from 1 to {most}"


def _positive(flag: str, value: object) -> Iterator[Problem]:
    if value is None:
        return
    if not _is_number(value) or not 0 < float(value) <= arrivals.HIGHEST:  # type: ignore[arg-type]  # a number by now
        yield f"{flag} {value}: not in range", "give a number above 0, at most 10 000 000"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
