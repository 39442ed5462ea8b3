"""What it takes to hand data to the next function: 1 KiB to 64 MiB, by every transfer, each answer judged.

The benchmark `payload` runs on the local engine, one call at a time, beside a Redis and an S3 server of this machine:
everything shares its processors and its memory, so these are the costs of the ways, not of a network. A latency is that
of the producer's call: data on its way, taken and hashed by the consumer, and its answer back; the first calls, which
are cold, are left out. Bandwidth is the size by the median.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.transfers import servers
from toolkit import catalog
from toolkit.engines.local.engine import LocalEngine
from toolkit.measure.quantiles import at_rank, quantiles
from toolkit.results import Load
from toolkit.run import Order, Outcome, run

KIB, MIB = 1 << 10, 1 << 20
CALLS = {KIB: 1100, 64 * KIB: 1100, MIB: 100, 4 * MIB: 40, 16 * MIB: 20, 64 * MIB: 10}  # by size
EVERY = ("inline", "stream", "file", "redis", "s3")
COLD = 2  # calls that are left out


@dataclass(frozen=True)
class Row:
    """Milliseconds; p99 is None where the calls are too few for one."""

    transfer: str
    size: int
    calls: int
    right: int
    median_ms: float
    p99_ms: float | None

    @property
    def bandwidth(self) -> float:
        """MiB a second."""
        return self.size / MIB / self.median_ms * 1e3


def main() -> None:
    """Raises SystemExit when an answer was wrong: then no number counts."""
    with _servers() as found:
        here = [each for each in EVERY if each in found]
        print(f"hashing 64 MiB alone takes the consumer {_hashing_ms():.0f} ms of each latency\n")
        print("| size | " + " | ".join(f"{each}: median ms | p99 ms | MiB/s" for each in here) + " |")
        print("|--:|" + "--:|--:|--:|" * len(here))
        wrong = 0
        for size, calls in CALLS.items():
            rows = [row_of(each, size, calls) for each in here]
            print(f"| {_said(size)} | " + " | ".join(map(_cells, rows)) + " |", flush=True)
            wrong += sum(row.calls - row.right for row in rows)
        total = sum(CALLS.values()) * len(here)
    print(f"\n{total - wrong:,} of {total:,} checksums right")
    if wrong:
        sys.exit(1)


def row_of(transfer: str, size: int, calls: int) -> Row:
    chain = catalog.load("payload", {"payload": str(size), "transfer": transfer})
    load = Load(requests=calls, concurrency=1, timeout_s=60)
    outcome = asyncio.run(run(Order(chain, load), LocalEngine(ready_within_s=60)))
    latencies = _latencies_ms(outcome)[COLD:]
    ordered, told = sorted(latencies), quantiles(latencies)
    return Row(transfer, size, calls, _right(outcome, calls), at_rank(ordered, 500), told.p99 if told else None)


def _latencies_ms(outcome: Outcome) -> list[float]:
    """Of the producer's calls, in their order."""
    calls = [each for each in outcome.evidence.spans if each.kind == "CLIENT" and each.service == "producer"]
    calls.sort(key=lambda each: each.timestamp or 0)
    return [(each.duration or 0) / 1e3 for each in calls]


def _right(outcome: Outcome, calls: int) -> int:
    """How many of the answers were judged right: all of them, unless a check failed."""
    failed = [check for check in outcome.report.checks if not check.passed]
    for check in failed:
        print(f"{check.name}: wanted {check.wanted}, got {check.got}", file=sys.stderr)
    if failed or "expected" not in {check.name for check in outcome.report.checks}:
        return 0
    return sum(call.ok for call in outcome.calls)


@contextlib.contextmanager
def _servers() -> Iterator[Sequence[str]]:
    """The transfers that can be measured here, and the environment that they need."""
    before = dict(os.environ)
    with contextlib.ExitStack() as stack:
        found = ["inline", "stream", "file"]
        for name, start in (("redis", servers.redis), ("s3", servers.s3)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                os.environ.update(stack.enter_context(start(folder)).environment)
                found.append(name)
            except servers.MissingError as missing:
                print(f"{name} is left out: {missing}", file=sys.stderr)
        try:
            yield found
        finally:
            os.environ.clear()
            os.environ.update(before)


def _hashing_ms() -> float:
    data = bytes(64 * MIB)
    began = time.perf_counter()
    hashlib.blake2b(data, digest_size=32)
    return (time.perf_counter() - began) * 1e3


def _cells(row: Row) -> str:
    p99 = "—" if row.p99_ms is None else f"{row.p99_ms:.3g}"
    return f"{row.median_ms:.3g} | {p99} | {row.bandwidth:.3g}"


def _said(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


if __name__ == "__main__":
    main()
