from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from tests.unit.load.meeting import ends, statuses
from toolkit.load.direct import drive
from toolkit.load.http2.stream import Ended
from toolkit.load.streaming import SECOND, Kind, StreamRequest, Streams
from toolkit.load.target import Target
from toolkit.results import Load

LONG_NS = 20 * SECOND
SERVICE = "test.Streams"
Address = tuple[str, int]
CONTEXT = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"


@dataclass
class Rows:
    """Packed rows, in memory."""

    rows: list[bytes] = field(default_factory=list)

    def append(self, row: bytes) -> None:
        self.rows.append(row)

    def flush(self) -> None:
        """Nothing."""


def count(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """As many messages as the request has bytes."""
    for number in range(len(request)):
        yield b"%d" % number


def collect(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    return b",".join(requests)


def echo(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    for each in requests:
        yield each.upper()


@contextlib.contextmanager
def serving(**methods: Callable[..., Any]) -> Iterator[Address]:
    """A real server: Server, Client and Bidi are its methods."""
    given: dict[str, Callable[..., Any]] = {"Server": count, "Client": collect, "Bidi": echo, **methods}
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    handlers: dict[str, Any] = {
        "Server": grpc.unary_stream_rpc_method_handler(given["Server"]),
        "Client": grpc.stream_unary_rpc_method_handler(given["Client"]),
        "Bidi": grpc.stream_stream_rpc_method_handler(given["Bidi"]),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield "127.0.0.1", port
    finally:
        server.stop(None).wait()


def request(address: Address, kind: Kind, *messages: bytes, method: str | None = None) -> StreamRequest:
    return StreamRequest(Target(*address, f"/{SERVICE}/{method or kind.capitalize()}"), kind, messages)


@contextlib.contextmanager
def streams(of: StreamRequest, connections: int = 1) -> Iterator[Streams]:
    found = Streams(of, connections)
    try:
        yield found
    finally:
        found.close()


def calls(to: Streams, number: int, *, within_ns: int = LONG_NS) -> list[Ended]:
    deadline = time.monotonic_ns() + within_ns
    for token in range(number):
        to.submit(token, CONTEXT, b"", deadline)
    return ends(to, number)


@pytest.mark.parametrize(
    ("kind", "messages", "reply", "received"),
    [
        ("server", (b"xxxxx",), b"01234", 5),
        ("server", (b"",), b"", 0),
        ("client", (b"a", b"b", b"c"), b"a,b,c", 1),
        ("client", (), b"", 1),
        ("bidi", (b"a", b"b", b"c"), b"ABC", 3),
        ("bidi", (), b"", 0),
    ],
)
@pytest.mark.parametrize("connections", [1, 3])
def test_a_stream_of_each_kind_is_sent_and_read_to_its_end(
    kind: Kind, messages: tuple[bytes, ...], reply: bytes, received: int, connections: int
) -> None:
    with serving() as address, streams(request(address, kind, *messages), connections) as to:
        assert to.dial() is None
        found = calls(to, 30)
        assert to.received == 30 * received
    assert {(each.status, each.message, each.reply, each.messages) for each in found} == {("OK", "", reply, received)}


def test_the_first_byte_is_the_first_message_and_the_end_is_the_last() -> None:
    def dawdle(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"first"
        time.sleep(0.1)
        yield b"last"

    with serving(Server=dawdle) as address, streams(request(address, "server", b"")) as to:
        to.dial()
        (ended,) = calls(to, 1)
    assert ended.first_ns is not None
    assert ended.done_ns - ended.first_ns >= SECOND // 20  # the server waits twice as long; either stamp may be late


def test_a_load_over_streams_is_paced_and_recorded_as_any_other() -> None:
    contexts: list[str] = []

    def keep(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        contexts.append(str(dict(context.invocation_metadata())["traceparent"]))
        yield from echo(requests, context)

    rows = Rows()
    with serving(Bidi=keep) as address:
        ledger = drive(request(address, "bidi", b"ab", b"cd"), Load(requests=100, rate=200.0), rows)
    assert ledger.counts() == {"OK": 100}
    assert len(rows.rows) == 100
    assert len(set(contexts)) == 100


def test_a_failure_in_the_middle_of_a_stream_is_the_calls_status() -> None:
    def fail(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "gone: ä")

    with serving(Server=fail) as address, streams(request(address, "server", b"")) as to:
        to.dial()
        (ended,) = calls(to, 1)
    assert (ended.status, ended.message, ended.reply) == ("DATA_LOSS", "gone: ä", None)
    assert ended.first_ns is not None


def test_a_stream_that_does_not_end_ends_at_its_deadline_and_the_server_is_told() -> None:
    cancelled = threading.Event()

    def never(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(cancelled.set)
        yield b"one"
        cancelled.wait(10)

    with serving(Server=never) as address, streams(request(address, "server", b"")) as to:
        to.dial()
        began = time.monotonic_ns()
        (ended,) = calls(to, 1, within_ns=SECOND // 5)
        assert cancelled.wait(10)
    assert ended.status == "DEADLINE_EXCEEDED"
    assert ended.done_ns - began >= SECOND // 5


def test_a_method_that_nobody_serves_is_told() -> None:
    """(Of a bidi call that is refused while it writes, grpc.aio sometimes says "Internal error from Core".)"""
    with serving() as address, streams(request(address, "server", b"", method="Nothing")) as to:
        to.dial()
        found = calls(to, 20)
    assert {each.status for each in found} == {"UNIMPLEMENTED"}


def test_a_server_that_stops_ends_every_call_once() -> None:
    begun, shut = threading.Event(), threading.Event()

    def hang(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(shut.set)
        yield b"one"
        begun.set()
        shut.wait(10)

    with contextlib.ExitStack() as stack:
        server = contextlib.ExitStack()
        address = server.enter_context(serving(Server=hang))
        to = stack.enter_context(streams(request(address, "server", b"")))
        assert to.dial() is None
        deadline = time.monotonic_ns() + LONG_NS
        for token in range(6):
            to.submit(token, CONTEXT, b"", deadline)
        while not begun.is_set():
            to.step(time.monotonic_ns() + SECOND // 20)
        server.close()
        found: list[Ended] = []
        while len(found) < 6 and time.monotonic_ns() < deadline:
            found += to.step(time.monotonic_ns() + SECOND // 10)
    assert sorted(each.token for each in found) == list(range(6))
    assert set(statuses(found)) <= {"UNAVAILABLE", "CANCELLED", "UNKNOWN"}


def test_where_nobody_listens_or_speaks_it_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    with streams(request(address, "server", b"")) as to:
        assert to.dial() == "Connection refused"


def test_metadata_that_grpc_refuses_is_a_failed_call_and_no_crash() -> None:
    with serving() as address:
        of = StreamRequest(Target(*address, f"/{SERVICE}/Server"), "server", (b"x",), (("Bad Key", "x"),))
        with streams(of) as to:
            assert to.dial() is None
            (ended,) = calls(to, 1)
    assert ended.status == "INTERNAL"
    assert ended.message != ""


def test_who_gives_up_gets_every_call_back() -> None:
    shut = threading.Event()

    def hang(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(shut.set)
        shut.wait(10)
        yield b""

    with serving(Server=hang) as address, streams(request(address, "server", b"")) as to:
        assert to.dial() is None
        for token in range(5):
            to.submit(token, CONTEXT, b"", time.monotonic_ns() + LONG_NS)
        assert to.step(time.monotonic_ns() + SECOND // 20) == []
        found = to.give_up("LOST", "stopped")
    assert sorted((each.token, each.status) for each in found) == [(token, "LOST") for token in range(5)]
    assert to.in_flight == 0
