"""How long it takes to say where the time of many traces went, and how much memory: reading them from a file included.

`python -m tests.perf analysis`. The file is made up (`trace_file`); each size is analysed by `toolkit trace analyze` in
a process of its own, so that its memory is its own. Beside the time that passed stands the processor's: on a busy
machine they differ.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.perf import trace_file

SIZES = (1_000, 10_000, 100_000)
MOST_S, MOST_BYTES = 60.0, 3 << 29  # what 100,000 traces may take


@dataclass(frozen=True)
class Took:
    """Seconds, the start of the program among them, and bytes that it had in memory at most."""

    passed_s: float
    processor_s: float
    resident: int


def main(sizes: tuple[int, ...] = SIZES) -> None:
    with tempfile.TemporaryDirectory() as place:
        for traces in sizes:
            file = Path(place, f"{traces}.json")
            trace_file.write(file, traces)
            took = analysed(file)
            print(
                f"{traces:>7,} traces × {trace_file.SPANS} spans, {file.stat().st_size / (1 << 20):5.0f} MiB: "
                f"{took.passed_s:5.1f} s ({took.processor_s:.1f} s of a processor, "
                f"{took.processor_s / traces * 1e6:,.0f} µs a trace), {took.resident / (1 << 20):.0f} MiB at most"
            )
            file.unlink()
    within = took.passed_s <= MOST_S and took.resident <= MOST_BYTES
    verdict = "within" if within else "NOT within"
    print(f"the largest is {verdict} {MOST_S:.0f} s and {MOST_BYTES / (1 << 30):.1f} GiB")


def analysed(file: Path) -> Took:
    began = time.perf_counter()
    words = (sys.executable, "-m", "toolkit.cli", "trace", "analyze", str(file))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with status {process.returncode}")
    return Took(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
