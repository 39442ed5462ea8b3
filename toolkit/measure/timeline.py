"""A run along its time: what was due, sent, answered, late and failed in each interval. Pure.

May live here: cutting rows into intervals, and their numbers. May not: drawing them (`report`).
"""

from __future__ import annotations

import numpy as np

from toolkit.columns import COLD, LOST, REFUSED, WARMUP
from toolkit.measure.quantiles import BEYOND
from toolkit.measure.rows import Numbers, Rows, answered, flagged
from toolkit.series import Dot, Interval, Timeline

SECOND = 1_000_000_000
MOST = 120  # intervals
FULL = 20  # calls that an interval should hold: from there on it has a median
DOTS = 2_000  # calls up to which each is told by itself
TAILS = (999, 990, 950, 900)  # in thousandths: the highest that the intervals have enough calls for is told


def timeline(rows: Rows, most: int = MOST) -> Timeline | None:
    """The intervals of a run, counted from the first due time; None when nothing was due."""
    if len(rows) == 0:
        return None
    due = rows["due_ns"]
    if np.any(due[1:] < due[:-1]):
        rows = rows[np.argsort(due, kind="stable")]
        due = rows["due_ns"]
    zero = int(due[0])
    width = _width((int(due[-1]) - zero) / SECOND, len(rows), most)
    width_ns = round(width * SECOND)
    count = (int(due[-1]) - zero) // width_ns + 1
    cuts = np.searchsorted(due, zero + width_ns * np.arange(count + 1))
    left = _left(rows, zero, width_ns, count)
    tail = _tail(rows, cuts)
    intervals = tuple(_interval(rows[cuts[at] : cuts[at + 1]], at * width, int(left[at]), tail) for at in range(count))
    return Timeline(width, intervals, tail, _dots(rows, zero) if len(rows) <= DOTS else (), _warmup(rows, zero))


def _width(span_s: float, calls: int, most: int) -> float:
    """Seconds: 1, 2 or 5 times a power of ten, so that there are at most `most` intervals, and most of them full."""
    wanted = max(span_s / most, span_s * FULL / calls, 1e-3)
    power = 10.0 ** np.floor(np.log10(wanted))
    steps = (float(power * step) for step in (1, 2, 5, 10))
    return next(step for step in steps if step >= wanted * (1 - 1e-9))


def _left(rows: Rows, zero: int, width_ns: int, count: int) -> Numbers:
    """How many calls left in each interval; those sent after the last one count there."""
    sent = rows["sent_ns"][~flagged(rows, REFUSED)]
    found: Numbers = np.bincount(np.clip((sent - zero) // width_ns, 0, count - 1), minlength=count)
    return found


def _tail(rows: Rows, cuts: Numbers) -> int | None:
    """The highest quantile for which half of the intervals have enough calls."""
    good = np.concatenate(([0], np.cumsum(answered(rows) & ~flagged(rows, COLD))))
    typical = float(np.median(np.diff(good[cuts])))
    return next((each for each in TAILS if typical * (1000 - each) >= BEYOND * 1000), None)


def _interval(rows: Rows, start_s: float, sent: int, tail: int | None) -> Interval:
    refused = flagged(rows, REFUSED)
    went = rows[~refused]
    lost = (went["status"] == LOST) | (went["done_ns"] == 0)
    good = answered(went)
    cold = good & flagged(went, COLD)
    warm = np.sort((went["done_ns"] - went["due_ns"])[good & ~cold])
    return Interval(
        start_s=round(start_s, 9),
        due=len(rows),
        sent=sent,
        ok=int(np.count_nonzero((went["status"] == 0) & ~lost)),
        failed=int(np.count_nonzero((went["status"] != 0) & ~lost)),
        lost=int(np.count_nonzero(lost)),
        refused=int(np.count_nonzero(refused)),
        cold=int(np.count_nonzero(cold)),
        p50=_quantile(warm, 500),
        tail=None if tail is None else _quantile(warm, tail),
        max=float(warm[-1]) / 1e3 if len(warm) else None,
        lateness_max=float((went["sent_ns"] - went["due_ns"]).max()) / 1e3 if len(went) else None,
    )


def _quantile(ordered: Numbers, per_mille: int) -> float | None:
    """Nearest rank; None with fewer than 10 samples beyond it."""
    rank = max(1, -(-len(ordered) * per_mille // 1000))
    return float(ordered[rank - 1]) / 1e3 if len(ordered) - rank >= BEYOND else None


def _dots(rows: Rows, zero: int) -> tuple[Dot, ...]:
    went = rows[~flagged(rows, REFUSED)]
    good, cold = (went["status"] == 0) & (went["done_ns"] > 0), flagged(went, COLD)
    at, took = (went["due_ns"] - zero) / SECOND, (went["done_ns"] - went["due_ns"]) / 1e3
    each = zip(at.tolist(), took.tolist(), good.tolist(), cold.tolist(), strict=True)
    return tuple(Dot(start, us if ok else None, was_cold) for start, us, ok, was_cold in each)


def _warmup(rows: Rows, zero: int) -> float | None:
    warm = rows["due_ns"][flagged(rows, WARMUP)]
    return (int(warm[-1]) - zero) / SECOND if len(warm) else None
