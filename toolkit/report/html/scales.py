"""From numbers to places in a drawing: linear, logarithmic, and the axis of nines of HdrHistogram's plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["linear", "log", "nines"]


@dataclass(frozen=True, slots=True)
class Scale:
    """`low` to `high` drawn from `start` to `end`. `nines` gives every further nine of a share the same room."""

    kind: Kind
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        low, high, at = (self._even(each) for each in (self.low, self.high, value))
        part = 0.0 if high == low else (at - low) / (high - low)
        return round(self.start + min(1.0, max(0.0, part)) * (self.end - self.start), 2)

    def _even(self, value: float) -> float:
        if self.kind == "log":
            return math.log10(max(value, 1e-12))
        return -math.log10(max(1.0 - value, 1e-12)) if self.kind == "nines" else value


def times(low: float, high: float, start: float, end: float) -> Scale:
    """Of microseconds: logarithmic where the largest is many times the least, else from 0 on."""
    high = max(high, 1.0)
    if low > 0 and high / low > 30:
        return Scale("log", 10.0 ** math.floor(math.log10(max(low, 1.0))), _over(high, (1, 2, 5, 10)), start, end)
    return Scale("linear", 0.0, _over(high), start, end)


def ticks(scale: Scale, wanted: int = 5) -> list[float]:
    """Round numbers on the scale, at most about as many as wanted."""
    if scale.kind == "log":
        return _powers(scale.low, scale.high, wanted + 2)
    step = _step((scale.high - scale.low) / wanted)
    first = math.ceil(scale.low / step - 1e-9)
    return [round(step * at, 12) for at in range(first, math.floor(scale.high / step + 1e-9) + 1)]


def nines(n: int) -> list[tuple[float, str]]:
    """(share, name) of the quantiles that n samples can show: p0, p50, p90, p99 …"""
    named = [(0.0, "p0"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")]
    named += [(0.99999, "p99.999"), (0.999999, "p99.9999")]
    return [each for each in named if each[0] <= 1 - 1 / max(n, 2)]


def _powers(low: float, high: float, most: int) -> list[float]:
    decades = range(round(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps: Sequence[int] = (1, 2, 5) if 3 * (len(decades) - 1) <= most else (1,)
    found = [10.0**decade * step for decade in decades for step in steps]
    return [each for each in found if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]


def _over(high: float, steps: Sequence[float] = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)) -> float:
    power = 10.0 ** math.floor(math.log10(high))
    return next(power * step for step in steps if power * step >= high * (1 - 1e-9))


def _step(wanted: float) -> float:
    power = 10.0 ** math.floor(math.log10(wanted)) if wanted > 0 else 1.0
    return next((power * step for step in (1, 2, 5, 10) if power * step >= wanted * (1 - 1e-9)), 10 * power)
