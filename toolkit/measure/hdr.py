"""What HdrHistogram's files hold, counted from rows: a histogram of each stretch of a run, and the curve of all.

May live here: counting. May not: the files' formats (`report.hdr`), the live histogram of a load (`load.hdr`).

Values are grouped as `load.hdr` says, with three significant digits; what took longer than an hour counts as an hour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from toolkit.columns import COLD
from toolkit.measure.distribution import ranks
from toolkit.measure.rows import Numbers, Rows, answered, flagged

HIGHEST_NS = 3_600_000_000_000
SECOND = 1_000_000_000
MOST = 3_600  # stretches; a longer run has longer ones
HALF_BITS = 10


def counts(values_ns: Numbers) -> list[int]:
    """HdrHistogram's counts array, up to its last count."""
    values = np.clip(values_ns, 0, HIGHEST_NS)
    bits = np.frexp(values.astype(np.float64))[1]
    shift = np.maximum(bits - HALF_BITS - 1, 0)
    found: list[int] = np.bincount((shift << HALF_BITS) + (values >> shift)).tolist()
    return found


def intervals(rows: Rows) -> Iterator[tuple[float, float, Numbers, Numbers]]:
    """(start and length in seconds, latencies, service times in ns) of each stretch with warm calls answered OK."""
    if len(rows) == 0:
        return
    due = rows["due_ns"]
    if np.any(due[1:] < due[:-1]):
        rows = rows[np.argsort(due, kind="stable")]
        due = rows["due_ns"]
    zero, span = int(due[0]), int(due[-1] - due[0]) + 1
    width = SECOND * max(1, math.ceil(span / SECOND / MOST))
    cuts = np.searchsorted(due, zero + width * np.arange(-(-span // width) + 1))
    for at in range(len(cuts) - 1):
        part = rows[cuts[at] : cuts[at + 1]]
        warm = part[answered(part) & ~flagged(part, COLD)]
        if len(warm):
            yield (
                at * width / SECOND,
                width / SECOND,
                warm["done_ns"] - warm["due_ns"],
                warm["done_ns"] - warm["sent_ns"],
            )


def points(ordered_ns: Numbers) -> list[tuple[int, float, int]]:
    """(value, share not above, samples not above) of a few hundred places of the sorted samples."""
    places = ranks(len(ordered_ns))
    found = zip(ordered_ns[places - 1].tolist(), (places / len(ordered_ns)).tolist(), places.tolist(), strict=True)
    return list(found)
