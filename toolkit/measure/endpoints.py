"""Numbers of a load that went to several servers in turn, for each of them, and its latencies as vSwarm lists them.

May live here: pure functions of arrays of rows (`toolkit.columns`). May not: files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from toolkit.columns import REFUSED, WARMUP
from toolkit.measure import direct
from toolkit.measure.rows import Rows, flagged
from toolkit.results import CallNumbers, Load


def by_endpoint(
    parts: Sequence[tuple[Rows, Sequence[str]]], targets: Sequence[str], asked: Load
) -> tuple[tuple[str, CallNumbers], ...]:
    """Of a load whose n-th call went to the (n mod targets)-th target. A part is rows, and their statuses."""
    return tuple((each, _numbers(parts, at, len(targets), asked)) for at, each in enumerate(targets))


def latencies_us(parts: Sequence[Rows]) -> list[int]:
    """Whole microseconds from due to answered, of calls answered OK, as they ended; the warm-up is left out."""
    done, latency = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for rows in parts:
        good = rows[(rows["status"] == 0) & (rows["done_ns"] > 0) & ~flagged(rows, REFUSED | WARMUP)]
        done.append(good["done_ns"])
        latency.append(good["done_ns"] - good["due_ns"])
    order = np.argsort(np.concatenate(done), kind="stable")
    found: list[int] = (np.concatenate(latency)[order] // 1000).tolist()
    return found


def _numbers(parts: Sequence[tuple[Rows, Sequence[str]]], at: int, of: int, asked: Load) -> CallNumbers:
    mine = [(rows[rows["seq"] % of == at], statuses) for rows, statuses in parts]
    ended: Counter[str] = Counter()
    for rows, statuses in mine:
        ended.update(direct.endings(rows, statuses))
    return direct.numbers([rows for rows, _ in mine], asked, None, direct.Told(tuple(ended.most_common())))
