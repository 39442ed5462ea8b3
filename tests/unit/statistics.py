"""Whether samples come from a distribution: Kolmogorov and Smirnov's test, for tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def ks(samples: Sequence[float], distribution: Callable[[float], float]) -> float:
    """How probable samples are that lie at least as far from the distribution function: the p-value.

    Stephens' correction (JRSS B 32, 1970) makes the limit exact enough from some ten samples on.
    """
    ordered, n = sorted(samples), len(samples)
    heights = [distribution(each) for each in ordered]
    above = max((place + 1) / n - height for place, height in enumerate(heights))
    below = max(height - place / n for place, height in enumerate(heights))
    return kolmogorov(max(above, below) * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)))


def kolmogorov(x: float) -> float:
    """The share of Kolmogorov's distribution beyond x."""
    if x < 0.3:
        return 1.0
    terms = (math.exp(-2 * k * k * x * x) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))


def exponential(mean: float) -> Callable[[float], float]:
    return lambda x: 1 - math.exp(-x / mean) if x > 0 else 0.0


def uniform(low: float, high: float) -> Callable[[float], float]:
    return lambda x: min(1.0, max(0.0, (x - low) / (high - low)))
