"""Corners of RFC 9113 and RFC 7541 that real servers and proxies reach, with the library `h2` on the far side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.load.http2.server import BLOCK, FIRST, LAST, Server, drained, exchange
from toolkit.load.http2 import frames, grpc, headers
from toolkit.load.http2.connection import MOST_BLOCK, Connection

HELLO = grpc.message(b"hello")
RAW_FIRST = headers.encode([(b":status", b"200"), (b"content-type", b"application/grpc")])
RAW_LAST = headers.encode([(b"grpc-status", b"0")])
TRAILERS = frames.END_HEADERS | frames.END_STREAM


def answer(number: int, first: bytes = RAW_FIRST, last: bytes = RAW_LAST) -> bytes:
    return (
        frames.frame(frames.HEADERS, frames.END_HEADERS, number, first)
        + frames.frame(frames.DATA, 0, number, HELLO)
        + frames.frame(frames.HEADERS, TRAILERS, number, last)
    )


def under_way(calls: int = 1) -> Connection:
    client = Connection()
    for token in range(calls):
        client.send(token, BLOCK, HELLO)
    client.outgoing.clear()
    return client


def test_an_answer_may_be_cut_between_any_two_of_its_bytes() -> None:
    whole = frames.settings([(frames.MAX_CONCURRENT_STREAMS, 100)]) + answer(1) + answer(3)
    for place in range(len(whole) + 1):
        client = under_way(2)
        client.receive(whole[:place], 1)
        client.receive(whole[place:], 2)
        assert [(each.token, each.status, each.reply) for each in client.ended] == [
            (0, "OK", b"hello"),
            (1, "OK", b"hello"),
        ], place


def test_an_answer_may_come_byte_by_byte() -> None:
    client = under_way()
    for byte in answer(1):
        client.receive(bytes((byte,)), 1)
    assert [each.reply for each in client.ended] == [b"hello"]


@pytest.mark.parametrize(
    "between",
    [
        frames.frame(frames.PRIORITY, 0, 1, bytes(5)),
        frames.frame(frames.PRIORITY, 0, 99, bytes(5)),
        frames.frame(0xBE, 0xFF, 1, b"of a kind that nobody knows"),
        frames.frame(0xC, 0, 0, b"ALTSVC is an extension"),
        frames.settings([(0x4242, 7)]),
        frames.frame(frames.DATA, frames.PADDED, 1, b"\x05" + bytes(5)),
        frames.frame(frames.DATA, 0, 1),
        frames.window_update(1, 5),
    ],
    ids=[
        "priority",
        "priority of an idle stream",
        "unknown",
        "altsvc",
        "unknown setting",
        "padding",
        "empty",
        "window",
    ],
)
def test_what_may_stand_between_the_parts_of_an_answer_does_no_harm(between: bytes) -> None:
    client = under_way()
    parts = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, RAW_FIRST) + between
    parts += frames.frame(frames.DATA, 0, 1, HELLO[:4]) + between + frames.frame(frames.DATA, 0, 1, HELLO[4:]) + between
    client.receive(parts + frames.frame(frames.HEADERS, TRAILERS, 1, RAW_LAST), 1)
    assert (client.closed, [each.reply for each in client.ended]) == (None, [b"hello"])


def test_several_early_answers_may_come_before_the_real_one() -> None:
    server, client = Server(), Connection()
    exchange(client, server)
    number = client.send(1, BLOCK, HELLO)
    exchange(client, server)
    for status in ("100", "103", "103"):
        server.http2.send_headers(number, [(":status", status)])
    server.answer(number)
    assert [each.status for each in exchange(client, server)] == ["OK"]


def test_a_stream_that_could_send_nothing_at_first_sends_all_once_the_window_is_opened() -> None:
    server, client = Server(initial_window_size=0), Connection()
    exchange(client, server)
    client.send(1, BLOCK, HELLO)
    sent = bytes(client.outgoing)
    server.take(sent)
    client.outgoing.clear()
    assert server.bodies == {1: b""}
    client.receive(frames.settings([(frames.INITIAL_WINDOW_SIZE, 3)]), 1)
    assert bytes(client.outgoing).endswith(frames.frame(frames.DATA, 0, 1, HELLO[:3]))
    client.outgoing.clear()
    client.receive(frames.window_update(1, 100), 1)
    assert bytes(client.outgoing) == frames.frame(frames.DATA, frames.END_STREAM, 1, HELLO[3:])


@given(
    st.integers(1, 50),
    st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    st.lists(st.integers(0, 200), max_size=4),
)
def test_windows_of_any_size_that_shrink_and_grow_lose_no_byte(
    window: int, bodies: list[bytes], later: list[int]
) -> None:
    """The library on the far side raises when a window is overrun."""
    server, client = Server(initial_window_size=window), Connection()
    exchange(client, server)
    messages = [grpc.message(each) for each in bodies]
    numbers = [client.send(token, BLOCK, each) for token, each in enumerate(messages)]
    for size in [window, *later]:
        server.http2.update_settings({4: size})
        server.take(bytes(client.outgoing), acknowledge=False)
        client.outgoing.clear()
        client.receive(server.said(), 1)
    for number in set(numbers) - set(server.whole):
        server.http2.increment_flow_control_window(10_000, number)
    exchange(client, server)
    assert [server.bodies[number] for number in numbers] == messages
    assert sorted(server.whole) == numbers
    for number in numbers:
        server.answer(number)
    assert [each.status for each in exchange(client, server)] == ["OK"] * len(numbers)


def test_headers_larger_than_a_frame_are_read() -> None:
    server, client = Server(), Connection()
    exchange(client, server)
    number = client.send(1, BLOCK, HELLO)
    exchange(client, server)
    server.http2.send_headers(number, FIRST)
    server.http2.send_headers(number, [("grpc-status", "3"), ("x-long", "a" * 30_000), *LAST[1:]], end_stream=True)
    assert [each.status for each in exchange(client, server)] == ["INVALID_ARGUMENT"]


def test_a_header_block_without_an_end_is_cut_off() -> None:
    client = under_way()
    client.receive(frames.frame(frames.HEADERS, 0, 1, RAW_FIRST), 1)
    for _ in range(MOST_BLOCK // 16_000 + 1):
        client.receive(frames.frame(frames.CONTINUATION, 0, 1, bytes(16_000)), 1)
    assert client.closed == "ENHANCE_YOUR_CALM: a header block without an end"


def test_a_server_that_uses_a_table_of_headers_is_told_that_there_is_none() -> None:
    client = under_way()
    client.receive(answer(1, first=b"\x88\xbe"), 1)  # entry 62, the first of the dynamic table
    assert client.closed is not None
    assert client.closed.startswith(
        "COMPRESSION_ERROR: the server uses a dynamic table of headers, though it was told that there is none"
    )
    assert frames.error_name(int.from_bytes(client.outgoing[13:17], "big")) == "COMPRESSION_ERROR"


def test_a_table_that_grows_beyond_what_was_agreed_is_refused() -> None:
    client = under_way()
    client.receive(answer(1, first=b"\x3f\xe1\x1f" + RAW_FIRST), 1)  # to 4,096 bytes
    assert client.closed is not None
    assert "dynamic table" in client.closed


def test_a_table_that_is_emptied_and_fields_that_are_offered_to_it_are_fine() -> None:
    """So do Go and Envoy: the size is set to 0 once, and literals may ask to be kept where nothing is kept."""
    client = under_way(3)
    kept = b"\x88\x5f\x10application/grpc"  # with incremental indexing
    client.receive(answer(1, first=b"\x20" + kept) + answer(3, first=kept) + answer(5, first=kept), 1)
    assert [each.status for each in client.ended] == ["OK"] * 3


def test_answers_that_all_differ_are_not_all_remembered() -> None:
    client = under_way()
    client.receive(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, RAW_FIRST), 1)
    for number in range(5_000):
        grpc.said(headers.encode([(b"grpc-status", b"0"), (b"x-took", b"%d" % number)]))
    before = grpc._known.cache_info()
    assert before.maxsize is not None
    assert before.currsize <= before.maxsize
    long = headers.encode([(b"grpc-status", b"0"), (b"x-long", b"a" * 5_000)])
    assert grpc.said(long).ok
    assert grpc._known.cache_info() == before, "a long block is read anew each time"


def test_what_a_lost_connection_never_wrote_may_be_sent_elsewhere() -> None:
    client = under_way(3)
    client.lost("gone", 1, unwritten=3)
    assert [(each.token, each.status, each.unseen) for each in drained(client)] == [
        (0, "UNAVAILABLE", False),
        (1, "UNAVAILABLE", True),
        (2, "UNAVAILABLE", True),
    ]
    assert [each.token for each in client.refused] == [1, 2]


@given(st.lists(st.sampled_from(["send", "answer", "reset", "fewer", "more"]), max_size=30))
def test_the_room_is_what_the_server_allows_less_what_is_under_way(steps: list[str]) -> None:
    client = under_way(0)
    most, alive = 5, list[int]()
    client.receive(frames.settings([(frames.MAX_CONCURRENT_STREAMS, most)]), 1)
    for step in steps:
        if step == "send" and client.room > 0:
            alive.append(client.send(0, BLOCK, HELLO))
        elif step == "answer" and alive:
            client.receive(answer(alive.pop()), 1)
        elif step == "reset" and alive:
            client.receive(frames.rst_stream(alive.pop(0), frames.CANCEL), 1)
        elif step in ("fewer", "more"):
            most = 2 if step == "fewer" else 9
            client.receive(frames.settings([(frames.MAX_CONCURRENT_STREAMS, most)]), 1)
        assert client.room == most - len(alive)
        assert client.in_flight == len(alive)
    client.receive(frames.frame(frames.GOAWAY, 0, 0, frames.LAST_STREAM.to_bytes(4, "big") + bytes(4)), 1)
    client.receive(b"".join(map(answer, alive)), 1)
    assert (client.room, client.in_flight) == (0, 0)


def test_a_ping_among_megabytes_of_requests_that_wait_to_be_written_is_answered() -> None:
    client = Connection()
    client.receive(frames.settings([(frames.INITIAL_WINDOW_SIZE, 1 << 30)]) + frames.window_update(0, 1 << 30), 1)
    client.send(1, BLOCK, grpc.message(bytes(6_000_000)))
    client.receive(frames.frame(frames.PING, 0, 0, b"12345678") * 3, 1)
    assert client.closed is None
    assert client.outgoing.endswith(frames.frame(frames.PING, frames.ACK, 0, b"12345678") * 3)
