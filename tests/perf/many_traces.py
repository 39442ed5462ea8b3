"""Many traces as a cluster sends them: 12 spans each, from nine exporters, each in POSTs of its own, and a lean sender.

May live here: what is sent to a trace store to measure it, and the sending. A trace is a call, a call behind it, and
an event through broker, dispatcher, filter, activator and queue-proxy, with the tags that those parts write.
`python -m tests.perf.many_traces URL FIRST COUNT CONNECTIONS` sends, and prints one line of JSON.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

SPANS = 12  # a trace
TOGETHER = 250  # traces whose spans an exporter sends in one POST: 250 or 500 spans
STEP_US = 1_000  # between the starts of two traces
SLOW_EVERY, FAILED_EVERY = 10_007, 1_009  # traces, so that a few are worth searching for

_CLUSTER = (
    '"k8s.namespace.name":"knative-eventing","k8s.pod.name":"{pod}","otel.scope.name":"{scope}",'
    '"service.version":"unknown","telemetry.sdk.language":"go","telemetry.sdk.name":"opentelemetry",'
    '"telemetry.sdk.version":"1.44.0"'
)
_HTTP = (
    '"http.request.method":"POST","http.response.status_code":"202","network.peer.address":"10.244.0.%(host)d",'
    '"network.peer.port":"%(port)d","network.protocol.version":"1.1","server.address":"{server}",'
    '"url.path":"/default/default","url.scheme":"http"'
)
_OURS = (
    '"payload.size":"1024"%(error)s,"toolkit.call":"%(call)s","toolkit.message":"%(message)s","toolkit.replica":"4c75"'
)


@dataclass(frozen=True)
class Part:
    """One span of every trace: its number, its parent's, and what it says. Times are microseconds after the start."""

    number: int
    parent: int
    exporter: str
    kind: str
    name: str
    remote: str
    after: int
    lasts: int
    tags: str


def _go(pod: str, scope: str, server: str) -> str:
    return f"{_HTTP.format(server=server)},{_CLUSTER.format(pod=pod, scope=scope)}"


_INGRESS = _go("mt-broker-ingress-6bdcb9d649", "knative.dev/pkg/broker/ingress", "broker-ingress")
_CHANNEL = _go("imc-dispatcher-7c98c7", "otelhttp", "imc-dispatcher")
_FILTER = _go("mt-broker-filter-5d9fb", "knative.dev/pkg/broker/filter", "broker-filter")
_ACTIVATOR = _go("activator-8d8df5d5", "knative.dev/serving/pkg/activator", "consumer")
_QUEUE = _go("consumer-00001-deployment", "knative.dev/serving/pkg/queue", "consumer")
_GRPC = '"rpc.grpc.status_code":"0",'
PARTS = (
    Part(1, 0, "caller", "CLIENT", "helloworld.greeter/sayhello", "producer", 0, 9000, _OURS),
    Part(2, 1, "producer", "SERVER", "helloworld.greeter/sayhello", "caller", 100, 8500, _GRPC + _OURS),
    Part(3, 2, "producer", "CLIENT", "stock.stock/reserve", "stock", 200, 3000, _OURS),
    Part(4, 3, "stock", "SERVER", "stock.stock/reserve", "producer", 300, 2500, _GRPC + _OURS),
    Part(5, 2, "producer", "PRODUCER", "emit greeting", "broker", 3300, 5000, _OURS),
    Part(6, 5, "broker.ingress", "SERVER", "post /default/default", "producer", 3400, 4500, _INGRESS),
    Part(7, 6, "broker.ingress", "CLIENT", "post", "inmemorychannel-dispatcher", 3500, 4000, _INGRESS),
    Part(8, 7, "inmemorychannel-dispatcher", "SERVER", "post", "broker.ingress", 3600, 3800, _CHANNEL),
    Part(9, 8, "broker.filter", "CLIENT", "trigger:greeting.default", "activator", 3800, 3000, _FILTER),
    Part(10, 9, "activator", "SERVER", "proxy", "broker.filter", 3900, 2800, _ACTIVATOR),
    Part(11, 10, "consumer-queue", "SERVER", "kn.queueproxy.proxy", "activator", 4000, 2600, _QUEUE),
    Part(12, 11, "consumer", "CONSUMER", "greeting", "broker", 4200, 2000, _OURS),
)


def _template(part: Part) -> str:
    parent = f'"parentId":"%(id{part.parent})s",' if part.parent else ""
    return (
        f'{{"traceId":"%(trace)s",{parent}"id":"%(id{part.number})s","kind":"{part.kind}","name":"{part.name}",'
        f'"timestamp":%(at{part.number})d,"duration":%(took{part.number})d,'
        f'"localEndpoint":{{"serviceName":"{part.exporter}","ipv4":"10.0.0.%(host)d"}},'
        f'"remoteEndpoint":{{"serviceName":"{part.remote}"}},"tags":{{{part.tags}}}}}'
    )


_TEMPLATES = {
    exporter: ",".join(_template(part) for part in PARTS if part.exporter == exporter)
    for exporter in dict.fromkeys(part.exporter for part in PARTS)
}


def trace_id(number: int) -> str:
    return f"{random.Random(number).getrandbits(128) | 1 << 127:032x}"


def bodies(first: int, count: int, start_us: int) -> Iterator[bytes]:
    """POSTs with the traces `first` to `first + count`, of which the first of all began at `start_us`."""
    for begin in range(first, first + count, TOGETHER):
        traces = [_fields(number, start_us) for number in range(begin, min(begin + TOGETHER, first + count))]
        for template in _TEMPLATES.values():
            yield f"[{','.join([template % fields for fields in traces])}]".encode()


def _fields(number: int, start_us: int) -> dict[str, object]:
    draw = random.Random(number)
    slow = 50 if number % SLOW_EVERY == 0 else 1
    fields: dict[str, object] = {
        "trace": f"{draw.getrandbits(128) | 1 << 127:032x}",
        "call": f"{draw.getrandbits(128):032x}",
        "message": f"message-{number}",
        "error": ',"error":"deadline exceeded"' if number % FAILED_EVERY == 0 else "",
        "host": number % 200,
        "port": 10_000 + number % 50_000,
    }
    spread = 500 + draw.getrandbits(10)
    ids = draw.getrandbits(60) << 4
    for part in PARTS:
        fields[f"id{part.number}"] = f"{ids + part.number:016x}"
        fields[f"at{part.number}"] = start_us + number * STEP_US + part.after
        fields[f"took{part.number}"] = part.lasts * slow * spread // 1000
    return fields


class Sending:
    """POSTs bodies over one connection, one after the other."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"POST /api/v2/spans HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"

    def post(self, body: bytes) -> int:
        """The answer's status."""
        head = f"{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            if not (read := self._socket.recv(65536)):
                raise ConnectionError("the store closed the connection")
            answer += read
        return int(answer.split(b" ", 2)[1])

    def close(self) -> None:
        self._socket.close()


def send(host: str, port: int, made: list[bytes], connections: int) -> tuple[float, list[int]]:
    """Seconds until all were answered, and the statuses that were not 202."""
    waiting, odd = iter(made), []
    lock = threading.Lock()

    def work() -> None:
        sending = Sending(host, port)
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                break
            if (status := sending.post(body)) != 202:
                odd.append(status)
        sending.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, odd


def main(words: list[str]) -> None:
    host, _, port = words[0].removeprefix("http://").partition(":")
    first, count, connections, start_us = map(int, words[1:])
    made = list(bodies(first, count, start_us))
    print(json.dumps({"ready": len(made), "bytes": sum(map(len, made))}), flush=True)
    sys.stdin.readline()
    took_s, odd = send(host, int(port), made, connections)
    print(json.dumps({"took_s": took_s, "odd": odd}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
