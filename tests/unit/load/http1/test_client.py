from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.unit.load.http1.far_side import EMPTY, Address, Peer, Script, echoing, scripted
from tests.unit.load.meeting import ends, statuses
from toolkit.load.http1.client import SECOND, Client
from toolkit.load.http2.stream import Ended

LONG_NS = 20 * SECOND
HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


@contextlib.contextmanager
def client(address: Address, most: int = 1, method: str = "POST", *, first: int = 1) -> Iterator[Client]:
    found = Client(address, method, first=first, most=most)
    try:
        yield found
    finally:
        found.close()


def calls(to: Client, count: int, *, body: bytes = b"hello", within_ns: int = LONG_NS) -> list[Ended]:
    """Sends that many at once and waits for what becomes of each."""
    deadline = time.monotonic_ns() + within_ns
    for token in range(count):
        to.submit(token, HEAD % len(body), body, deadline)
    return ends(to, count)


def live(peer: Peer) -> None:
    for _ in peer.requests():
        peer.send(EMPTY)


def hanging(until: threading.Event) -> Script:
    def hang(peer: Peer) -> None:
        until.wait(10)

    return hang


@pytest.mark.parametrize("most", [1, 3, 100])
def test_calls_to_a_real_server_come_back_with_their_own_answers(most: int) -> None:
    with echoing() as (address, _), client(address, most) as to:
        assert to.dial() is None
        until = time.monotonic_ns() + LONG_NS
        for token in range(300):
            body = b"%d" % token
            to.submit(token, HEAD % len(body), body, until)
        found = {each.token: each.reply for each in ends(to, 300)}
    assert found == {token: b"%d" % token for token in range(300)}


def test_bodies_larger_than_every_buffer_go_there_and_back() -> None:
    with echoing() as (address, _), client(address, 3) as to:
        found = calls(to, 6, body=bytes(3_000_000))
    assert [(each.status, len(each.reply or b"")) for each in found] == [("OK", 3_000_000)] * 6


def test_there_are_never_more_connections_than_allowed_and_all_are_used() -> None:
    opened: Counter[str] = Counter()
    ports: list[str] = []

    def count(peer: Peer) -> None:
        name = str(peer.socket.getpeername()[1])
        ports.append(name)
        for _ in peer.requests():
            opened[name] += 1
            peer.send(EMPTY)

    with scripted(count) as address, client(address, 4, first=4) as to:
        assert to.dial() is None
        assert statuses(calls(to, 200)) == {"OK": 200}
    assert len(ports) == 4
    assert sum(opened.values()) == 200
    assert min(opened.values()) > 10


def test_a_server_that_closes_after_each_answer_gets_a_new_connection_for_each_call() -> None:
    def once(peer: Peer) -> None:
        next(peer.requests())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with scripted(once) as address, client(address, 2) as to:
        assert statuses(calls(to, 50)) == {"OK": 50}


def test_a_call_without_an_answer_ends_at_its_deadline_and_the_others_go_on() -> None:
    shut = threading.Event()

    def deaf(peer: Peer) -> None:
        next(peer.requests())
        shut.wait(10)

    with scripted(deaf, live) as address, client(address, 2) as to:
        assert to.dial() is None
        began = time.monotonic_ns()
        to.submit(0, HEAD % 0, b"", began + SECOND // 5)
        for token in range(1, 20):
            to.submit(token, HEAD % 0, b"", began + LONG_NS)
        found = ends(to, 20)
        shut.set()
    assert statuses(found) == {"OK": 19, "DEADLINE_EXCEEDED": 1}
    late = next(each for each in found if each.status != "OK")
    assert late.token == 0
    assert late.done_ns - began >= SECOND // 5


def test_calls_that_wait_for_a_connection_end_at_their_deadline_too() -> None:
    shut = threading.Event()
    with scripted(hanging(shut)) as address, client(address) as to:
        found = calls(to, 10, within_ns=SECOND // 5)
        shut.set()
    assert statuses(found) == {"DEADLINE_EXCEEDED": 10}


def test_a_place_where_nobody_listens_fails_every_call_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    with client(address, 5) as to:
        found = calls(to, 3)
    assert statuses(found) == {"UNAVAILABLE": 3}
    assert found[0].message == "Connection refused"


def test_a_name_that_nobody_has_is_told() -> None:
    with client(("nobody.invalid", 80)) as to:
        (found,) = calls(to, 1)
    assert found.status == "UNAVAILABLE"
    assert found.message != ""


def test_a_server_that_dies_takes_its_calls_along_and_one_that_comes_back_is_found() -> None:
    def die(peer: Peer) -> None:
        for _ in zip(range(3), peer.requests(), strict=False):
            pass

    def leave(peer: Peer) -> None:
        next(peer.requests())

    with scripted(leave, leave, live) as address, client(address, 1) as to:
        found = calls(to, 10)
    assert statuses(found) == {"UNAVAILABLE": 2, "OK": 8}
    assert {each.message for each in found if each.status != "OK"} == {"the server closed the connection"}


def test_a_reset_ends_the_call_that_it_meets() -> None:
    def reset(peer: Peer) -> None:
        next(peer.requests())
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with scripted(reset, live) as address, client(address) as to:
        found = calls(to, 10)
    assert statuses(found) == {"UNAVAILABLE": 1, "OK": 9}
    assert next(each.message for each in found if each.status != "OK") == "Connection reset by peer"


def test_a_get_over_a_connection_that_was_closed_meanwhile_is_sent_once_more() -> None:
    def one(peer: Peer) -> None:
        requests = peer.requests()
        next(requests)
        peer.send(EMPTY)
        next(requests, None)  # or nothing more comes

    with scripted(one, live) as address, client(address, method="GET") as to:
        until = time.monotonic_ns() + LONG_NS
        for token in range(5):
            to.submit(token, GET, b"", until)
        assert statuses(ends(to, 5)) == {"OK": 5}


def test_a_get_finds_a_living_connection_among_many_that_were_closed_meanwhile() -> None:
    dead = threading.Barrier(4)

    def one(peer: Peer) -> None:
        requests = peer.requests()
        next(requests)
        dead.wait(10)
        peer.send(EMPTY)
        next(requests, None)  # or nothing more comes

    with scripted(one, one, one, one, live) as address, client(address, 4, "GET", first=4) as to:
        assert to.dial() is None
        until = time.monotonic_ns() + LONG_NS
        for token in range(30):
            to.submit(token, GET, b"", until)
        assert statuses(ends(to, 30)) == {"OK": 30}


def test_an_idle_connection_that_the_server_has_closed_is_no_callers_loss() -> None:
    closed = threading.Event()

    def one(peer: Peer) -> None:
        next(peer.requests())
        peer.send(EMPTY)
        peer.socket.shutdown(socket.SHUT_RDWR)
        closed.set()

    with scripted(one, live) as address, client(address) as to:
        to.submit(0, HEAD % 0, b"", time.monotonic_ns() + LONG_NS)
        assert statuses(ends(to, 1)) == {"OK": 1}
        assert closed.wait(10)
        to.step(time.monotonic_ns() + SECOND // 50)  # longer than after which a connection is looked at
        to.submit(0, HEAD % 0, b"", time.monotonic_ns() + LONG_NS)
        assert statuses(ends(to, 1)) == {"OK": 1}


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"\xff" * 64, "INTERNAL"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "INTERNAL"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "UNAVAILABLE"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX", "INTERNAL"),
        (b"", "UNAVAILABLE"),
    ],
)
def test_garbage_in_the_middle_of_a_load_fails_one_call_and_the_next_connection_serves(
    garbage: bytes, status: str
) -> None:
    def garble(peer: Peer) -> None:
        for count, _ in enumerate(peer.requests(), 1):
            if count == 4:
                peer.send(garbage)
                return
            peer.send(EMPTY)

    with scripted(garble, live) as address, client(address) as to:
        assert statuses(calls(to, 10)) == {"OK": 9, status: 1}


def test_an_answer_that_comes_byte_by_byte_is_whole() -> None:
    def slow(peer: Peer) -> None:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in peer.requests():
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":
                peer.send(bytes((byte,)))

    with scripted(slow) as address, client(address) as to:
        found = calls(to, 5)
    assert [(each.status, each.reply) for each in found] == [("OK", b"hello")] * 5
    assert all(each.first_ns is not None and each.first_ns <= each.done_ns for each in found)


def test_the_first_byte_of_an_answer_is_not_its_last() -> None:
    begun, read = threading.Event(), threading.Event()

    def in_two(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
            begun.set()
            read.wait(20)
            peer.send(b"llo")

    with scripted(in_two) as address, client(address) as to:
        to.submit(0, HEAD % 5, b"hello", time.monotonic_ns() + LONG_NS)
        while not begun.is_set():
            assert to.step(time.monotonic_ns() + SECOND // 100) == []
        assert to.step(time.monotonic_ns() + SECOND // 100) == [], "what had come by then has been read"
        read.set()
        (found,) = ends(to, 1)
    assert (found.status, found.reply) == ("OK", b"hello")
    assert found.first_ns is not None
    assert found.first_ns < found.done_ns


def test_a_server_that_reads_nothing_holds_up_nobody_but_its_own_calls() -> None:
    shut = threading.Event()
    with scripted(hanging(shut), live) as address, client(address, 2) as to:
        found = calls(to, 30, body=bytes(10_000_000), within_ns=3 * SECOND)
        shut.set()
    assert statuses(found)["DEADLINE_EXCEEDED"] >= 1
    assert set(statuses(found)) <= {"DEADLINE_EXCEEDED", "OK"}


def test_a_refusal_before_the_body_was_read_is_the_answer() -> None:
    def refuse(peer: Peer) -> None:
        peer.socket.recv(1000)
        peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with scripted(refuse) as address, client(address) as to:
        (found,) = calls(to, 1, body=bytes(20_000_000))
    assert found.status == "HTTP 413"


def test_a_half_closed_connection_is_a_closed_one() -> None:
    shut = threading.Event()

    def half(peer: Peer) -> None:
        next(peer.requests())
        peer.socket.shutdown(socket.SHUT_WR)
        shut.wait(10)

    with scripted(half, live) as address, client(address) as to:
        found = calls(to, 5)
        shut.set()
    assert statuses(found) == {"UNAVAILABLE": 1, "OK": 4}


def test_who_gives_up_gets_every_call_back() -> None:
    shut = threading.Event()
    with scripted(hanging(shut)) as address, client(address, 2) as to:
        assert to.dial() is None
        for token in range(5):
            to.submit(token, HEAD % 0, b"", time.monotonic_ns() + LONG_NS)
        to.step(time.monotonic_ns())
        found = to.give_up("LOST", "stopped")
        shut.set()
    assert sorted((each.token, each.status) for each in found) == [(token, "LOST") for token in range(5)]
    assert to.in_flight == 0
