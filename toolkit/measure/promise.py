"""Promises about a load, such as `p99<50ms` or `errors<0.1%`: reading them, and judging one measurement by them. Pure.

May live here: objectives and their verdicts. May not: which rate is tried next (`capacity`).

A call that was not answered OK took for ever: a quantile of latencies counts it, so that failing fast keeps no promise.
Cold calls are not judged. Each verdict is by an interval: kept when the whole of it is below the limit, broken when the
whole of it is not, and else undecided. Of a chain more is promised than its entry's answers: `of_chain`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.columns import COLD, REFUSED, WARMUP
from toolkit.errors import UsageError
from toolkit.measure.comparison import share_of_calls
from toolkit.measure.intervals import CONFIDENCE, Floats, bounds, mean, rank
from toolkit.measure.quantiles import BEYOND
from toolkit.measure.rows import Rows, answered, flagged
from toolkit.results import Check
from toolkit.verdicts import Interval, Judged

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
UNITS = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}
METRICS = (*SHARES, "max", "mean", "errors")
FORM = re.compile(r"\s*([A-Za-z0-9.]+)\s*<(=?)\s*([0-9]+(?:\.[0-9]+)?)\s*([^\d\s]*)\s*")
LARGEST_US = 3.6e9  # an hour
MEAN_CALLS = 200  # ten in each batch
ERRORS_NEEDED = 3.7  # over the limit: so many calls without an error put the interval below it (ln 40)

KEEP_UP = "completions keep up"
KEPT_UP = 0.95  # of the calls accepted in a step, at least so many were completed in it
ACCEPTED = 20  # calls of which one is the share that may be missing: fewer say nothing
BY_OBJECTIVES = ("answered",)  # the check of what the promises themselves allow a share of

Outcome = Literal["kept", "broken", "undecided"]


@dataclass(frozen=True, slots=True)
class Objective:
    """`metric` of METRICS below `limit`: microseconds, or a share for `errors`."""

    metric: str
    limit: float
    text: str

    @property
    def calls(self) -> int:
        """How many a measurement needs before it can be kept."""
        if self.metric == "errors":
            return math.ceil(ERRORS_NEEDED / self.limit)
        if self.metric in SHARES:
            return math.ceil(BEYOND / (1 - SHARES[self.metric]) - 1e-6)
        return MEAN_CALLS if self.metric == "mean" else 1


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """Of one measurement, in the order of due times: microseconds, infinite for a call that was not answered OK."""

    latency: Floats
    unanswered: NDArray[np.bool_]


def objectives(texts: Sequence[str]) -> tuple[Objective, ...]:
    """Raises UsageError with everything that is wrong with any of them."""
    found, wrong = [], []
    for text in texts:
        parsed = _objective(text)
        if isinstance(parsed, Objective):
            found.append(parsed)
        else:
            wrong.append(f"--slo {text!r}: {parsed}")
    twice = {each.metric for each in found if sum(each.metric == other.metric for other in found) > 1}
    wrong += [f"--slo: {metric} has two limits" for metric in sorted(twice)]
    if not texts:
        wrong.append("a capacity is the highest rate that keeps a promise, and there is none")
    if wrong:
        raise UsageError("\n".join(wrong), next_step="write --slo 'p99<50ms' or --slo 'errors<0.1%'")
    return tuple(found)


def _objective(text: str) -> Objective | str:
    """What it says, or what is wrong with it."""
    parts = FORM.fullmatch(text)
    if parts is None:
        return "not METRIC<LIMIT"
    metric, _, number, unit = parts.groups()
    metric = {"p999": "p99.9"}.get(metric.lower(), metric.lower())
    if metric not in METRICS:
        return f"{metric} is none of {', '.join(METRICS)}"
    value = float(number)
    if metric == "errors":
        if unit not in ("%", ""):
            return f"{unit} is no unit of a share; write errors<0.1%"
        limit = value / 100 if unit == "%" else value
        return (
            Objective(metric, limit, f"errors<{limit * 100:.6g}%")
            if 1e-6 <= limit < 1
            else "not from 0.0001% to below 100%"
        )
    if unit not in UNITS:
        return f"{unit or 'nothing'} is no unit of time; write {metric}<{number}ms (us, ms, s)"
    limit = value * UNITS[unit]
    if not 0 < limit <= LARGEST_US:
        return "not above 0 and up to an hour"
    return Objective(metric, limit, f"{metric}<{number}{unit}")


def calls(rows: Rows, skip_s: float) -> Calls:
    """Those due after the first `skip_s` seconds, the warm-up, without cold ones and those never sent."""
    sent = rows[~flagged(rows, REFUSED | WARMUP)]
    sent = sent[np.argsort(sent["due_ns"], kind="stable")]
    if len(sent):
        sent = sent[sent["due_ns"] >= sent["due_ns"][0] + round(skip_s * 1e9)]
    sent = sent[~flagged(sent, COLD)]
    good = answered(sent)
    return Calls(np.where(good, (sent["done_ns"] - sent["due_ns"]) / 1e3, np.inf), ~good)


def judge(promises: Sequence[Objective], found: Calls) -> tuple[Outcome, tuple[Judged, ...]]:
    """Of all together: one broken promise breaks it, one undecided one leaves it open."""
    judged = tuple(_judged(each, found) for each in promises)
    return together(judged), judged


def together(judged: Sequence[Judged]) -> Outcome:
    verdicts = [each.verdict for each in judged]
    return "broken" if "broken" in verdicts else "undecided" if "undecided" in verdicts else "kept"


def of_chain(rows: Rows, skip_s: float, checks: Sequence[Check], *, events: bool) -> tuple[Judged, ...]:
    """What a chain promises whatever is asked: its checks, each that failed; with events, that they do not pile up."""
    failed = tuple(
        Judged(f"check {each.name}", None, None, "broken")
        for each in checks
        if not each.passed and each.name not in BY_OBJECTIVES
    )
    return (_keep_up(rows, skip_s), *failed) if events else failed


def _keep_up(rows: Rows, skip_s: float) -> Judged:
    """Completions over accepted calls, both between the end of the warm-up and the last sending.

    What was accepted before and completed after the warm-up makes up for what is under way at the end, so that a chain
    that takes long, but always as long, keeps up.
    """
    sent = rows[~flagged(rows, REFUSED)]
    if len(sent) == 0:
        return Judged(KEEP_UP, None, None, "undecided")
    began_ns, last_ns = sent["due_ns"].min() + round(skip_s * 1e9), sent["sent_ns"].max()
    good = sent[answered(sent)]
    accepted = int(((good["done_ns"] > began_ns) & (good["done_ns"] <= last_ns)).sum())
    completed = int(((sent["completed_ns"] > began_ns) & (sent["completed_ns"] <= last_ns)).sum())
    if accepted < ACCEPTED:
        return Judged(KEEP_UP, None, None, "undecided")
    share = completed / accepted
    return Judged(KEEP_UP, share, None, "kept" if share >= KEPT_UP else "broken")


def _judged(promise: Objective, found: Calls) -> Judged:
    if len(found.latency) == 0:
        return Judged(promise.text, None, None, "undecided")
    if promise.metric == "max":
        largest = float(found.latency.max())
        return Judged(promise.text, largest, None, "kept" if largest < promise.limit else "broken")
    got, interval = _measured(promise, found)
    if interval is None:
        return Judged(promise.text, got, None, "undecided")
    kept, broken = interval.high < promise.limit, interval.low >= promise.limit
    return Judged(promise.text, got, interval, "kept" if kept else "broken" if broken else "undecided")


def _measured(promise: Objective, found: Calls) -> tuple[float, Interval | None]:
    if promise.metric == "errors":
        return float(found.unanswered.mean()), share_of_calls(found.unanswered, CONFIDENCE)
    if promise.metric == "mean":
        every = found.latency
        return float(every.mean()), mean(every) if np.isfinite(every).all() else Interval(
            math.inf, math.inf, CONFIDENCE, "a call was not answered"
        )
    share = SHARES[promise.metric]
    got = float(np.sort(found.latency)[rank(len(found.latency), share) - 1])
    return got, bounds(found.latency, share)
