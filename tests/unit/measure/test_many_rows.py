from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np

from tests.perf.records_perf import make
from toolkit import rows
from toolkit.columns import LOST
from toolkit.measure import direct
from toolkit.results import Load

CALLS = 200_000
BYTES = 160  # of memory for each row, beside the map of the file
PIECES = 24 << 20  # and for the rows that are looked at at once


def test_the_numbers_of_many_rows_take_memory_in_proportion_and_are_exact(tmp_path: Path) -> None:
    make(tmp_path / "rows", CALLS)
    load = Load(rate=10_000.0, requests=CALLS)
    tracemalloc.start()
    try:
        found = direct.numbers([rows.raw(tmp_path / "rows")], load, None)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < CALLS * BYTES + PIECES
    kept = rows.raw(tmp_path / "rows")
    ok = kept[kept["status"] == 0]
    assert found.latency_us is not None
    assert (found.sent, found.ok, found.lost) == (CALLS, len(ok), int(np.count_nonzero(kept["status"] == LOST)))
    exact = np.sort(ok["done_ns"] - ok["due_ns"])
    assert found.latency_us.p999 == exact[-(-len(ok) * 999 // 1000) - 1] / 1e3


def test_many_rows_are_put_together_in_proportion(tmp_path: Path) -> None:
    make(tmp_path / "rows", CALLS)
    tracemalloc.start()
    try:
        rows.merge([rows.Part(tmp_path / "rows", ("OK", "UNAVAILABLE"))], tmp_path / "calls.npy")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < CALLS * BYTES + 4 * PIECES
    assert np.array_equal(rows.read(tmp_path / "calls.npy")["seq"], np.arange(CALLS))
