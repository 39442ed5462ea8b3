"""How long it takes to say where the time of many traces went, and how much memory: reading them from a file included.

`python -m tests.perf analysis`. The file is made up (`trace_file`); each size is analysed by `toolkit trace analyze`
in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.perf import trace_file
from tests.perf.records_perf import step

SIZES = (1_000, 10_000, 100_000)
MOST_S, MOST_BYTES = 60.0, 3 << 29  # what 100,000 traces may take


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        for traces in SIZES:
            file = Path(place, f"{traces}.json")
            trace_file.write(file, traces)
            took_s, most = analysed(file)
            print(
                f"{traces:>7,} traces × {trace_file.SPANS} spans, {file.stat().st_size / (1 << 20):5.0f} MiB: "
                f"{took_s:5.1f} s, {took_s / traces * 1e6:5.0f} µs a trace, {most / (1 << 20):5.0f} MiB at most"
            )
            file.unlink()
        verdict = "within" if took_s <= MOST_S and most <= MOST_BYTES else "NOT within"
        print(f"the largest is {verdict} {MOST_S:.0f} s and {MOST_BYTES / (1 << 30):.1f} GiB")


def analysed(file: Path) -> tuple[float, int]:
    """Seconds and bytes, the start of the program among them."""
    return step((sys.executable, "-m", "toolkit.cli", "trace", "analyze", str(file)), file.parent)
