"""Events a second through the embedded broker: one producer, one Trigger, one consumer, each a process of its own.

`python -m tests.perf.broker_perf [SECONDS]` prints what `run` returns. Sync acknowledgement: each 202 has waited for
the consumer's answer, so the latency is that of the whole way there and back. The producer is as lean as Python allows,
so that it measures the broker rather than itself; on two cores it still shares them with the other two.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from toolkit.engines.local.broker import BrokerConfig, ServiceConfig, TriggerConfig, encode

CONNECTIONS = (1, 16)
_WARM_UP_S = 0.5
_BODY = b'{"n":1}'


def run(seconds: float) -> dict[str, Any]:
    """Figures by number of connections: events/s, p50 and p99 in microseconds, broker CPU microseconds per event."""
    consumer = _start([sys.executable, "-m", "tests.perf.broker_perf", "--consume"])
    broker = None
    try:
        url = f"http://127.0.0.1:{_line(consumer)['port']}/"
        config = ServiceConfig((BrokerConfig("perf", "broker", (TriggerConfig("trigger", (url,)),)),))
        broker = _start([sys.executable, "-m", "toolkit.engines.local.broker"])
        assert broker.stdin is not None
        broker.stdin.write(encode(config).encode() + b"\n")
        broker.stdin.flush()
        port = _line(broker)["ready"]["port"]
        return {str(count): _measure(port, broker.pid, count, seconds) for count in CONNECTIONS}
    finally:
        for process in (broker, consumer):
            if process is not None:
                process.terminate()
                process.communicate()


def _measure(port: int, pid: int, connections: int, seconds: float) -> dict[str, float]:
    drive(port, connections, _WARM_UP_S)
    cpu, start = _cpu_s(pid), time.perf_counter()
    latencies = sorted(drive(port, connections, seconds))
    took, used = time.perf_counter() - start, _cpu_s(pid) - cpu
    count = len(latencies)
    return {
        "events_per_s": round(count / took, 1),
        "p50_us": round(latencies[count // 2] * 1e6, 1),
        "p99_us": round(latencies[count * 99 // 100] * 1e6, 1),
        "broker_cpu_us_per_event": round(used / count * 1e6, 1),
    }


def drive(port: int, connections: int, seconds: float) -> list[float]:
    """Closed loop: each connection sends its next event when the last was answered; seconds for each."""
    ready = select.epoll()
    sockets: dict[int, socket.socket] = {}
    sent: dict[int, float] = {}
    latencies: list[float] = []
    number = 0
    try:
        for _ in range(connections):
            link = socket.create_connection(("127.0.0.1", port))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets[link.fileno()] = link
            ready.register(link.fileno(), select.EPOLLIN)
        for fd, link in sockets.items():
            number += 1
            sent[fd] = time.perf_counter()
            link.sendall(_event(number))
        end = time.perf_counter() + seconds
        waiting = connections
        while waiting:
            for fd, _ in ready.poll():
                answer = sockets[fd].recv(4096)
                now = time.perf_counter()
                if not answer.startswith(b"HTTP/1.1 202 ") or not answer.endswith(b"\r\n\r\n"):
                    raise AssertionError(f"the broker answered {answer[:80]!r}")
                latencies.append(now - sent[fd])
                if now >= end:
                    waiting -= 1
                    ready.unregister(fd)
                    continue
                number += 1
                sent[fd] = time.perf_counter()
                sockets[fd].sendall(_event(number))
    finally:
        ready.close()
        for link in sockets.values():
            link.close()
    return latencies


def _event(number: int) -> bytes:
    return (
        b"POST /perf/broker HTTP/1.1\r\nHost: broker\r\nce-specversion: 1.0\r\nce-type: t.perf\r\nce-source: /perf\r\n"
        b"ce-id: %d\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (number, len(_BODY), _BODY)
    )


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    root = Path(__file__).parent.parent.parent
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)


def _line(process: subprocess.Popen[bytes]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def _cpu_s(pid: int) -> float:
    """User and system time of a process, to a clock tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _consume() -> None:
    from toolkit.sdk.cloudevents import decode
    from toolkit.sdk.http1 import Request, Response, serve

    async def handle(request: Request) -> Response:
        decode(request.headers, request.body)
        return Response(200)

    server = await serve(handle, "127.0.0.1", 0)
    print(json.dumps({"port": server.port}), flush=True)
    await asyncio.Event().wait()


def main(seconds: float = 4.0) -> None:
    print("embedded broker, sync, one trigger, one consumer (a real broker on such a machine: 120/s, 241/s, 7 ms)")
    print(f"{'connections':>12}{'events/s':>11}{'p50 us':>9}{'p99 us':>9}{'broker CPU us/event':>21}")
    for connections, each in run(seconds).items():
        figures = f"{each['events_per_s']:>11.0f}{each['p50_us']:>9.0f}{each['p99_us']:>9.0f}"
        print(f"{connections:>12}{figures}{each['broker_cpu_us_per_event']:>21.0f}")


if __name__ == "__main__":
    if "--consume" in sys.argv:
        asyncio.run(_consume())
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
