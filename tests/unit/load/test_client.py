from __future__ import annotations

import contextlib
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator

import grpc
import pytest

from tests.unit.load.far_side import OK_FIRST, Address, Peer, greeter, request, scripted
from tests.unit.load.meeting import ends, statuses
from toolkit.load import polling
from toolkit.load.client import SECOND, Client
from toolkit.load.http2 import frames
from toolkit.load.http2.grpc import message
from toolkit.load.http2.stream import Ended

LONG_NS = 20 * SECOND


@pytest.fixture(autouse=True, params=["epoll", "poll"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test with both ways to wait for sockets."""
    if request.param == "poll":
        monkeypatch.setattr(polling, "poll", polling.Portable)


@contextlib.contextmanager
def client(address: Address, connections: int = 1) -> Iterator[Client]:
    found = Client(address, connections)
    try:
        yield found
    finally:
        found.close()


def calls(to: Client, address: Address, count: int, *, body: bytes = b"hello", within_ns: int = LONG_NS) -> list[Ended]:
    """Sends that many at once and waits for what becomes of each."""
    deadline = time.monotonic_ns() + within_ns
    block = request(address)
    for token in range(count):
        to.submit(token, block, message(body), deadline)
    return ends(to, count)


def live(peer: Peer) -> None:
    for stream in peer.calls():
        peer.answer(stream)


@pytest.mark.parametrize("connections", [1, 3])
def test_calls_to_a_real_server_come_back_with_their_own_answers(connections: int) -> None:
    with greeter() as address, client(address, connections) as to:
        assert to.dial() is None
        block, until = request(address), time.monotonic_ns() + LONG_NS
        for token in range(500):
            to.submit(token, block, message(b"%d" % token), until)
        assert {each.token: each.reply for each in ends(to, 500)} == {token: b"%d" % token for token in range(500)}


def test_messages_larger_than_every_window_go_there_and_back() -> None:
    with greeter() as address, client(address) as to:
        found = calls(to, address, 4, body=bytes(3_000_000))
    assert [(each.status, len(each.reply or b"") or each.message) for each in found] == [("OK", 3_000_000)] * 4


def test_the_status_and_the_words_of_a_real_server_are_kept() -> None:
    def refuse(data: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100 % ä")
        raise AssertionError

    with greeter(refuse) as address, client(address) as to:
        (ended,) = calls(to, address, 1)
    assert (ended.status, ended.message, ended.reply) == ("FAILED_PRECONDITION", "not today: 100 % ä", None)


def test_more_calls_than_the_server_takes_at_once_wait_for_their_turn() -> None:
    with greeter(lambda data, context: data, ("grpc.max_concurrent_streams", 2)) as address, client(address) as to:
        to.dial()
        assert statuses(calls(to, address, 100)) == {"OK": 100}


def test_a_call_without_an_answer_ends_at_its_deadline_and_the_server_is_told() -> None:
    cancelled = threading.Event()

    def never(data: bytes, context: grpc.ServicerContext) -> bytes:
        context.add_callback(cancelled.set)
        cancelled.wait(10)
        return data

    with greeter(never) as address, client(address) as to:
        to.dial()
        began = time.monotonic_ns()
        (ended,) = calls(to, address, 1, within_ns=SECOND // 5)
        assert ended.status == "DEADLINE_EXCEEDED"
        assert ended.done_ns - began >= SECOND // 5
        assert cancelled.wait(10)


def test_a_place_where_nobody_listens_fails_every_call_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    with client(address) as to:
        found = calls(to, address, 3)
    assert statuses(found) == {"UNAVAILABLE": 3}
    assert "Connection refused" in found[0].message


def test_a_server_that_dies_takes_its_calls_along_and_one_that_comes_back_is_found() -> None:
    def die(peer: Peer) -> None:
        for _ in zip(range(3), peer.calls(), strict=False):
            pass

    with scripted(die, live) as address, client(address) as to:
        to.dial()
        assert statuses(calls(to, address, 10)) == {"UNAVAILABLE": 10}
        assert to.dial() is None
        assert statuses(calls(to, address, 10)) == {"OK": 10}


def test_a_storm_of_resets_ends_each_call_once() -> None:
    def storm(peer: Peer) -> None:
        for stream in peer.calls():
            peer.send(frames.rst_stream(stream, frames.INTERNAL_ERROR) * 3)

    with scripted(storm) as address, client(address, 2) as to:
        assert statuses(calls(to, address, 300)) == {"INTERNAL": 300}


def test_a_call_that_was_refused_unseen_is_sent_again() -> None:
    def first_refuse(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls()):
            if count < 10:
                peer.send(frames.rst_stream(stream, frames.REFUSED_STREAM))
            else:
                peer.answer(stream)

    with scripted(first_refuse) as address, client(address) as to:
        assert statuses(calls(to, address, 10)) == {"OK": 10}


def test_a_call_that_was_refused_after_its_headers_begins_anew() -> None:
    def first_refuse(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls()):
            if count == 0:
                peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, OK_FIRST))
                peer.send(frames.rst_stream(stream, frames.REFUSED_STREAM))
            else:
                peer.answer(stream)

    with scripted(first_refuse) as address, client(address) as to:
        assert statuses(calls(to, address, 5)) == {"OK": 5}


def test_answers_are_not_kept_behind_a_call_that_has_none() -> None:
    def all_but_the_first(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls()):
            if count:
                peer.answer(stream, b"x" * 100_000)

    with scripted(all_but_the_first) as address, client(address) as to:
        for token in range(300):
            to.submit(token, request(address), message(b"hello"), time.monotonic_ns() + LONG_NS)
        tracemalloc.start()
        try:
            ended = 0
            while ended < 299:
                ended += len(to.step(time.monotonic_ns() + LONG_NS))
            assert tracemalloc.get_traced_memory()[0] < 10_000_000, "of the 30 MB that came"
        finally:
            tracemalloc.stop()
        assert {each.status for each in to.give_up("LOST", "")} == {"LOST"}


def test_a_server_that_refuses_for_ever_is_asked_until_the_deadline_and_not_without_pause() -> None:
    asked: list[int] = []

    def refuse(peer: Peer) -> None:
        for stream in peer.calls():
            asked.append(stream)
            peer.send(frames.rst_stream(stream, frames.REFUSED_STREAM))

    with scripted(refuse) as address, client(address) as to:
        found = calls(to, address, 5, within_ns=SECOND // 2)
    assert statuses(found) == {"DEADLINE_EXCEEDED": 5}
    assert all("times refused" in each.message and "REFUSED_STREAM" in each.message for each in found)
    assert 10 < len(asked) < 250, "a pause that grows, from a millisecond on"


def test_a_server_that_goes_away_during_the_load_costs_no_call() -> None:
    """GOAWAY with the last stream it will answer: the others go over a new connection."""

    def leave_after_five(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls(), 1):
            if count == 5:
                peer.send(frames.frame(frames.GOAWAY, 0, 0, stream.to_bytes(4, "big") + bytes(4)))
            if count <= 5:
                peer.answer(stream)

    with scripted(leave_after_five, live) as address, client(address) as to:
        assert statuses(calls(to, address, 23)) == {"OK": 23}


def test_a_half_closed_connection_is_a_closed_one() -> None:
    def half(peer: Peer) -> None:
        for _ in peer.calls():
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_WR)

    with scripted(half) as address, client(address) as to:
        assert statuses(calls(to, address, 5)) == {"UNAVAILABLE": 5}


def test_a_server_that_reads_nothing_holds_up_nobody_but_its_own_calls() -> None:
    shut = threading.Event()

    def deaf(peer: Peer) -> None:
        peer.send(frames.window_update(0, 1 << 30) + frames.settings([(frames.INITIAL_WINDOW_SIZE, 1 << 30)]))
        shut.wait(10)

    with scripted(deaf) as address, client(address) as to:
        to.dial()
        found = calls(to, address, 30, body=bytes(1_000_000), within_ns=SECOND // 2)
        shut.set()
    assert statuses(found) == {"DEADLINE_EXCEEDED": 30}


def test_garbage_in_the_middle_of_a_load_fails_what_was_under_way_and_the_next_connection_serves() -> None:
    def garble(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls(), 1):
            if count == 4:
                peer.send(b"\xff" * 64)
                return
            peer.answer(stream)

    with scripted(garble, live) as address, client(address) as to:
        found = calls(to, address, 10)
        assert set(statuses(found)) == {"OK", "UNAVAILABLE"}
        assert any("FRAME_SIZE_ERROR" in each.message for each in found)
        assert to.dial() is None
        assert statuses(calls(to, address, 10)) == {"OK": 10}


def test_who_gives_up_gets_every_call_back() -> None:
    shut = threading.Event()
    with scripted(lambda peer: shut.wait(10)) as address, client(address) as to:
        to.dial()
        for token in range(5):
            to.submit(token, request(address), message(b"x"), time.monotonic_ns() + LONG_NS)
        to.step(time.monotonic_ns())
        found = to.give_up("CANCELLED", "stopped")
        shut.set()
        assert sorted((each.token, each.status) for each in found) == [(token, "CANCELLED") for token in range(5)]
        assert to.in_flight == 0
