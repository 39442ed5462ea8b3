"""What is true of one real server has to be true of all of them."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.unit.load import servers
from tests.unit.load.far_side import METHOD, Address
from tests.unit.sdk.scaffold import free_port
from toolkit.load import link
from toolkit.load.client import SECOND, Client
from toolkit.load.http2 import grpc, headers
from toolkit.load.http2.stream import Ended
from toolkit.stubs.helloworld_pb2 import HelloRequest

pytestmark = pytest.mark.timeout(700)  # the first time, programs are built from modules and fetched
Server = Callable[[], contextlib.AbstractContextManager[Address]]
EACH = pytest.mark.parametrize("server", [servers.grpcio, servers.go, servers.envoy])
FEW = pytest.mark.parametrize("server", [lambda: servers.go(servers.FEW), lambda: servers.envoy(servers.FEW)])
WITHIN_NS = 30 * SECOND


@contextlib.contextmanager
def client(address: Address, connections: int = 1) -> Iterator[Client]:
    found = Client(address, connections)
    try:
        assert found.dial() is None
        yield found
    finally:
        found.close()


def request(name: str) -> bytes:
    """An echo's answer is the same bytes: the name is the first field of both messages."""
    return HelloRequest(name=name).SerializeToString()


def head(address: Address, method: str = METHOD, more: int = 0) -> bytes:
    fields = [(b"x-more", b"a" * more)] if more else []
    return headers.encode(grpc.request_headers(method, f"{address[0]}:{address[1]}", fields))


def ends(of: Client, names: list[str], block: bytes, at_once: int = 100) -> list[Ended]:
    """Sends a call for each name, so many under way, and returns what became of them; each ends once."""
    found: list[Ended] = []
    sent, until = 0, time.monotonic_ns() + WITHIN_NS
    while len(found) < len(names) and time.monotonic_ns() < until:
        while sent < len(names) and of.in_flight < at_once:
            of.submit(sent, block, grpc.message(request(names[sent])), until)
            sent += 1
        found += of.step(time.monotonic_ns() + SECOND // 10)
    assert sorted(each.token for each in found) == list(range(len(names)))
    return sorted(found)


def outcomes(found: list[Ended]) -> Counter[tuple[str, str]]:
    return Counter((each.status, each.message) for each in found)


@EACH
def test_every_call_gets_its_own_answer(server: Server) -> None:
    names = [f"number {number}" for number in range(1000)]
    with server() as address, client(address, 3) as to:
        found = ends(to, names, head(address))
    assert outcomes(found) == {("OK", ""): 1000}
    assert [each.reply for each in found] == list(map(request, names))


@EACH
def test_answers_may_be_read_three_bytes_at_a_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "READ", 3)
    names = [f"number {number}" for number in range(100)]
    with server() as address, client(address) as to:
        found = ends(to, names, head(address))
    assert [each.reply for each in found] == list(map(request, names))


@EACH
def test_messages_that_no_window_holds_go_there_and_back(server: Server) -> None:
    names = [letter * 1_000_000 for letter in "abcdef"]
    with server() as address, client(address) as to:
        found = ends(to, names, head(address))
    assert [(each.status, each.reply == request(name)) for each, name in zip(found, names, strict=True)] == [
        ("OK", True)
    ] * 6


@EACH
def test_a_method_that_is_not_there_is_unimplemented(server: Server) -> None:
    with server() as address, client(address) as to:
        (found,) = ends(to, ["x"], head(address, "/helloworld.Greeter/Shout"))
    assert (found.status, found.reply) == ("UNIMPLEMENTED", None)
    assert found.message


@EACH
def test_headers_in_several_frames_are_understood(server: Server) -> None:
    """What is larger than a frame goes on in CONTINUATION frames; who takes no headers of that size says so."""
    with server() as address, client(address) as to:
        (first,) = ends(to, ["x"], head(address, more=20_000))
        (second,) = ends(to, ["x"], head(address))
    assert first.status in ("OK", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "UNAVAILABLE")
    assert second.status == "OK", "the connection, or another one, goes on"


@FEW
def test_a_server_that_takes_few_calls_at_once_gets_all_of_them(server: Server) -> None:
    with server() as address, client(address, 2) as to:
        found = ends(to, ["x"] * 300, head(address))
    assert outcomes(found) == {("OK", ""): 300}


def test_a_proxy_that_says_goodbye_again_and_again_costs_no_call() -> None:
    """Envoy drains a connection after some requests: GOAWAY, while calls are under way."""
    with servers.envoy() as address, client(address, 2) as to:
        found = ends(to, ["x"] * (servers.SOME * 20), head(address), at_once=10)
    assert outcomes(found) == {("OK", ""): servers.SOME * 20}


def test_a_proxy_whose_server_is_gone_tells_so() -> None:
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(servers.envoy(behind=(servers.HOST, free_port())))
        to = stack.enter_context(client(address))
        (found,) = ends(to, ["x"], head(address))
    assert found.status == "UNAVAILABLE"
    assert "upstream" in found.message
