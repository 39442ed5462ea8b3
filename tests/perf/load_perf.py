"""How fast a load can be sent: ours beside those of others, at one Go server, in one run.

`python -m tests.perf load`. The server (grpc-go's Greeter) has one core to itself, and whoever loads it another; they
take turns, so that what else the machine does meets all of them, and each figure is the median of its turns. All send
the same unary call, over as many connections, with as many under way. Ours gives each call a trace context of its own
and keeps a whole record of it; grpc-go alone and grpc.aio keep latencies, ghz a detail of each call, h2load statistics.

Where the server's core is busy, faster clients cannot show it: that column is part of the answer. CPU is what the
client took while it loaded (grpc-go, ghz, h2load: the whole program, which starts in a moment). What other programs
took of the cores meanwhile is told: with more than a little of it the figures mean nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.perf import programs
from tests.perf.programs import Missing

CONNECTIONS, IN_FLIGHT, SIZE = 4, 64, 100  # SIZE: bytes of the name that is echoed
METHOD = "helloworld.Greeter/SayHello"
TURNS, SECONDS = 5, 3
RATE, OPEN_S = 5000, 30
ROOT = Path(__file__).parent.parent.parent
OURS = "ours"
OTHERS = 0.2  # of a core, that other programs may take


@dataclass(frozen=True, slots=True)
class Turn:
    """What one program did in one turn. `client_s` and `server_s` are seconds of CPU."""

    ok: int
    failed: int
    seconds: float
    client_s: float
    server_s: float
    others: float  # cores


@dataclass(frozen=True, slots=True)
class Told:
    """What a program says of itself. `cpu_s` is None where it does not know."""

    ok: int
    failed: int
    seconds: float
    cpu_s: float | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """`wanted`: how many times its requests per second ours should send. `read` makes numbers of its output."""

    name: str
    command: Sequence[str]
    read: Callable[[str], Told]
    wanted: float | None = None


def main(turns: int = TURNS, seconds: int = SECONDS) -> None:
    cores = sorted(os.sched_getaffinity(0))
    try:
        with tempfile.TemporaryDirectory() as scratch, _server(cores[0]) as (port, pid):
            clients, missing = _clients(port, seconds, Path(scratch))
            found = _take_turns(clients, turns, cores[-1], pid, missing)
            print(_table([each for each in clients if found[each.name]], found, turns, seconds, cores))
            print(*(f"{name}: not available, {why}" for name, why in missing.items()), sep="\n")
            print(_open_loop(port, cores[-1]))
    except Missing as missing_server:
        print(f"load: not measured, {missing_server}")


def _clients(port: int, seconds: int, scratch: Path) -> tuple[list[Client], dict[str, str]]:
    address, body = f"127.0.0.1:{port}", scratch / "body.bin"
    message = b"\x0a" + bytes((SIZE,)) + b"x" * SIZE
    body.write_bytes(b"\x00" + len(message).to_bytes(4, "big") + message)
    (scratch / "message.bin").write_bytes(message)
    plain = [str(each) for each in (CONNECTIONS, IN_FLIGHT, seconds, SIZE)]
    makers: dict[str, Callable[[], Client]] = {
        OURS: lambda: Client(
            OURS, _ours(port, scratch, f"--concurrency={IN_FLIGHT}", f"--duration={seconds}s"), _of_ours
        ),
        "ghz": lambda: Client("ghz", _ghz(address, seconds, scratch), _of_ghz, 1.25),
        "grpc-go": lambda: Client("grpc-go", [str(programs.built(programs.CLIENT)), address, *plain], _of_plain, 1.0),
        "h2load": lambda: Client("h2load", _h2load(address, seconds, body), _of_h2load, 0.8),
        "grpc.aio": lambda: Client(
            "grpc.aio", [sys.executable, "-m", "tests.perf.aio_load", str(port), *plain], _of_plain, 5.0
        ),
    }
    clients, missing = [], {}
    for name, make in makers.items():
        try:
            clients.append(make())
        except Missing as why:
            missing[name] = str(why)
    return clients, missing


def _ours(port: int, scratch: Path, *load: str) -> list[str]:
    target, data = f"h2c://127.0.0.1:{port}/{METHOD}", f"@{scratch / 'message.bin'}"
    common = ["--target", target, "--data", data, "--connections", str(CONNECTIONS), "--timeout=20s", "-o", "json"]
    common += ["--out", str(scratch / "runs")]  # whole records, a row of a file each
    return [sys.executable, "-m", "toolkit.cli", "load", *common, *load]


def _ghz(address: str, seconds: int, scratch: Path) -> list[str]:
    proto = ["--proto", str(ROOT / "protos/helloworld.proto"), "--import-paths", str(ROOT / "protos")]
    lean = ["--disable-template-functions", "--disable-template-data", "--cpus", "1"]
    load = [f"--concurrency={IN_FLIGHT}", f"--connections={CONNECTIONS}", f"--duration={seconds}s"]
    data = json.dumps({"name": "x" * SIZE})
    call = ["--insecure", "--call", METHOD.replace("/", "."), "--data", data, "--format", "json"]
    return [str(programs.built(programs.GHZ)), *proto, *lean, *load, *call, address]


def _h2load(address: str, seconds: int, body: Path) -> list[str]:
    load = ["-c", str(CONNECTIONS), "-m", str(IN_FLIGHT // CONNECTIONS), "-D", str(seconds), "-d", str(body)]
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    return [str(programs.h2load()), *load, *headers, f"http://{address}/{METHOD}"]


def _of_ours(output: str) -> Told:
    load = json.loads(output)["load"]
    cpu_s = sum(each["cpu"] for each in load["generators"]) * load["duration_s"]
    return Told(load["ok"], load["sent"] - load["ok"], load["duration_s"], cpu_s)


def _of_ghz(output: str) -> Told:
    """Calls that the end of the time cut off have failed; they are not held against it."""
    found = json.loads(output)
    ok = found["statusCodeDistribution"].get("OK", 0)
    failed = (
        found["count"] - ok - sum(found["statusCodeDistribution"].get(each, 0) for each in ("Canceled", "Unavailable"))
    )
    return Told(ok, failed, found["total"] / 1e9)


def _of_plain(output: str) -> Told:
    found = json.loads(output)
    return Told(**found)


def _of_h2load(output: str) -> Told:
    """It counts by HTTP's status; its grpc-status nobody sees."""
    (ok,) = re.findall(r"status codes: (\d+) 2xx", output)
    (failed,) = re.findall(r"(\d+) failed,", output)
    (seconds,) = re.findall(r"finished in ([\d.]+)s", output)
    return Told(int(ok), int(failed), float(seconds))


@contextlib.contextmanager
def _server(core: int) -> Iterator[tuple[int, int]]:
    command = [str(programs.built(programs.SERVER)), "127.0.0.1:0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {core})
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


def _take_turns(
    clients: Sequence[Client], turns: int, core: int, server: int, missing: dict[str, str]
) -> dict[str, list[Turn]]:
    """Each program's turns; one that fails is `missing` from then on."""
    found: dict[str, list[Turn]] = {each.name: [] for each in clients}
    for number in range(turns):
        for client in (*clients[number % len(clients) :], *clients[: number % len(clients)]):
            if client.name in missing:
                continue
            try:
                found[client.name].append(_turn(client, core, server))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                missing[client.name], found[client.name] = str(error), []
    return found


def _turn(client: Client, core: int, server: int) -> Turn:
    began, served_s, busy_s = time.monotonic(), _cpu_s(server), _busy_s()
    output, used_s = _run(client.command, core)
    took_s, served_s, busy_s = time.monotonic() - began, _cpu_s(server) - served_s, _busy_s() - busy_s
    told = client.read(output)
    cpu_s = used_s if told.cpu_s is None else told.cpu_s
    return Turn(told.ok, told.failed, told.seconds, cpu_s, served_s, max(0.0, busy_s - used_s - served_s) / took_s)


def _run(command: Sequence[str], core: int) -> tuple[str, float]:
    """A program's output, and the seconds of CPU that it took. GOMAXPROCS: Go knows of the one core only."""
    before = os.times()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "GOMAXPROCS": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    after = os.times()
    if done.returncode not in (0, 6):  # 6: ours says that it was late, which is told beside the numbers
        raise RuntimeError(f"{command[0]} left with {done.returncode}: {done.stderr[-500:]}{done.stdout[-500:]}")
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, used_s


def _cpu_s(pid: int) -> float:
    return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _busy_s() -> float:
    """Seconds that all cores have worked, or were taken from us: user, nice, system, irq, softirq, steal."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(fields[at] for at in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")


def _table(
    clients: Sequence[Client], found: Mapping[str, list[Turn]], turns: int, seconds: int, cores: list[int]
) -> str:
    lines = [
        f"closed loop at grpc-go's server: {CONNECTIONS} connections, {IN_FLIGHT} calls under way, {SIZE} bytes there "
        f"and back, {turns} turns of {seconds} s each; server on core {cores[0]}, client on core {cores[-1]}",
        f"{'client':10} {'requests/s':>10} {'min..max':>15} {'CPU us each':>12} {'server busy':>12} {'failed':>7} "
        f"{'ours is':>8} {'wanted':>7}",
    ]
    ours = _rates(found.get(OURS, []))
    for client in clients:
        each, rates = found[client.name], _rates(found[client.name])
        cpu = statistics.median(one.client_s / one.ok * 1e6 for one in each)
        busy = statistics.median(one.server_s / one.seconds for one in each)
        times = statistics.median(one / other for one, other in zip(ours, rates, strict=True)) if ours else 0
        wanted = "" if client.wanted is None else f"{client.wanted:.2f} x"
        spread = f"{min(rates):,.0f}..{max(rates):,.0f}"
        lines.append(
            f"{client.name:10} {statistics.median(rates):10,.0f} {spread:>15} {cpu:12.1f} "
            f"{busy:12.0%} {sum(one.failed for one in each):7} {times:6.2f} x {wanted:>7}"
        )
    turns_of_all = [one for each in found.values() for one in each]
    others = statistics.median(one.others for one in turns_of_all)
    worst = max(one.others for one in turns_of_all)
    fair = "" if worst < OTHERS else ": not a fair measurement, repeat it on a machine that does nothing else"
    lines.append(f"other programs took {others:.0%} of a core in the median turn, {worst:.0%} in the worst{fair}")
    return "\n".join(lines)


def _rates(turns: Sequence[Turn]) -> list[float]:
    return [one.ok / one.seconds for one in turns]


def _open_loop(port: int, core: int) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        message = Path(scratch, "message.bin")
        message.write_bytes(b"\x0a" + bytes((SIZE,)) + b"x" * SIZE)
        try:
            output, used_s = _run(_ours(port, Path(scratch), f"--rate={RATE}", f"--duration={OPEN_S}s"), core)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return f"open loop: not measured, {error}"
    load: dict[str, Any] = json.loads(output)["load"]
    lateness, achieved = load["lateness_us"], load["achieved_rate"]
    told = {"p50": lateness["p50"], "p99": lateness["p99"], "max": lateness["max"]}
    late = ", ".join(f"{name} {'-' if value is None else f'{value:,.0f}'} us" for name, value in told.items())
    return (
        f"open loop, {RATE:,}/s for {OPEN_S} s: {load['ok']:,} of {load['sent']:,} ok, rate {achieved:,.1f}/s "
        f"({achieved / RATE - 1:+.3%}; wanted within 0.5 %), lateness {late} (wanted: p99 within 2,000 us), "
        f"{used_s / max(1, load['ok']) * 1e6:.0f} us CPU each, {'valid' if load['valid'] else load['invalid']}"
    )


if __name__ == "__main__":
    begun = time.monotonic()
    main(*map(int, sys.argv[1:]))
    print(f"took {time.monotonic() - begun:.0f} s")
