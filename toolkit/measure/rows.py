"""Calls in columns (`toolkit.columns`) as arrays: which of them are which population, and how records become rows.

May live here: choosing and converting, as pure functions of arrays. May not: statistics, files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.columns import COLD, DTYPE, LOST, REFUSED, SAMPLED, WARMUP
from toolkit.results import CallRecord, Stamped

Rows = NDArray[np.void]  # of `columns.DTYPE`
Numbers = NDArray[np.int64]
Choice = NDArray[np.bool_]  # which rows
MOST_STATUSES = 254  # of a table of statuses; the rest of it is told as the last one
LARGEST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, and what their numbers mean: `statuses[0]` is OK, `instances[0]` belongs to the number 1."""

    rows: Rows
    statuses: Sequence[str] = ("OK",)
    instances: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Populations:
    """Nanoseconds of the calls that were answered OK, sorted; those that met a cold function are apart."""

    latency: Numbers
    service_time: Numbers
    completion: Numbers
    cold: Numbers


def table(calls: Sequence[CallRecord], receipts: Iterable[Stamped] = ()) -> Table:
    """The rows of a chain's calls. A call is cold when a function that it met was; its instance is the entry's.

    What a call's record knows of both itself comes before what `receipts` say.
    """
    cold = {call.call for call in calls if call.cold}
    entries: dict[str, str] = {}  # call id → replica
    for stamped in receipts:
        receipt = stamped.receipt
        if receipt.cold:
            cold.add(receipt.call)
        if receipt.via == "entry":
            entries[receipt.call] = receipt.replica
    statuses, instances = {"OK": 0}, dict[str, int]()
    rows = np.zeros(len(calls), dtype=DTYPE)
    for at, call in enumerate(calls):
        by = call.instance or entries.get(call.call)
        instance = instances.setdefault(by, len(instances) + 1) if by is not None else 0
        rows[at] = _row(call, _status(call, statuses), instance, call.call in cold)
    return Table(rows, tuple(statuses), tuple(instances))


def _status(call: CallRecord, statuses: dict[str, int]) -> int:
    if call.status is None or call.done_ns is None:
        return LOST
    return min(statuses.setdefault(call.status, len(statuses)), MOST_STATUSES)


def _row(call: CallRecord, status: int, instance: int, cold: bool) -> tuple[int, ...]:
    flags = (SAMPLED if call.sampled else 0) | (REFUSED if call.refused else 0) | (COLD if cold else 0)
    times = (call.due_ns, call.sent_ns, call.first_ns or 0, call.done_ns or 0, call.completed_ns or 0)
    return call.seq, *times, min(call.size, LARGEST), 0, min(instance, LARGEST), status, flags, 0


def populations(rows: Rows) -> Populations:
    """Latency and completion count from due, service time from sent; warm-up and refused calls are in none of them."""
    good = answered(rows)
    cold = good & flagged(rows, COLD)
    warm = good & ~cold
    due, done = rows["due_ns"], rows["done_ns"]
    whole = warm & (rows["completed_ns"] > 0)
    return Populations(
        latency=_sorted(done[warm] - due[warm]),
        service_time=_sorted(done[warm] - rows["sent_ns"][warm]),
        completion=_sorted(rows["completed_ns"][whole] - due[whole]),
        cold=_sorted(done[cold] - due[cold]),
    )


def answered(rows: Rows) -> Choice:
    """Those that were answered OK and are no warm-up."""
    found: Choice = (rows["status"] == 0) & (rows["done_ns"] > 0) & ~flagged(rows, REFUSED | WARMUP)
    return found


def flagged(rows: Rows, flags: int) -> Choice:
    found: Choice = (rows["flags"] & np.uint8(flags)) != 0
    return found


def _sorted(values: Numbers) -> Numbers:
    values.sort()  # fresh already: it came from a choice
    return values
