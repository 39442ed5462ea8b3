from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.load.http1.connection import MOST_REPLY, Connection
from toolkit.load.http2.stream import Ended

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def asked(method: str = "GET") -> Connection:
    """A connection whose first request has left."""
    connection = Connection(method)
    connection.send(7, b"request")
    connection.wrote(len(b"request"))
    return connection


def answer(data: bytes, method: str = "GET", *, piece: int = 1 << 30, end: bool = False) -> tuple[Connection, Ended]:
    """What these bytes mean, read in pieces of that size; `end`: then the server closes."""
    connection = asked(method)
    found = [connection.receive(data[at : at + piece], 100 + at) for at in range(0, len(data), piece)]
    if end:
        found.append(connection.lost("the end", 999, whole=True))
    (ended,) = [each for each in found if each is not None]
    assert ended.token == 7
    assert connection.token is None
    return connection, ended


WHOLE = [
    (OK, ("OK", "", b"hello"), True),
    (b"\r\n\r\n" + OK, ("OK", "", b"hello"), True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", ("OK", "", b""), True),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", ("OK", "", b""), True),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ("HTTP 304", "Not Modified", b""), True),
    (b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nConnection: close\r\n\r\n", ("OK", "", b""), False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", ("OK", "", b"hi"), False),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", ("OK", "", b"hi"), True),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n",
        ("OK", "", b"abcde"),
        True,
    ),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, ("OK", "", b"hello"), True),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", ("HTTP 101", "Switching Protocols", b""), False),
    (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nno\npods\n\n",
        ("HTTP 503", "Service Unavailable: no", b"no\npods\n\n"),
        True,
    ),
    (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", ("HTTP 404", "", b""), True),
    (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", ("HTTP 302", "Found", b""), True),
]


@pytest.mark.parametrize("piece", [1 << 30, 1, 7])
@pytest.mark.parametrize(("data", "meaning", "again"), WHOLE)
def test_an_answer_means_the_same_however_it_is_split(
    data: bytes, meaning: tuple[str, str, bytes], again: bool, piece: int
) -> None:
    connection, ended = answer(data, piece=piece)
    assert (ended.status, ended.message, ended.reply) == meaning
    assert connection.free is again
    assert ended.first_ns == 100
    assert ended.done_ns == 100 + (len(data) - 1) // piece * piece


@given(st.data())
def test_answers_one_after_the_other_are_told_apart_at_any_cut(data: st.DataObject) -> None:
    connection = Connection("POST")
    for number, (text, meaning, _) in enumerate(data.draw(st.lists(st.sampled_from([w for w in WHOLE if w[2]])))):
        cut = data.draw(st.integers(0, len(text)))
        connection.send(number, b"x")
        connection.wrote(1)
        found = [connection.receive(piece, 1) for piece in (text[:cut], text[cut:]) if piece]
        (ended,) = [each for each in found if each is not None]
        assert (ended.token, ended.status, ended.message, ended.reply) == (number, *meaning)
        assert connection.free


def test_an_answer_to_head_has_no_body_whatever_it_says() -> None:
    connection, ended = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "HEAD")
    assert (ended.status, ended.reply, connection.free) == ("OK", b"", True)


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    connection, ended = answer(b"HTTP/1.1 200 OK\r\n\r\nsome and more", end=True, piece=20)
    assert (ended.status, ended.reply, connection.free) == ("OK", b"some and more", False)


@pytest.mark.parametrize(
    "data",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_off_is_no_answer(data: bytes) -> None:
    _, ended = answer(data, end=True)
    assert (ended.status, ended.message, ended.unseen) == ("UNAVAILABLE", "in the middle of an answer: the end", False)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x00\x12\x04\x00", r"it begins with b'\x00\x00\x12\x04\x00'"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it begins with b'SSH-2.0'"),
        (b"HTTP/2 200 OK\r\n\r\n", "it begins with b'HTTP/2 '"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", 'malformed HTTP response "HTTP/1.1 2000 OK"'),
        (b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", "malformed headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "malformed headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "malformed headers"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "Unsupported transfer encoding: gzip"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed chunked encoding"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000, "Request Header Fields Too Large"),
    ],
)
def test_what_is_no_answer_is_told_and_ends_the_connection(data: bytes, words: str) -> None:
    connection, ended = answer(data)
    assert (ended.status, ended.message, ended.reply) == ("INTERNAL", f"no HTTP/1.1 answer: {words}", None)
    assert connection.closed is not None


@given(st.binary(min_size=1, max_size=400), st.integers(1, 40))
def test_whatever_comes_a_call_ends_once_and_nothing_breaks(noise: bytes, piece: int) -> None:
    connection = asked()
    data = b"HTTP/1.1 200 OK\r\n" + noise
    ended = [connection.receive(data[at : at + piece], 1) for at in range(0, len(data), piece)]
    ended.append(connection.lost("the end", 2, whole=True))
    assert len([each for each in ended if each is not None]) == 1


def test_an_answer_larger_than_anybody_wants_ends_its_call() -> None:
    _, ended = answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_REPLY + 1))
    assert ended.status == "RESOURCE_EXHAUSTED"


def test_what_nobody_asked_for_ends_the_connection_and_no_call() -> None:
    connection, ended = answer(OK)
    assert connection.receive(OK, 1) is None
    assert not connection.free
    assert ended.status == "OK"


def test_more_than_the_answer_is_no_connection_to_use_again() -> None:
    connection, ended = answer(OK + b"x")
    assert (ended.status, ended.reply, connection.free) == ("OK", b"hello", False)


def test_an_answer_before_the_request_was_sent_counts_and_ends_the_connection() -> None:
    connection = Connection("POST")
    connection.send(7, bytes(1000))
    connection.wrote(10)
    ended = connection.receive(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 1)
    assert ended is not None
    assert (ended.status, connection.free, len(connection.outgoing)) == ("HTTP 413", False, 0)


@pytest.mark.parametrize(
    ("method", "before", "written", "unseen"),
    [
        ("POST", False, 0, True),
        ("POST", True, 3, False),
        ("GET", False, 3, False),
        ("GET", True, 3, True),
    ],
)
def test_only_what_cannot_have_been_heard_may_be_sent_once_more(
    method: str, before: bool, written: int, unseen: bool
) -> None:
    connection = Connection(method)
    if before:
        connection.send(1, b"x")
        connection.wrote(1)
        connection.receive(OK, 1)
    connection.send(2, b"request")
    connection.wrote(written)
    ended = connection.lost("gone", 2)
    assert ended is not None
    assert (ended.status, ended.message, ended.unseen) == ("UNAVAILABLE", "gone", unseen)
