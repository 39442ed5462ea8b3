"""What the scaffold costs: CPU microseconds and requests per second of one unary echo, side by side in one run.

The variants take turns in slices, so that what else the machine does meets all of them; each figure is the median of
its slices. CPU is that of the server's process alone (all threads, from the kernel's own count), the client's is not
in it. Requests per second are those of one Python client with 32 calls under way: a lower bound, often the client's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio

from tests.unit.sdk.scaffold import free_port
from toolkit import contract
from toolkit.contract import ENTRY_METHOD, Metadata, Tracing, Wiring
from toolkit.stubs.helloworld_pb2 import HelloRequest

CONCURRENCY = 32
REQUEST = HelloRequest(
    name="x" * 100, vHiveMetadata=Metadata("perf", "0" * 32, "2026-01-02T03:04:05.000000006Z").encode()
)
REQUEST_BYTES = REQUEST.SerializeToString()
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{}"


@dataclass(frozen=True)
class Variant:
    """One row. Of every `one_in` calls one is sampled by its caller; None: none is."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    port: int
    one_in: int | None = None


@dataclass(frozen=True)
class Slice:
    requests: int
    seconds: float
    cpu_s: float


def run(repeats: int = 9, seconds: float = 0.5) -> list[dict[str, Any]]:
    """One row per variant, medians of its slices: `requests_per_s, cpu_us, cpu_us_min, cpu_us_max, times_bare`.

    `times_bare` is the median over the turns of the CPU of this variant and the bare one in the same turn.
    """
    with _swallowing() as (receipts, spans):
        variants = _variants(receipts, spans)
        with _started(variants) as pids:
            slices = asyncio.run(_measure(variants, pids, repeats, seconds))
    bare = _cpu_us(slices[variants[0].name])
    return [_row(each.name, slices[each.name], bare) for each in variants]


def _row(name: str, slices: Sequence[Slice], bare: Sequence[float]) -> dict[str, Any]:
    cpu = _cpu_us(slices)
    return {
        "variant": name,
        "requests_per_s": statistics.median(one.requests / one.seconds for one in slices),
        "cpu_us": statistics.median(cpu),
        "cpu_us_min": min(cpu),
        "cpu_us_max": max(cpu),
        "times_bare": statistics.median(one / other for one, other in zip(cpu, bare, strict=True)),
        "slices": len(slices),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [f"{'unary echo, 100 B':46} {'requests/s':>10} {'CPU us/request':>15} {'min..max':>10} {'x bare':>7}"]
    lines += [
        f"{row['variant']:46} {row['requests_per_s']:10.0f} {row['cpu_us']:15.0f} "
        f"{row['cpu_us_min']:5.0f}..{row['cpu_us_max']:<4.0f} {row['times_bare']:6.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one slice")
    options = parser.parse_args(arguments)
    print(table(run(options.repeats, options.seconds)))


def _variants(receipts: int, spans: int) -> list[Variant]:
    url, collector = f"http://127.0.0.1:{spans}/api/v2/spans", f"tcp://127.0.0.1:{receipts}"
    variants = [
        _plain("bare grpc.aio", "bare"),
        _scaffold("scaffold, no receipts, no tracing"),
        _scaffold("scaffold, no tracing", receipts=collector),
        _scaffold("scaffold, 1 % sampled", 100, receipts=collector, tracing=Tracing(url)),
        _scaffold("scaffold, 100 % sampled", 1, receipts=collector, tracing=Tracing(url)),
    ]
    if importlib.util.find_spec("opentelemetry.exporter.zipkin.json"):
        variants.append(_plain("bare + OTel interceptor + zipkin-json, 100 %", "stock", 1, url))
    return variants


def _plain(name: str, kind: str, one_in: int | None = None, url: str = "") -> Variant:
    port = free_port()
    return Variant(name, ("tests.perf.echo", kind, str(port), url), {}, port, one_in)


def _scaffold(name: str, one_in: int | None = None, **fields: Any) -> Variant:
    port = free_port()
    wiring = Wiring("perf", "echo", "perf", f"{Path(__file__).with_name('echo.py')}:echo", (ENTRY_METHOD,), **fields)
    environment = {contract.WIRING: wiring.encode(), contract.PORT: str(port), contract.HOST: "127.0.0.1"}
    return Variant(name, ("toolkit.sdk",), environment, port, one_in)


@contextlib.contextmanager
def _swallowing() -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "tests.perf.swallow"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        receipts, spans = map(int, process.stdout.readline().split())
        try:
            yield receipts, spans
        finally:
            process.kill()


@contextlib.contextmanager
def _started(variants: Sequence[Variant]) -> Iterator[dict[str, int]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", *each.command],
            env={**os.environ, **each.environment},
            stderr=subprocess.DEVNULL,
        )
        for each in variants
    ]
    try:
        yield {each.name: process.pid for each, process in zip(variants, processes, strict=True)}
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def _measure(
    variants: Sequence[Variant], pids: dict[str, int], repeats: int, seconds: float
) -> dict[str, list[Slice]]:
    slices: dict[str, list[Slice]] = {each.name: [] for each in variants}
    async with contextlib.AsyncExitStack() as stack:
        calls: dict[str, Any] = {}
        for each in variants:
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{each.port}"))
            calls[each.name] = channel.unary_unary("/" + ENTRY_METHOD)
            await calls[each.name](REQUEST_BYTES, wait_for_ready=True, timeout=30)
            await _drive(calls[each.name], each.one_in, seconds / 4)  # warm
        for turn in range(repeats):
            for each in (*variants[turn % len(variants) :], *variants[: turn % len(variants)]):
                before = _cpu_s(pids[each.name])
                requests, took = await _drive(calls[each.name], each.one_in, seconds)
                await asyncio.sleep(0.3)  # until what is batched has been sent too
                slices[each.name].append(Slice(requests, took, _cpu_s(pids[each.name]) - before))
    return slices


async def _drive(call: Any, one_in: int | None, seconds: float) -> tuple[int, float]:
    begun = time.perf_counter()
    ends, count = begun + seconds, 0

    async def worker() -> None:
        nonlocal count
        while time.perf_counter() < ends:
            count += 1
            sampled = one_in is not None and count % one_in == 0
            await call(REQUEST_BYTES, metadata=(("traceparent", TRACEPARENT.format(int(sampled))),), timeout=30)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return count, time.perf_counter() - begun


def _cpu_s(pid: int) -> float:
    """CPU of every thread, in the scheduler's nanoseconds where the kernel tells them, else in its ticks."""
    total = 0
    for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(schedstat.read_text().split()[0])
    if total:
        return total / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_us(slices: Sequence[Slice]) -> list[float]:
    return [one.cpu_s / one.requests * 1e6 for one in slices]


if __name__ == "__main__":
    main(sys.argv[1:])
