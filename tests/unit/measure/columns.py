"""Rows for tests: one call every so often, each given only what is out of the ordinary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from toolkit.columns import DTYPE
from toolkit.measure.rows import Rows

MS = 1_000_000


def rows(count: int, every_ns: int = MS, latency_ns: int | Iterable[int] = MS, start_ns: int = 5_000 * MS) -> Rows:
    """Calls that were answered OK, sent 1 µs after they were due."""
    made = np.zeros(count, dtype=DTYPE)
    made["seq"] = np.arange(count)
    made["due_ns"] = start_ns + every_ns * np.arange(count)
    made["sent_ns"] = made["due_ns"] + 1_000
    took = latency_ns if isinstance(latency_ns, int) else list(latency_ns)
    made["done_ns"] = made["due_ns"] + np.asarray(took, dtype=np.int64)
    made["first_ns"] = made["done_ns"]
    return made


def changed(made: Rows, place: int, **fields: int) -> Rows:
    return changed_all(made, {place: fields})


def changed_all(made: Rows, changes: Mapping[int, Mapping[str, int]]) -> Rows:
    copy = made.copy()
    for place, fields in changes.items():
        for name, value in fields.items():
            copy[name][place] = value
    return copy
