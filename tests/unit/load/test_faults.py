"""Whatever a server does, each call ends as exactly one record, and nobody spins meanwhile."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.unit.load.far_side import Address, Peer, greeter, request, scripted
from tests.unit.load.meeting import listening, statuses
from tests.unit.sdk.scaffold import free_port
from toolkit.load import link
from toolkit.load.client import SECOND, Client
from toolkit.load.http2 import frames, headers
from toolkit.load.http2.grpc import message
from toolkit.load.http2.stream import Ended

LONG_NS = 20 * SECOND
SHORT_NS = SECOND // 2
HANG_S = 10


class Counting(Client):
    """How often it looked at its sockets: who waits looks now and then, who spins a hundred thousand times a second."""

    looks = 0

    def _look(self, sleep_s: float) -> None:
        self.looks += 1
        super()._look(sleep_s)


@contextlib.contextmanager
def client(*addresses: Address, connections: int = 1) -> Iterator[Counting]:
    found = Counting(addresses, connections)
    try:
        yield found
    finally:
        found.close()


def ends(of: Client, count: int, within_ns: int = LONG_NS, *, body: bytes = b"hello", at_once: int = 50) -> list[Ended]:
    """A closed loop of that many calls, each to end within that time; what became of each."""
    found: list[Ended] = []
    sent, give_up_ns = 0, time.monotonic_ns() + 2 * LONG_NS
    block = request(("localhost", 1))
    while len(found) < count and time.monotonic_ns() < give_up_ns:
        while sent < count and of.in_flight < at_once:
            of.submit(sent, block, message(body), time.monotonic_ns() + within_ns)
            sent += 1
        found += of.step(time.monotonic_ns() + SECOND // 10)
    assert sorted(each.token for each in found) == list(range(count)), "each call ends exactly once"
    assert of.in_flight == 0
    assert of.step(0) == []
    return found


def live(peer: Peer) -> None:
    for stream in peer.calls():
        peer.answer(stream)


def start(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.perf.echo", "bare", str(port)], stderr=subprocess.DEVNULL)


def test_a_process_that_is_killed_under_load_and_comes_back_is_used_again() -> None:
    port, found, sent = free_port(), list[Ended](), 0
    server = start(port)
    try:
        with client(("127.0.0.1", port), connections=3) as to:
            assert to.dial() is None
            block, until, killed_at = request(("127.0.0.1", port)), time.monotonic_ns() + LONG_NS, 0
            while time.monotonic_ns() < until:
                while to.in_flight < 20:
                    to.submit(sent, block, message(b""), until)
                    sent += 1
                found += (now := to.step(time.monotonic_ns() + SECOND // 20))
                if not killed_at and len(found) > 500:
                    os.kill(server.pid, signal.SIGKILL)
                    killed_at = len(found)
                if killed_at and server.poll() is not None:
                    server = start(port)
                if killed_at and any(each.status == "UNAVAILABLE" for each in found) and statuses(now)["OK"]:
                    break
                if any(each.status == "UNAVAILABLE" for each in now):  # a closed loop of failures: give it time
                    found += to.step(time.monotonic_ns() + SECOND // 20)
            while to.in_flight and time.monotonic_ns() < until:
                found += to.step(time.monotonic_ns() + SECOND // 10)
    finally:
        server.kill()
        server.wait()
    assert sorted(each.token for each in found) == list(range(sent))
    assert set(statuses(found)) == {"OK", "UNAVAILABLE"}
    assert found[-1].status == "OK"


def test_one_of_two_servers_that_dies_leaves_its_calls_to_the_other() -> None:
    with contextlib.ExitStack() as first, greeter() as second:
        address = first.enter_context(greeter())
        with client(address, second, connections=4) as to:
            assert to.dial() is None
            assert statuses(ends(to, 100)) == {"OK": 100}
            first.close()
            assert to.dial() is None
            assert statuses(ends(to, 100)) == {"OK": 100}


def test_connections_are_spread_over_the_addresses() -> None:
    asked: Counter[str] = Counter()

    def named(name: str) -> Callable[[Peer], None]:
        def serve(peer: Peer) -> None:
            for stream in peer.calls():
                asked[name] += 1
                peer.answer(stream)

        return serve

    with scripted(named("a")) as a, scripted(named("b")) as b, client(a, b, connections=4) as to:
        assert to.dial() is None
        assert statuses(ends(to, 100, at_once=1)) == {"OK": 100}
    assert asked == {"a": 50, "b": 50}


def test_connections_share_the_calls_although_some_of_them_are_full() -> None:
    """Two servers take one call at a time, the third any number: nobody gets what it has no room for."""
    most: Counter[str] = Counter()

    def few(peer: Peer) -> None:
        peer.send(frames.settings([(frames.MAX_CONCURRENT_STREAMS, 1)]))
        for stream in peer.calls():
            most["few"] += 1
            peer.answer(stream)

    def many(peer: Peer) -> None:
        for stream in peer.calls():
            most["many"] += 1
            peer.answer(stream)

    with scripted(few) as a, scripted(few) as b, scripted(many) as c, client(a, b, c, connections=3) as to:
        assert to.dial() is None
        assert statuses(ends(to, 300)) == {"OK": 300}
    assert most["few"] + most["many"] == 300
    assert most["many"] > 100
    assert most["few"] > 0


def test_an_address_where_nobody_listens_costs_no_call_when_another_one_serves() -> None:
    with greeter() as address, client(("127.0.0.1", free_port()), address, connections=2) as to:
        assert statuses(ends(to, 50)) == {"OK": 50}


def test_a_name_that_nobody_knows_fails_every_call_and_says_so() -> None:
    with client(("no-such-host.invalid", 80)) as to:
        assert "no-such-host.invalid" in (to.dial() or "")
        found = ends(to, 5)
    assert statuses(found) == {"UNAVAILABLE": 5}
    assert "no-such-host.invalid" in found[0].message


def test_goodbyes_all_the_time_cost_no_call() -> None:
    def three(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls(), 1):
            if count <= 3:
                peer.answer(stream)
            if count == 3:
                peer.send(frames.frame(frames.GOAWAY, 0, 0, stream.to_bytes(4, "big") + bytes(4)))

    with scripted(three) as address, client(address, connections=2) as to:
        assert statuses(ends(to, 200)) == {"OK": 200}


def test_a_server_that_sends_everybody_away_is_not_besieged() -> None:
    visits: list[int] = []

    def leave(peer: Peer) -> None:
        visits.append(1)
        for _ in peer.calls():
            peer.send(frames.frame(frames.GOAWAY, 0, 0, bytes(8)))

    with scripted(leave) as address, client(address) as to:
        found = ends(to, 5, SHORT_NS)
    assert statuses(found) == {"DEADLINE_EXCEEDED": 5}
    assert "times refused" in found[0].message
    assert 1 < len(visits) < 10


def test_a_connection_that_is_reset_under_load_fails_what_was_on_it() -> None:
    def reset(peer: Peer) -> None:
        for _ in zip(range(5), peer.calls(), strict=False):
            pass
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with scripted(reset, live) as address, client(address) as to:
        to.dial()
        found = ends(to, 20)
        assert statuses(found) == {"UNAVAILABLE": 20}
        assert "reset by peer" in found[0].message
        assert to.dial() is None
        assert statuses(ends(to, 20)) == {"OK": 20}


def test_a_storm_of_resets_of_every_kind_ends_each_call_once() -> None:
    draw = random.Random(7)

    def storm(peer: Peer) -> None:
        for stream in peer.calls():
            if draw.random() < 0.3:
                peer.answer(stream)
            else:
                peer.send(frames.rst_stream(stream, draw.randrange(14)))

    with scripted(storm) as address, client(address, connections=2) as to:
        found = statuses(ends(to, 500))
    assert found["OK"] > 100
    assert not found["DEADLINE_EXCEEDED"], "what was refused was sent again, and answered or reset at last"


def test_a_server_that_accepts_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "DIAL_NS", SECOND // 5)
    done = threading.Event()
    with listening(lambda connection: done.wait(HANG_S)) as address, client(address) as to:
        found = ends(to, 5)
        done.set()
    assert statuses(found) == {"UNAVAILABLE": 5}
    assert "speaks no HTTP/2, or not in time" in found[0].message
    assert to.looks < 1000


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\x00", bytes(500)])
def test_a_server_that_speaks_something_else_fails_every_call(said: bytes) -> None:
    def speak(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(said)

    with listening(speak) as address, client(address) as to:
        assert statuses(ends(to, 5, SECOND)) == {"UNAVAILABLE": 5}
        assert to.looks < 2000


def test_a_server_that_reads_a_byte_now_and_then_holds_up_its_own_calls_only() -> None:
    done = threading.Event()

    def slow(peer: Peer) -> None:
        peer.send(frames.window_update(0, 1 << 30) + frames.settings([(frames.INITIAL_WINDOW_SIZE, 1 << 30)]))
        while not done.wait(0.02):
            peer.socket.recv(1)

    with scripted(slow) as address, client(address) as to:
        to.dial()
        found = ends(to, 20, SHORT_NS, body=bytes(1_000_000))
        done.set()
    assert statuses(found) == {"DEADLINE_EXCEEDED": 20}
    assert to.looks < 2000


def test_a_server_that_opens_its_window_by_single_bytes_gets_the_whole_message() -> None:
    size = len(message(bytes(200)))

    def stingy(peer: Peer) -> None:
        peer.send(frames.settings([(frames.INITIAL_WINDOW_SIZE, 0)]))
        peer.begun()  # nobody may open the window of a stream that is not there yet (RFC 9113, 5.1)
        for _ in range(size):
            peer.send(frames.window_update(1, 1))
        live(peer)

    with scripted(stingy) as address, client(address) as to:
        to.dial()
        assert statuses(ends(to, 1, body=bytes(200))) == {"OK": 1}


def test_a_place_where_nobody_listens_is_not_asked_all_the_time() -> None:
    with client(("127.0.0.1", free_port())) as to:
        for _ in range(5):
            assert to.step(time.monotonic_ns() + SECOND // 10) == []
        assert to.looks < 1000


def test_an_idle_connection_that_the_server_closed_is_noticed_before_a_call_is_sent_on_it() -> None:
    closed = threading.Event()

    def close_when_idle(peer: Peer) -> None:
        for stream in peer.calls():
            peer.answer(stream)
            break
        peer.socket.shutdown(socket.SHUT_RDWR)
        peer.socket.close()
        closed.set()

    with scripted(close_when_idle, live) as address, client(address) as to:
        assert statuses(ends(to, 1)) == {"OK": 1}
        assert closed.wait(HANG_S)
        until = time.monotonic_ns() + 2_000_000
        while time.monotonic_ns() < until:  # nobody looks meanwhile: a thread that does something else
            pass
        assert statuses(ends(to, 1)) == {"OK": 1}


def test_a_garbled_answer_fails_its_connection_only() -> None:
    draw = random.Random(3)

    def garble(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls()):
            if count == 20:
                peer.send(b"\xff" + draw.randbytes(2000))
            peer.answer(stream)

    with scripted(garble) as address, client(address, connections=2) as to:
        found = statuses(ends(to, 300))
    assert found["OK"] > 100
    assert set(found) <= {"OK", "UNAVAILABLE", "INTERNAL", "UNKNOWN"}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_servers_do_by_turns_each_call_ends_once(seed: int) -> None:
    draw, lock = random.Random(seed), threading.Lock()

    def moody(peer: Peer) -> None:
        for stream in peer.calls():
            with lock:
                mood = draw.choice(
                    ["answer"] * 12 + ["reset", "refuse", "leave", "close", "garble", "half", "odd", "ping"]
                )
            if mood == "reset":
                peer.send(frames.rst_stream(stream, frames.INTERNAL_ERROR))
            elif mood == "refuse":
                peer.send(frames.rst_stream(stream, frames.REFUSED_STREAM))
            elif mood == "leave":
                peer.send(frames.frame(frames.GOAWAY, 0, 0, stream.to_bytes(4, "big") + bytes(4)))
                peer.answer(stream)
            elif mood == "close":
                return
            elif mood == "garble":
                peer.send(b"\xff\xff\xff\xff" * 20)
            elif mood == "half":
                peer.socket.shutdown(socket.SHUT_WR)
            elif mood == "odd":
                peer.send(frames.frame(0x7F, 0xFF, stream, b"unknown") + frames.settings([(0x77, 1)]))
                peer.answer(stream)
            else:
                peer.send(frames.frame(frames.PING, 0, 0, bytes(8)))
                peer.answer(stream)

    with scripted(moody) as a, scripted(moody) as b, client(a, b, connections=4) as to:
        found = statuses(ends(to, 400, 5 * SECOND, at_once=20))
    assert found["OK"] > 0
    assert set(found) <= {"OK", "UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED"}


def test_a_step_can_be_woken_from_another_thread() -> None:
    with client(("127.0.0.1", free_port())) as to:
        waker = threading.Timer(0.05, to.wake)
        waker.start()
        assert to.step(time.monotonic_ns() + LONG_NS) == []
        waker.join()
        to.wake()
        assert to.step(time.monotonic_ns() + LONG_NS) == [], "also when it was woken before"
        assert to.looks < 1000


def test_nobody_is_woken_once_it_is_closed() -> None:
    with client(("127.0.0.1", free_port())) as to:
        pass
    first, second = os.pipe()  # perhaps with the number that was its own
    to.wake()
    os.set_blocking(first, False)
    with pytest.raises(BlockingIOError):
        os.read(first, 100)
    os.close(first)
    os.close(second)


def test_a_step_listens_to_a_socket_of_somebody_else() -> None:
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []
    with ours, theirs, client(("127.0.0.1", free_port())) as to:
        to.watch(ours.fileno(), lambda: heard.append(ours.recv(100)))
        theirs.sendall(b"stop")
        to.step(time.monotonic_ns() + LONG_NS)
        assert heard == [b"stop"]
        to.unwatch(ours.fileno())
        theirs.sendall(b"again")
        to.step(time.monotonic_ns() + SECOND // 100)
        assert heard == [b"stop"]


def test_one_call_that_hangs_does_not_keep_what_is_known_of_all_others() -> None:
    def forget_the_first(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls()):
            if count:
                peer.answer(stream)

    with scripted(forget_the_first) as address, client(address) as to:
        block, done = request(address), 0
        for token in range(6000):
            to.submit(token, block, message(b""), time.monotonic_ns() + LONG_NS)
            while to.in_flight > 200:
                done += len(to.step(time.monotonic_ns() + SECOND))
        while to.in_flight > 1:
            done += len(to.step(time.monotonic_ns() + SECOND))
        assert done == 5999
        assert len(to._deadlines) < 4200
        assert [each.token for each in to.give_up("LOST", "the end")] == [0]


def test_an_answer_is_read_though_nothing_can_be_written() -> None:
    """A server that answers early, and reads no further: its answer counts."""
    done = threading.Event()

    def answer_unread(peer: Peer) -> None:
        peer.send(frames.window_update(0, 1 << 30) + frames.settings([(frames.INITIAL_WINDOW_SIZE, 1 << 30)]))
        peer.socket.recv(100)
        full = headers.encode([(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", b"8")])
        peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, full))
        done.wait(HANG_S)

    with scripted(answer_unread) as address, client(address) as to:
        to.dial()
        assert statuses(ends(to, 1, 5 * SECOND, body=bytes(8_000_000))) == {"RESOURCE_EXHAUSTED": 1}
        done.set()
