"""Real servers, collectors and processes for the scaffold's tests: everything on loopback, nothing patched."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from toolkit import contract
from toolkit.contract import Outgoing, Receipt, Tracing, Wiring
from toolkit.sdk import methods
from toolkit.sdk.arrival import Arrival, Received
from toolkit.sdk.channels import Channels
from toolkit.sdk.events import EventServer
from toolkit.sdk.function import Function, Handler
from toolkit.sdk.handling import Surroundings
from toolkit.sdk.message import Message
from toolkit.sdk.recorder import Recorder
from toolkit.sdk.server import GrpcServer
from toolkit.sdk.sink import Sink
from toolkit.sdk.tracing import Tracing as Tracer

CONSUME = "prodcon.ProducerConsumer/ConsumeByte"
CONSUME_STREAM = "prodcon.ProducerConsumer/ConsumeStream"


@dataclass
class Kept:
    """A collector of receipts that is a list."""

    receipts: list[Receipt] = field(default_factory=list)

    async def write(self, receipt: Receipt) -> None:
        self.receipts.append(Receipt.decode(receipt.encode()))


class Zipkin:
    """A real HTTP server that takes spans; `status`, `headers` and `answer` are what it says."""

    def __init__(self, status: int = 202) -> None:
        self.status, self.spans, self.posts = status, list[dict[str, Any]](), 0
        self.headers, self.answer = dict[str, str](), b""
        self.asked: list[tuple[str, Mapping[str, str], bytes]] = []  # path, headers and body of each POST
        self.connections = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                outer.posts += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, dict(self.headers), body))
                if outer.status == 202 and body.startswith(b"["):
                    outer.spans += json.loads(body)
                self.send_response(outer.status)
                for header in {**outer.headers, "Content-Length": str(len(outer.answer))}.items():
                    self.send_header(*header)
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's word
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/v2/spans"

    @property
    def body(self) -> bytes:
        """All that came, as one list."""
        return json.dumps(self.spans).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def span(self, **wanted: str) -> dict[str, Any]:
        """The one span with these fields (`service` for the local endpoint's)."""
        found = [each for each in self.spans if all(_field(each, name) == value for name, value in wanted.items())]
        assert len(found) == 1, (wanted, self.spans)
        return found[0]


def _field(span: dict[str, Any], name: str) -> Any:
    return span["localEndpoint"]["serviceName"] if name == "service" else span.get(name)


class ReceiptLines:
    """A real TCP collector; `lines` grow as they arrive, `ended` counts the connections that ended."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.ended = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def receipts(self) -> list[Receipt]:
        return [Receipt.decode(line) for line in list(self.lines)]

    def close(self) -> None:
        self._listener.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as stream:
            for line in stream:
                self.lines.append(line)
        self.ended += 1


def wiring(function: str = "f", **fields: Any) -> Wiring:
    return Wiring(**{"chain": "c", "function": function, "run": "r", "handler": "m:f", **fields})


def to(name: str, address: str, method: str = CONSUME, **fields: Any) -> Outgoing:
    return Outgoing(name, "call", method=method, address=address, **fields)


def event(type: str, to: str = "other", **fields: Any) -> Outgoing:  # noqa: A002 - the event's word
    return Outgoing(to, "event", type=type, **fields)


def function(
    handler: Handler,
    wired: Wiring,
    kept: Kept | None = None,
    *,
    sink: str | None = None,
    overrides: Mapping[str, str] | None = None,
    tracer: Tracer | None = None,
) -> Function:
    around = Surroundings(wired, "replica", tracer or Tracer(), Channels(), Sink(sink, overrides or {}))
    return Function(handler, around, kept or Kept())


def tracer(zipkin: Zipkin, service: str, sample: float = 1.0, **attributes: str) -> Tracer:
    return Tracer(sample, Recorder(Tracing(zipkin.endpoint, sample, attributes), service, nesting=False))


def arrival(request: Any = None, **fields: Any) -> Arrival:
    raw = fields.pop("raw", b"")
    given = {"via": "entry", "call": "call-1", "message": "call-1", "sender": "caller", "metadata": b"{}", **fields}
    return Arrival(request=request, received=Received(raw), **given)


@contextlib.asynccontextmanager
async def serving(made: Function) -> AsyncIterator[str]:
    """`made` behind a real gRPC server; its target."""
    server = GrpcServer(made, "127.0.0.1", 0)
    await server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop(0)
        await _close(made)


@contextlib.asynccontextmanager
async def consuming(made: Function) -> AsyncIterator[str]:
    """`made` behind a real event server; its URL."""
    server = EventServer(made)
    port = await server.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop(0)
        await _close(made)


async def _close(made: Function) -> None:
    await made.around.calls.close()  # type: ignore[attr-defined]  # Channels, here
    await made.around.sink.close()  # type: ignore[attr-defined]  # Sink, here
    await asyncio.to_thread(made.around.tracing.close, 5.0)
    made.close()


async def raw_call(
    target: str,
    method: str,
    request: bytes,
    *,
    timeout_s: float | None = 10,
    metadata: Sequence[tuple[str, str | bytes]] = (),
) -> bytes:
    """What a plain client sends: bytes nobody of us encoded."""
    async with grpc.aio.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as channel:
        call: Any = channel.unary_unary("/" + method)
        return bytes(await call(request, timeout=timeout_s, metadata=tuple(metadata), wait_for_ready=True))


async def failing_call(target: str, method: str, request: bytes, **more: Any) -> grpc.aio.AioRpcError:
    try:
        await raw_call(target, method, request, **more)
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call went through")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], within: float = 20.0) -> Any:
    """Waits for a condition with a deadline; what it gave."""
    ends = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < ends, f"not within {within} s"
        time.sleep(0.005)
    return found


async def until_async(condition: Callable[[], Any], within: float = 20.0) -> Any:
    return await asyncio.to_thread(until, condition, within)


@dataclass
class Process:
    """A real function's process, and where it listens."""

    popen: subprocess.Popen[bytes]
    log: Path
    port: int

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def lines(self) -> str:
        return self.log.read_text()

    def ready(self) -> Process:
        until(lambda: "serving" in self.lines() or self.popen.poll() is not None)
        assert self.popen.poll() is None, self.lines()
        return self


@contextlib.contextmanager
def processes(folder: Path) -> Iterator[Callable[..., Process]]:
    """Starts processes of functions; those that still run at the end are killed."""
    started: list[Process] = []

    def start(
        wired: Wiring | str | None, *, port: int | str | None = None, python: Sequence[str] = (), **env: str
    ) -> Process:
        log = folder / f"{len(started)}.log"
        port = free_port() if port is None else port
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith(("TOOLKIT_", "K_", "OTEL_"))
        }
        variables |= {contract.HOST: "127.0.0.1", contract.PORT: str(port), **env}
        if wired is not None:
            variables[contract.WIRING] = wired if isinstance(wired, str) else wired.encode()
        with log.open("wb") as stderr:
            popen = subprocess.Popen(
                [sys.executable, *python, "-m", "toolkit.sdk"], env=variables, stderr=stderr, stdin=subprocess.DEVNULL
            )
        started.append(Process(popen, log, int(port) if str(port).isdecimal() else 0))
        return started[-1]

    try:
        yield start
    finally:
        for each in started:
            if each.popen.poll() is None:
                each.popen.kill()
            each.popen.wait()


class Callee:
    """The client side of call edges, answered here: `answer` gets the called function and the message."""

    def __init__(self, answer: Callable[[str, Message], Any]) -> None:
        self._answer, self._link = answer, methods.find(contract.GENERIC_METHOD)
        self.asked: list[tuple[str, dict[str, Any], float]] = []  # the function, metadata, and seconds allowed
        self.under_way = self.most_under_way = 0

    async def call(self, to: str, address: str, path: str, request: bytes, metadata: Any, timeout_s: float) -> bytes:
        self.asked.append((to, dict(metadata), timeout_s))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            found = self._answer(to, self._link.request.parse(request))
            return self._link.reply.serialize(await found if inspect.isawaitable(found) else found)
        finally:
            self.under_way -= 1

    async def stream(self, to: str, address: str, path: str, requests: Any, metadata: Any, timeout_s: float) -> bytes:
        return await self.call(to, address, path, b"".join([each async for each in requests]), metadata, timeout_s)


def calling(handler: Handler, answer: Callable[[str, Message], Any], *outgoing: Outgoing, **fields: Any) -> Called:
    """A function whose calls `answer` answers."""
    kept, callee = Kept(), Callee(answer)
    wired = wiring("f", outgoing=outgoing, **fields)
    return Called(
        Function(handler, Surroundings(wired, "replica", Tracer(), callee, Sink(None, {})), kept), callee, kept
    )


@dataclass
class Called:
    made: Function
    callee: Callee
    kept: Kept

    async def run(self, come: Arrival | None = None) -> Any:
        return await self.made.handle(come or arrival(), lambda _, value: value)


def link(name: str, **fields: Any) -> Outgoing:
    """A generic call edge."""
    return to(name, f"{name}:80", contract.GENERIC_METHOD, **fields)
