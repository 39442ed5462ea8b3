from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from toolkit.columns import ROW

SHORT, LONG = 20_000, 200_000
MORE = 4 << 20  # bytes that a load may take more when it is ten times as long; its rows alone are 11 MiB more


def most(calls: int, path: Path) -> int:
    """Bytes that a process has in memory at most while it sends so many calls; each has a row in the file."""
    words = (sys.executable, "-m", "tests.unit.load.endless", str(calls), str(path))
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True)
    assert path.stat().st_size == calls * ROW.size
    return int(done.stdout)


def test_a_load_ten_times_as_long_takes_no_more_memory(tmp_path: Path) -> None:
    assert most(LONG, tmp_path / "long") < most(SHORT, tmp_path / "short") + MORE
