"""What the scaffold costs: CPU microseconds and requests per second, of functions that answer, call, take and emit.

The variants of one function take turns in slices, so that what else the machine does meets all of them; each figure is
the median of its slices, each ratio the median over the turns of two slices of one turn, with its quartiles. CPU is
that of the function's process alone (all threads, from the kernel's own count): the exporter's thread is in it, the
client's process is not. Requests per second are those of one Python client with 32 under way: a lower bound, often the
client's.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.perf import span_perf
from tests.perf.senders import Send, calling, delivering, drive
from tests.unit.sdk.scaffold import free_port
from toolkit import contract
from toolkit.contract import ENTRY_METHOD, Outgoing, Tracing, Wiring

SETTLE_S = 0.3  # after a slice, until what is batched has been sent too
HANDLERS = Path(__file__).with_name("echo.py")
UNTRACED = "no tracing"
MOST = {100: 1.08, 1: 1.30}  # times the CPU of no tracing, by one in so many sampled: what the scaffold promises


@dataclass(frozen=True)
class Variant:
    """One row. Of every `one_in` messages one is sampled by its sender; None: none is."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    port: int
    one_in: int | None = None


@dataclass(frozen=True)
class Situation:
    """One function, and who sends to it."""

    title: str
    handler: str
    via: Callable[[int], AbstractAsyncContextManager[Sequence[Send]]]
    fields: dict[str, Any] = field(default_factory=dict)  # of its wiring
    sink: bool = False


@dataclass(frozen=True)
class Slice:
    requests: int
    seconds: float
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / self.requests * 1e6


@dataclass(frozen=True)
class Ends:
    """Where what the functions send goes: a collector of receipts, a store of spans, and a callee, by their ports."""

    receipts: int
    spans: int
    callee: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.spans}/api/v2/spans"


CALLED, EMITTED = Outgoing("callee", "call", method=ENTRY_METHOD), Outgoing("other", "event", type="perf")
SITUATIONS = (
    Situation("answers a call (SERVER)", "echo", calling),
    Situation("calls another (SERVER + CLIENT)", "forward", calling, {"outgoing": (CALLED,)}),
    Situation("emits an event (SERVER + PRODUCER)", "emit", calling, {"outgoing": (EMITTED,)}, sink=True),
    Situation("takes an event (CONSUMER)", "take", delivering),
    Situation("relays an event (CONSUMER + PRODUCER)", "relay", delivering, {"outgoing": (EMITTED,)}, sink=True),
)


def run(situation: Situation, ends: Ends, repeats: int, seconds: float) -> list[dict[str, Any]]:
    """One row per variant: `requests_per_s, cpu_us, cpu_us_min, cpu_us_max`, `times` and its quartiles `times_of`.

    `times` is the CPU of this variant over that of the same function without tracing, in the same turn.
    """
    variants = _variants(situation, ends)
    with _started(variants) as pids:
        slices = asyncio.run(_measure(situation, variants, pids, repeats, seconds))
    untraced = [each.cpu_us for each in slices[UNTRACED]]
    return [_row(each, slices[each.name], untraced) for each in variants]


def _row(variant: Variant, slices: Sequence[Slice], untraced: Sequence[float]) -> dict[str, Any]:
    cpu = [each.cpu_us for each in slices]
    times = [one / other for one, other in zip(cpu, untraced, strict=True)]
    quartiles = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
    scaffold = variant.command == ("toolkit.sdk",)
    return {
        "variant": variant.name,
        "requests_per_s": statistics.median(one.requests / one.seconds for one in slices),
        "cpu_us": statistics.median(cpu),
        "cpu_us_min": min(cpu),
        "cpu_us_max": max(cpu),
        "times": statistics.median(times),
        "times_of": (quartiles[0], quartiles[2]),
        "most": MOST.get(variant.one_in) if scaffold and variant.one_in else None,
        "slices": len(slices),
    }


def table(title: str, rows: Sequence[dict[str, Any]]) -> str:
    head = (
        f"{title:44} {'requests/s':>10} {'CPU us/request':>15} {'min..max':>10} {'x no tracing':>13} {'quartiles':>10}"
    )
    return "\n".join([f"{head} {'target':>8}", *map(_line, rows)])


def _line(row: dict[str, Any]) -> str:
    low, high = row["times_of"]
    target = f"<= {row['most']:.2f}" if row["most"] else ""
    return (
        f"{row['variant']:44} {row['requests_per_s']:10.0f} {row['cpu_us']:15.0f} {row['cpu_us_min']:5.0f}.."
        f"{row['cpu_us_max']:<4.0f} {row['times']:12.2f} {low:5.2f}..{high:.2f} {target:>8}"
    ).rstrip()


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one slice")
    parser.add_argument("--only", choices=[each.handler for each in SITUATIONS], help="this function alone")
    options = parser.parse_args(arguments)
    with _other_ends() as ends:
        for each in SITUATIONS:
            if options.only in (None, each.handler):
                print(table(each.title, run(each, ends, options.repeats, options.seconds)), flush=True)
    print(span_perf.table(span_perf.run()))


def _variants(situation: Situation, ends: Ends) -> list[Variant]:
    collector = f"tcp://127.0.0.1:{ends.receipts}"
    traced: dict[str, Any] = {"receipts": collector, "tracing": Tracing(ends.url)}
    variants = [
        _scaffold(situation, ends, UNTRACED, receipts=collector),
        _scaffold(situation, ends, "0 % sampled", **traced),
        _scaffold(situation, ends, "1 % sampled", 100, **traced),
        _scaffold(situation, ends, "100 % sampled", 1, **traced),
    ]
    if situation.handler != "echo":
        return variants
    variants += [_scaffold(situation, ends, "no receipts, no tracing"), _plain("bare grpc.aio", "bare")]
    if importlib.util.find_spec("opentelemetry.exporter.zipkin.json"):
        variants.append(_plain("bare + OTel interceptor + zipkin-json, 100 %", "stock", 1, ends.url))
    return variants


def _plain(name: str, kind: str, one_in: int | None = None, url: str = "") -> Variant:
    port = free_port()
    return Variant(name, ("tests.perf.echo", kind, str(port), url), {}, port, one_in)


def _scaffold(situation: Situation, ends: Ends, name: str, one_in: int | None = None, **fields: Any) -> Variant:
    port = free_port()
    role: dict[str, Any] = {"consumes": True} if situation.via is delivering else {"serves": (ENTRY_METHOD,)}
    wired = Wiring("perf", situation.handler, "perf", f"{HANDLERS}:{situation.handler}", **role, **fields)
    made = {**situation.fields, "tracing": wired.tracing, "receipts": wired.receipts}
    if "outgoing" in made:
        made["outgoing"] = tuple(_addressed(each, ends) for each in made["outgoing"])
    wired = Wiring(wired.chain, wired.function, wired.run, wired.handler, **role, **made)
    environment = {contract.WIRING: wired.encode(), contract.PORT: str(port), contract.HOST: "127.0.0.1"}
    if situation.sink:
        environment[contract.K_SINK] = f"http://127.0.0.1:{ends.spans}/"
    return Variant(name, ("toolkit.sdk",), environment, port, one_in)


def _addressed(edge: Outgoing, ends: Ends) -> Outgoing:
    address = f"127.0.0.1:{ends.callee}" if edge.via == "call" else None
    return Outgoing(edge.to, edge.via, edge.method, edge.type, address)


@contextlib.contextmanager
def _other_ends() -> Iterator[Ends]:
    port = free_port()
    commands = (("tests.perf.swallow",), ("tests.perf.echo", "bare", str(port)))
    with contextlib.ExitStack() as stack:
        processes = [_running(stack, command) for command in commands]
        assert processes[0].stdout is not None
        receipts, spans = map(int, processes[0].stdout.readline().split())
        yield Ends(receipts, spans, port)


def _running(
    stack: contextlib.ExitStack, command: Sequence[str], environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@contextlib.contextmanager
def _started(variants: Sequence[Variant]) -> Iterator[dict[str, int]]:
    with contextlib.ExitStack() as stack:
        yield {each.name: _running(stack, each.command, each.environment).pid for each in variants}


async def _measure(
    situation: Situation, variants: Sequence[Variant], pids: dict[str, int], repeats: int, seconds: float
) -> dict[str, list[Slice]]:
    slices: dict[str, list[Slice]] = {each.name: [] for each in variants}
    async with contextlib.AsyncExitStack() as stack:
        senders = {each.name: await stack.enter_async_context(situation.via(each.port)) for each in variants}
        for each in variants:
            await drive(senders[each.name], each.one_in, seconds / 4)  # warm
        for turn in range(repeats):
            for each in (*variants[turn % len(variants) :], *variants[: turn % len(variants)]):
                before = _cpu_s(pids[each.name])
                requests, took = await drive(senders[each.name], each.one_in, seconds)
                await asyncio.sleep(SETTLE_S)
                slices[each.name].append(Slice(requests, took, _cpu_s(pids[each.name]) - before))
    return slices


def _cpu_s(pid: int) -> float:
    """CPU of every thread, in the scheduler's nanoseconds where the kernel tells them, else in its ticks."""
    total = 0
    for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(schedstat.read_text().split()[0])
    if total:
        return total / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1:])
