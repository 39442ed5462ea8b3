"""Our trace store beside the real Zipkin server (in memory): how fast spans come in, and questions are answered.

`python -m tests.perf traces`, or `python -m tests.perf.traces_perf --spans 200000` for fewer. Both get the same spans
(`many_traces`), in turns, so that what else the machine does meets both; ours keeps them in a file. Spans per second
count until the last trace can be asked for: Zipkin answers before it has stored. CPU is the server process's, all its
threads together; the sender is a process of its own. A question's time is the median of its turns. Without java or
the server's jar, ours is measured alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.perf.many_traces import SPANS, TOGETHER, trace_id
from tests.zipkin import real

ALL, FEW, TURNS = 1_000_000, 100_000, 10  # spans, and in how many parts they come
CONNECTIONS, QUESTIONS = 4, 5
HEAP = "4g"
READY_WITHIN_S, STORED_WITHIN_S = 90.0, 60.0
OURS, ZIPKIN = "ours (SQLite file)", "Zipkin (in memory)"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """One of the two. `times` are a question's seconds, by how many spans there were and the question's name."""

    name: str
    url: str
    pid: int
    took_s: float = 0.0
    cpu_s: float = 0.0
    first_s: float = 0.0  # of the first part, in which a JVM warms up
    times: dict[tuple[int, str], float] = field(default_factory=dict)

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=600) as answer:
            return bytes(answer.read())

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def main(words: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.traces_perf")
    parser.add_argument("--spans", type=int, default=ALL, help="default %(default)s")
    spans = parser.parse_args(words).spans
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        servers = [running.enter_context(ours(Path(folder)))]
        try:
            servers.insert(0, running.enter_context(zipkin(Path(folder), spans)))
        except real.MissingError as missing:
            print(f"ours alone: {missing}")
        measure(servers, spans // SPANS)
        print("\n".join(report(servers, spans)))


@contextlib.contextmanager
def ours(folder: Path) -> Iterator[Server]:
    bounds = ("--max-spans", "1000000000", "--max-bytes", str(1 << 40))
    command = (sys.executable, "-m", "toolkit.engines.tracestore", "--store", str(folder / "spans.db"), *bounds)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())["ready"]
            yield Server(OURS, f"http://{ready['host']}:{ready['port']}", process.pid)
        finally:
            process.terminate()


@contextlib.contextmanager
def zipkin(folder: Path, spans: int) -> Iterator[Server]:
    with real.running(folder, HEAP, f"--zipkin.storage.mem.max-spans={spans * 2}") as found:
        server = Server(ZIPKIN, found.url, found.process.pid)
        _until(lambda: server.get("/health"), READY_WITHIN_S)
        yield server


def _until(tried: Callable[[], object], within_s: float) -> None:
    """Call until it neither refuses nor says no."""
    ends = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError):  # of which urllib's errors are
            if tried():
                return
        if time.monotonic() > ends:
            raise SystemExit(f"not within {within_s:.0f} s")
        time.sleep(0.01)


def measure(servers: Sequence[Server], traces: int) -> None:
    """Both servers get all traces in parts; questions are asked after the first and the last."""
    start_us = time.time_ns() // 1000 - traces * 1000
    part = max(TOGETHER, min(FEW // SPANS, traces // TURNS or traces))
    for first in range(0, traces, part):
        count = min(part, traces - first)
        for server in servers:
            send(server, first, count, start_us)
        if first == 0 or first + count == traces:
            for server in servers:
                for name, path in questions(first + count, start_us):
                    server.times[first + count, name] = ask(server, path)


def send(server: Server, first: int, count: int, start_us: int) -> None:
    words = (server.url, str(first), str(count), str(CONNECTIONS), str(start_us))
    command = (sys.executable, "-m", "tests.perf.many_traces", *words)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdout.readline()  # everything is made
        cpu, began = server.cpu(), time.perf_counter()
        sender.stdin.write("\n")
        sender.stdin.flush()
        if odd := json.loads(sender.stdout.readline())["odd"]:
            raise SystemExit(f"{server.name} answered {odd[0]} to {len(odd)} POSTs")
        last = f"/api/v2/trace/{trace_id(first + count - 1)}"
        _until(lambda: len(json.loads(server.get(last))) >= SPANS, STORED_WITHIN_S)
        took = time.perf_counter() - began
        server.took_s, server.cpu_s = server.took_s + took, server.cpu_s + server.cpu() - cpu
        server.first_s = server.first_s or took


def questions(traces: int, start_us: int) -> list[tuple[str, str]]:
    """Name and path of what is asked, ten traces each where nothing else is said."""
    end = start_us // 1000 + traces + 60_000
    window = f"endTs={end}&lookback={end}"
    search = f"/api/v2/traces?{window}&serviceName=producer"
    return [
        ("a trace by its id", f"/api/v2/trace/{trace_id(traces // 2)}"),
        ("names of services", "/api/v2/services"),
        ("names of spans", "/api/v2/spans?serviceName=producer"),
        ("by service", search),
        ("by service and span", f"{search}&spanName=emit%20greeting"),
        ("by a tag 1 in 1,000 has", f"{search}&annotationQuery=error"),
        ("by a tag that one has", f"{search}&annotationQuery=toolkit.message%3Dmessage-{traces // 3}"),
        ("by a tag that none has", f"{search}&annotationQuery=toolkit.message%3Dnone"),
        ("by duration, common", f"{search}&minDuration=3000"),
        ("by duration, rare", f"{search}&minDuration=200000"),
        ("dependencies", f"/api/v2/dependencies?{window}"),
    ]


def ask(server: Server, path: str) -> float:
    """Seconds."""
    took = []
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        try:
            server.get(path)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{server.name} answered {error.code} to {path}") from error
        took.append(time.perf_counter() - began)
        if took[0] > 2:  # dependencies over everything: once is enough
            break
    return statistics.median(took)


def report(servers: Sequence[Server], spans: int) -> list[str]:
    sent = spans // SPANS * SPANS
    lines = [f"{sent:,} spans, {SPANS} a trace, in POSTs of {TOGETHER} and {2 * TOGETHER}, {CONNECTIONS} connections"]
    lines.append(f"  {'':<22}{'spans/s':>10}{'CPU µs/span':>13}{'resident MiB':>14}")
    for each in servers:
        rate, cpu = sent / each.took_s, each.cpu_s / sent * 1e6
        lines.append(f"  {each.name:<22}{rate:>10,.0f}{cpu:>13.1f}{each.resident_mib():>14,.0f}")
    if len(servers) == 2:
        theirs, own = servers
        lines.append(
            f"  {'ours / Zipkin':<22}{theirs.took_s / own.took_s:>10.2f}{own.cpu_s / theirs.cpu_s:>13.2f}"
            f"{own.resident_mib() / theirs.resident_mib():>14.2f}"
        )
    return [*lines, *_answers(servers)]


def _answers(servers: Sequence[Server]) -> Iterator[str]:
    few, many = (f(count for count, _ in servers[0].times) for f in (min, max))
    columns = [(server, count) for server in servers for count in (few, many)]
    yield (
        f"  {'milliseconds':<26}"
        + "".join(f"{server.name.split()[0]} at {count * SPANS // 1000:,}k".rjust(18) for server, count in columns)
        + "ours, grown".rjust(14)
    )
    own = servers[-1]
    for name in dict.fromkeys(name for _, name in own.times):
        cells = "".join(f"{server.times[count, name] * 1000:>18.1f}" for server, count in columns)
        yield f"  {name:<26}{cells}{own.times[many, name] / own.times[few, name]:>13.1f}x"


if __name__ == "__main__":
    main(sys.argv[1:])
