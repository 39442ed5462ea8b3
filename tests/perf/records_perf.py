"""Millions of records: how long a load's numbers, its storing and its reports take, and how much memory.

`python -m tests.perf records`. Each step is a process of its own, so that its memory is its own. Rows are made up:
lognormal service times, a thousandth of failures, a few lost calls, in the order in which calls ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from toolkit import environment, loads, rows
from toolkit.columns import DTYPE, LOST
from toolkit.measure import direct
from toolkit.results import Elapsed, Generator, Load, LoadReport

CALLS = 5_000_000
RATE = 10_000.0
PIECE = 500_000
RUN = "load-20260101-000000-000000"
STATUSES = ("OK", "UNAVAILABLE")
FORMS = ("text", "html", "hgrm", "hlog")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder / "rows-0", CALLS)
        print(f"{CALLS:,} records")
        for name, words in steps(folder):
            took_s, most = step(words, folder)
            print(f"  {name:<28} {took_s:6.1f} s   {most / (1 << 20):6.0f} MiB at most")


def steps(folder: Path) -> list[tuple[str, tuple[str, ...]]]:
    report = (sys.executable, "-m", "toolkit.cli", "report", RUN, "--out", str(folder / "runs"))
    stored = (sys.executable, "-m", __spec__.name, str(folder)) if __spec__ else ()
    forms = [(f"report -o {form}", (*report, "-o", form, "--to", str(folder / form))) for form in FORMS]
    return [("numbers and storing", stored), *forms]


def step(words: tuple[str, ...], folder: Path) -> tuple[float, int]:
    """Seconds that it took, and bytes that it had in memory at most."""
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 4):  # some of the calls failed
        raise SystemExit(f"{' '.join(words)} ended with status {process.returncode}")
    return time.perf_counter() - began, used.ru_maxrss * 1024


def make(path: Path, calls: int) -> None:
    """Rows as a generator leaves them."""
    draw = np.random.default_rng(1)
    with path.open("wb") as file:
        for start in range(0, calls, PIECE):
            found = made(np.arange(start, min(calls, start + PIECE)), draw)
            file.write(found[np.argsort(found["done_ns"], kind="stable")].tobytes())


def made(seq: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    found = np.zeros(len(seq), DTYPE)
    found["seq"] = seq
    found["due_ns"] = 10**9 + (seq * (1e9 / RATE)).astype(np.int64)
    found["sent_ns"] = found["due_ns"] + draw.exponential(20_000, len(seq)).astype(np.int64)
    found["done_ns"] = found["sent_ns"] + draw.lognormal(14, 0.7, len(seq)).astype(np.int64)
    found["first_ns"], found["size"], found["reply_size"] = found["done_ns"], 16, 32
    found["status"] = draw.random(len(seq)) < 0.001
    lost = draw.random(len(seq)) < 0.00001
    found["status"][lost], found["done_ns"][lost], found["first_ns"][lost] = LOST, 0, 0
    return found


def store(folder: Path) -> None:
    """What `toolkit load` does once the last answer is there."""
    parts = [rows.Part(folder / "rows-0", STATUSES)]
    kept = rows.raw(parts[0].path)
    load = Load(rate=RATE, requests=len(kept), sample=0.0)
    told = direct.Told(statuses=tuple(direct.endings(kept, STATUSES).items()))
    report = LoadReport(
        run=RUN,
        target="h2c://127.0.0.1:1/made.Up/Rows",
        started="2026-01-01T00:00:00.000Z",
        toolkit_version=environment.toolkit_version(),
        environment=environment.describe(),
        command=("load",),
        load=load,
        connections=1,
        drain_s=None,
        warmup=None,
        generators=(Generator(len(kept), "whole"),),
        numbers=direct.numbers([kept], load, Elapsed(0, 0), told),
        statuses=STATUSES,
    )
    del kept  # as `loads.run` does: a map that nobody has takes no memory
    loads.store(folder / "runs", loads.Outcome(report, parts))


if __name__ == "__main__":
    store(Path(sys.argv[1]))
