"""How a rate that changes is integrated over time, and that integral turned around. Pure arithmetic.

`due` says when so many calls are expected to have come, `calls` how many are by then. May not live here: texts, draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from toolkit.load.arrivals import SECOND, Arrivals


def due(shape: Arrivals, rate: float, over: float, expected: Iterator[float]) -> Iterator[int]:
    """The moments, in nanoseconds, at which so many calls are expected to have come; those never decrease.

    `rate` is the one that the load was given, `over` how many seconds a ramp takes that does not say it itself.
    """
    if shape.kind == "burst":
        return _burst(shape, rate, expected)
    if shape.kind == "ramp":
        return _ramp(rate, shape.to or rate, shape.over or over, expected)
    if shape.kind == "step":
        return _step(shape, rate, expected)
    return (round(calls * SECOND / rate) for calls in expected)


def calls(shape: Arrivals, rate: float, over: float, seconds: float) -> float:
    """How many calls are expected within so many seconds from the start: the integral of the rate."""
    if shape.kind == "burst":
        on, off = shape.on or 1.0, shape.off or 0.0
        whole, rest = divmod(seconds, on + off)
        return rate * (whole * on + min(rest, on))
    if shape.kind == "ramp":
        to, over = shape.to or rate, shape.over or over
        within = min(seconds, over)
        return (rate + (to - rate) * within / (2 * over)) * within + to * (seconds - within)
    if shape.kind == "step":
        at, every = stairs(shape, rate), shape.every or 1.0
        stair = min(math.floor(seconds / every), 10**9)
        top = top_stair(shape, rate)
        low = stair if top is None else min(stair, top)
        total = every * low * (at(0) + at(low - 1)) / 2 if low else 0.0
        return total + at(low) * (seconds - low * every)
    return rate * seconds


def peak(shape: Arrivals, rate: float, seconds: float) -> float:
    """The highest rate within so many seconds, calls per second."""
    if shape.kind == "ramp":
        return max(rate, shape.to or rate)
    if shape.kind == "step":
        return max(rate, stairs(shape, rate)(math.ceil(seconds / (shape.every or 1.0)) - 1))
    return rate


def top_stair(shape: Arrivals, rate: float) -> int | None:
    """From which stair on the rate stays as it is; None: never."""
    if shape.to is None or shape.by is None:
        return None
    return max(0, math.ceil((shape.to - rate) / shape.by))


def stairs(shape: Arrivals, rate: float) -> Callable[[int], float]:
    """The rate on the n-th stair, from 0 on."""
    by, top = shape.by or 0.0, top_stair(shape, rate)
    return lambda stair: (shape.to or rate) if top is not None and stair >= top > 0 else rate + by * max(0, stair)


def _burst(shape: Arrivals, rate: float, expected: Iterator[float]) -> Iterator[int]:
    """Whole nanoseconds before the bursts are cut, so that a call on an edge stands on the right side of it."""
    on, off = round((shape.on or 1.0) * SECOND), round((shape.off or 0.0) * SECOND)
    for at in expected:
        working = round(at * SECOND / rate)
        yield working + working // on * off


def _ramp(rate: float, to: float, over: float, expected: Iterator[float]) -> Iterator[int]:
    slope = (to - rate) / over
    total = (rate + to) / 2 * over
    for at in expected:
        if at < total:  # of the two forms of a quadratic's root the one that does not cancel
            yield round(2 * at / (rate + math.sqrt(max(0.0, rate * rate + 2 * slope * at))) * SECOND)
        else:
            yield round((over + (at - total) / to) * SECOND)


def _step(shape: Arrivals, rate: float, expected: Iterator[float]) -> Iterator[int]:
    at_stair, every = stairs(shape, rate), shape.every or 1.0
    stair, begun, now = 0, 0.0, at_stair(0)
    for at in expected:
        while at >= begun + now * every:
            begun += now * every
            stair, now = stair + 1, at_stair(stair + 1)
        yield round((stair * every + (at - begun) / now) * SECOND)
