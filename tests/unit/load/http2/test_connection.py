from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.load.http2.server import BLOCK, FIRST, LAST, METHOD, Server, cut, drained, exchange
from toolkit.load.http2 import frames, grpc, headers
from toolkit.load.http2.connection import Connection

HELLO = grpc.message(b"hello")


def open_call(server: Server, token: int = 5, message: bytes = HELLO) -> tuple[Connection, int]:
    client = Connection()
    exchange(client, server)
    number = client.send(token, BLOCK, message)
    exchange(client, server)
    return client, number


def outcome(client: Connection, server: Server) -> tuple[str, str]:
    (ended,) = exchange(client, server)
    return ended.status, ended.message


def test_a_call_goes_out_as_grpc_wants_it_and_its_answer_comes_back() -> None:
    server = Server()
    client, number = open_call(server)
    assert server.headers[number] == {
        ":method": "POST",
        ":scheme": "http",
        ":path": METHOD,
        ":authority": "localhost:1",
        "te": "trailers",
        "content-type": "application/grpc",
        "x-call": "1",
    }
    assert (server.bodies[number], server.whole) == (HELLO, [number])
    server.answer(number)
    (ended,) = exchange(client, server)
    assert (ended.token, ended.status, ended.reply, ended.first_ns, ended.done_ns) == (5, "OK", b"hello", 7, 7)
    assert client.in_flight == 0


@given(st.lists(st.integers(0, 400)), st.lists(st.integers(0, 60), max_size=6), st.permutations(range(4)))
def test_however_the_bytes_are_cut_and_the_answers_interleaved_each_call_gets_its_own(
    places: list[int], pads: list[int], order: list[int]
) -> None:
    server, client = Server(), Connection()
    exchange(client, server)
    numbers = [client.send(token, BLOCK, HELLO) for token in range(4)]
    exchange(client, server)
    for each in order:
        server.http2.send_headers(numbers[each], FIRST)
    for each in reversed(order):
        pad = pads[each] if each < len(pads) else None
        server.http2.send_data(numbers[each], grpc.message(b"reply %d" % each)[:3], pad_length=pad)
    for each in order:
        server.http2.send_data(numbers[each], grpc.message(b"reply %d" % each)[3:])
        server.http2.send_headers(numbers[each], LAST, end_stream=True)
    for piece in cut(server.said(), places):
        client.receive(piece, 1)
    assert {each.token: (each.status, each.reply) for each in drained(client)} == {
        token: ("OK", b"reply %d" % token) for token in range(4)
    }
    assert client.closed is None


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (FIRST, [("grpc-status", "5"), ("grpc-message", "no%20such%20thing %C3%A4")], ("NOT_FOUND", "no such thing ä")),
        (FIRST, [("grpc-status", "77")], ("UNKNOWN", "")),
        (FIRST, [("grpc-status", "soon")], ("UNKNOWN", "")),
        (FIRST, [("other", "1")], ("INTERNAL", "the answer has no grpc-status")),
        (None, [*FIRST, ("grpc-status", "8"), ("grpc-message", "full")], ("RESOURCE_EXHAUSTED", "full")),
        (None, [(":status", "503"), ("content-type", "text/plain")], ("UNAVAILABLE", "HTTP status 503")),
        (None, [(":status", "404")], ("UNIMPLEMENTED", "HTTP status 404")),
        (None, [(":status", "200"), ("content-type", "text/html")], ("UNKNOWN", "the answer is not gRPC's")),
        ([(":status", "502"), ("content-type", "text/plain")], [("x", "y")], ("UNAVAILABLE", "HTTP status 502")),
        (FIRST, LAST, ("INTERNAL", "the answer has no whole message")),
    ],
)
def test_the_status_is_grpcs_and_never_that_of_http(
    first: list[tuple[str, str]] | None, last: list[tuple[str, str]], told: tuple[str, str]
) -> None:
    server = Server()
    client, number = open_call(server)
    if first is not None:
        server.http2.send_headers(number, first)
    server.http2.send_headers(number, last, end_stream=True)
    assert outcome(client, server) == told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\x00\x00\x00\x00\x09short", "the answer has no whole message"),
        (HELLO + HELLO, "more than one message"),
        (b"\x01" + HELLO[1:], "the answer is compressed (identity), though nothing but identity was offered"),
    ],
)
def test_an_answer_that_is_not_one_whole_message_is_an_error(body: bytes, told: str) -> None:
    server = Server()
    client, number = open_call(server)
    server.http2.send_headers(number, FIRST)
    server.http2.send_data(number, body)
    server.http2.send_headers(number, LAST, end_stream=True)
    assert outcome(client, server) == ("INTERNAL", told)


def test_an_answer_that_ends_with_data_has_no_status() -> None:
    server = Server()
    client, number = open_call(server)
    server.http2.send_headers(number, FIRST)
    server.http2.send_data(number, HELLO, end_stream=True)
    assert outcome(client, server) == ("INTERNAL", "the answer ends without trailers")


def test_an_empty_message_is_a_message() -> None:
    server = Server()
    client, number = open_call(server)
    server.answer(number, b"")
    (ended,) = exchange(client, server)
    assert (ended.status, ended.reply) == ("OK", b"")


def test_an_early_hint_is_not_the_answer() -> None:
    server = Server()
    client, number = open_call(server)
    server.http2.send_headers(number, [(":status", "103")])
    server.answer(number)
    assert outcome(client, server) == ("OK", "")


def test_a_header_block_may_come_in_pieces_padded_and_with_a_priority() -> None:
    server = Server()
    client, number = open_call(server)
    block = headers.encode([(b":status", b"200"), (b"content-type", b"application/grpc")])
    flags = frames.PADDED | frames.WITH_PRIORITY
    first = frames.frame(frames.HEADERS, flags, number, b"\x03" + bytes(5) + block[:7] + bytes(3))
    rest = [frames.frame(frames.CONTINUATION, 0, number, block[7:9])]
    rest.append(frames.frame(frames.CONTINUATION, frames.END_HEADERS, number, block[9:]))
    client.receive(first + b"".join(rest), 3)
    server.http2.send_headers(number, FIRST)  # so that its own view is the same; these bytes go nowhere
    server.said()
    server.http2.send_data(number, HELLO)
    server.http2.send_headers(number, LAST, end_stream=True)
    (ended,) = exchange(client, server)
    assert (ended.status, ended.reply, ended.first_ns) == ("OK", b"hello", 3)


@pytest.mark.parametrize(
    ("error", "told", "unseen"),
    [
        (frames.NO_ERROR, "INTERNAL", False),
        (frames.REFUSED_STREAM, "UNAVAILABLE", True),
        (frames.CANCEL, "CANCELLED", False),
        (frames.ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED", False),
        (frames.INADEQUATE_SECURITY, "PERMISSION_DENIED", False),
        (99, "INTERNAL", False),
    ],
)
def test_a_stream_that_is_reset_ends_its_call(error: int, told: str, unseen: bool) -> None:
    server = Server()
    client, number = open_call(server)
    client.receive(frames.rst_stream(number, error), 4)
    (ended,) = drained(client)
    assert (ended.status, ended.unseen, ended.done_ns) == (told, unseen, 4)
    assert frames.error_name(error) in ended.message
    client.receive(frames.rst_stream(number, error), 5)
    assert (client.ended, client.closed) == ([], None)


def test_a_server_that_goes_away_answers_what_it_has_begun_and_never_saw_the_rest() -> None:
    server, client = Server(), Connection()
    exchange(client, server)
    first, second = client.send(1, BLOCK, HELLO), client.send(2, BLOCK, HELLO)
    exchange(client, server)
    client.receive(frames.frame(frames.GOAWAY, 0, 0, first.to_bytes(4, "big") + bytes(4) + b"bye"), 1)
    (ended,) = drained(client)
    assert (ended.token, ended.status, ended.unseen) == (2, "UNAVAILABLE", True)
    assert ended.message == "the server goes away: NO_ERROR: bye"
    assert (client.room, client.draining, client.closed) == (0, True, None)
    server.answer(first)
    (ended,) = exchange(client, server)
    assert (ended.token, ended.status) == (1, "OK")
    assert second not in server.reset, "nobody is told of a stream that was never looked at"


def test_what_the_windows_do_not_allow_waits_and_all_of_it_arrives() -> None:
    server, client = Server(initial_window_size=10, max_frame_size=16_384), Connection()
    exchange(client, server)
    messages = [grpc.message(bytes([token]) * 100_000) for token in range(3)]
    numbers = [client.send(token, BLOCK, each) for token, each in enumerate(messages)]
    exchange(client, server)
    assert [server.bodies[number] for number in numbers] == messages
    assert server.whole == numbers or sorted(server.whole) == numbers
    for number in numbers:
        server.answer(number)
    assert [each.status for each in exchange(client, server)] == ["OK"] * 3


def test_no_byte_is_sent_beyond_the_windows() -> None:
    server, client = Server(), Connection()
    exchange(client, server)
    number = client.send(1, BLOCK, grpc.message(bytes(100_000)))
    server.take(bytes(client.outgoing), acknowledge=False)  # h2 raises if a window is overrun
    client.outgoing.clear()
    assert len(server.bodies[number]) == frames.WINDOW
    client.receive(frames.window_update(number, 50_000), 1)
    assert not client.outgoing, "the connection's window is still shut"
    client.receive(frames.window_update(0, 10), 1)
    assert len(client.outgoing) == frames.HEADER + 10


def test_a_smaller_window_for_all_may_leave_a_stream_in_debt() -> None:
    server, client = Server(), Connection()
    exchange(client, server)
    client.send(1, BLOCK, grpc.message(bytes(70_000)))
    client.outgoing.clear()
    client.receive(frames.settings([(frames.INITIAL_WINDOW_SIZE, 100)]) + frames.window_update(0, 1 << 20), 1)
    assert bytes(client.outgoing) == frames.frame(frames.SETTINGS, frames.ACK, 0)
    client.outgoing.clear()
    client.receive(frames.window_update(1, frames.WINDOW - 100), 1)
    assert not client.outgoing, "it owes as much as it was sent before"
    client.receive(frames.window_update(1, 11), 1)
    assert len(client.outgoing) == frames.HEADER + 11


def test_no_more_streams_at_once_than_the_server_wants() -> None:
    server, client = Server(max_concurrent_streams=2), Connection()
    assert client.room > 2, "until it is said"
    exchange(client, server)
    assert client.room == 2
    number = client.send(1, BLOCK, HELLO)
    client.send(2, BLOCK, HELLO)
    assert client.room == 0
    exchange(client, server)
    server.answer(number)
    exchange(client, server)
    assert client.room == 1


def test_a_ping_is_answered_and_an_answer_is_not() -> None:
    client = Connection()
    client.outgoing.clear()
    client.receive(frames.frame(frames.PING, 0, 0, b"12345678") + frames.frame(frames.PING, frames.ACK, 0, bytes(8)), 1)
    assert bytes(client.outgoing) == frames.frame(frames.PING, frames.ACK, 0, b"12345678")


def test_a_flood_of_pings_ends_the_connection_and_not_the_memory() -> None:
    client = Connection()
    client.send(1, BLOCK, HELLO)
    flood = frames.frame(frames.PING, 0, 0, bytes(8)) * 10_000
    for _ in range(100):
        client.receive(flood, 1)
    assert client.closed is not None
    assert client.closed.startswith("ENHANCE_YOUR_CALM")
    assert len(client.outgoing) < 5_000_000
    assert [each.status for each in drained(client)] == ["UNAVAILABLE"]


def test_a_header_block_that_is_sent_in_pieces_arrives_whole() -> None:
    server, client = Server(), Connection()
    exchange(client, server)
    block = headers.encode(grpc.request_headers(METHOD, "localhost:1", [(b"x-long", b"a" * 40_000)]))
    number = client.send(1, block, HELLO)
    exchange(client, server)
    assert server.headers[number]["x-long"] == "a" * 40_000
    assert server.bodies[number] == HELLO


PUSH = frames.frame(frames.PUSH_PROMISE, frames.END_HEADERS, 1, bytes(4) + BLOCK)
RAW = headers.encode([(b":status", b"200"), (b"content-type", b"application/grpc")])


@pytest.mark.parametrize(
    ("garbage", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "FRAME_SIZE_ERROR"),
        (frames.frame(frames.SETTINGS, 0, 0, b"123"), "FRAME_SIZE_ERROR"),
        (frames.frame(frames.PING, 0, 0, b"123"), "FRAME_SIZE_ERROR"),
        (frames.frame(frames.RST_STREAM, 0, 1, b"1"), "FRAME_SIZE_ERROR"),
        (frames.frame(frames.GOAWAY, 0, 0, b"1"), "FRAME_SIZE_ERROR"),
        (frames.frame(frames.WINDOW_UPDATE, 0, 0, b"1"), "FRAME_SIZE_ERROR"),
        (frames.window_update(0, 0), "FLOW_CONTROL_ERROR"),
        (frames.window_update(0, frames.LARGEST_WINDOW), "FLOW_CONTROL_ERROR"),
        (frames.settings([(frames.INITIAL_WINDOW_SIZE, 1 << 31)]), "FLOW_CONTROL_ERROR"),
        (frames.settings([(frames.MAX_FRAME_SIZE, 1)]), "PROTOCOL_ERROR"),
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 77, RAW), "PROTOCOL_ERROR"),
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 2, RAW), "PROTOCOL_ERROR"),
        (frames.frame(frames.DATA, 0, 0, b"x"), "PROTOCOL_ERROR"),
        (frames.frame(frames.DATA, 0, 1, b"x"), "PROTOCOL_ERROR"),
        (frames.frame(frames.DATA, frames.PADDED, 1, b"\x09x"), "PROTOCOL_ERROR"),
        (frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, RAW), "PROTOCOL_ERROR"),
        (frames.frame(frames.HEADERS, 0, 1, RAW) + frames.frame(frames.PING, 0, 0, bytes(8)), "PROTOCOL_ERROR"),
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 1, RAW) * 2, "PROTOCOL_ERROR"),
        (PUSH, "PROTOCOL_ERROR"),
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"\xbe"), "COMPRESSION_ERROR"),
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x00\x7f"), "COMPRESSION_ERROR"),
    ],
)
def test_garbage_ends_the_connection_and_each_call_on_it_once(garbage: bytes, told: str) -> None:
    client = Connection()
    client.send(1, BLOCK, HELLO)
    client.send(2, BLOCK, HELLO)
    client.receive(garbage, 9)
    assert client.closed is not None
    assert client.closed.startswith(told)
    assert {each.token: (each.status, each.done_ns) for each in drained(client)} == {
        1: ("UNAVAILABLE", 9),
        2: ("UNAVAILABLE", 9),
    }
    client.receive(garbage, 10)
    client.lost("gone", 11)
    assert (client.ended, client.room) == ([], 0)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_whatever_bytes_come_no_call_is_lost_or_told_twice(garbage: bytes, places: list[int]) -> None:
    client = Connection()
    for token in range(3):
        client.send(token, BLOCK, HELLO)
    for piece in cut(garbage, places):
        client.receive(piece, 1)
    client.lost("the server closed the connection", 2)
    assert sorted(each.token for each in client.ended) == [0, 1, 2]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, 6), st.binary(max_size=12)), max_size=8)
)
def test_whatever_frames_come_no_call_is_lost_or_told_twice(chaos: list[tuple[int, int, int, bytes]]) -> None:
    client = Connection()
    for token in range(3):
        client.send(token, BLOCK, HELLO)
    client.receive(b"".join(frames.frame(*each) for each in chaos), 1)
    client.lost("the server closed the connection", 2)
    assert sorted(each.token for each in client.ended) == [0, 1, 2]


def test_a_call_that_is_given_up_is_cancelled_at_the_server() -> None:
    server = Server()
    client, number = open_call(server)
    client.cancel(number, "DEADLINE_EXCEEDED", "no answer", 3)
    client.cancel(number, "DEADLINE_EXCEEDED", "no answer", 4)
    (ended,) = exchange(client, server)
    assert (ended.status, ended.message, ended.done_ns) == ("DEADLINE_EXCEEDED", "no answer", 3)
    assert server.reset == {number: frames.CANCEL}


def test_an_answer_to_what_was_given_up_is_passed_over() -> None:
    server = Server()
    client, number = open_call(server)
    server.answer(number)
    client.cancel(number, "DEADLINE_EXCEEDED", "no answer", 3)
    drained(client)
    client.receive(server.said(), 4)
    assert (client.ended, client.closed) == ([], None)


def test_an_answer_of_many_megabytes_is_taken_and_the_window_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.load.http2.connection._AGAIN", 1_000_000)
    client = Connection()
    client.send(1, BLOCK, HELLO)
    client.outgoing.clear()
    body = grpc.message(bytes(3_000_000))
    client.receive(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, RAW), 1)
    for at in range(0, len(body), 16_384):
        client.receive(frames.frame(frames.DATA, 0, 1, body[at : at + 16_384]), 1)
    last = headers.encode([(b"grpc-status", b"0")])
    client.receive(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, last), 1)
    (ended,) = drained(client)
    assert ended.reply is not None
    assert len(ended.reply) == 3_000_000
    assert bytes(client.outgoing).count(frames.window_update(0, 1_015_808)) >= 2


def test_an_answer_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.load.http2.connection.MOST_REPLY", 50_000)
    client = Connection()
    client.send(1, BLOCK, HELLO)
    client.receive(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, RAW), 1)
    for _ in range(4):
        client.receive(frames.frame(frames.DATA, 0, 1, bytes(16_384)), 1)
    (ended,) = drained(client)
    assert (ended.status, ended.message) == ("RESOURCE_EXHAUSTED", "an answer of more than 50000 bytes")
