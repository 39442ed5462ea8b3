"""The HTTP/1.1 core, over real loopback sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.sdk.http1 import (
    Client,
    MessageError,
    Request,
    Response,
    Server,
    TruncatedError,
    UnansweredError,
    serve,
    split_url,
)
from toolkit.sdk.http1.message import MAX_HEADERS, Parser

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(request: Request) -> Response:
    return Response(200, ((b"X-Target", request.target.encode("latin-1")),), request.body)


@asynccontextmanager
async def serving(
    handler: Callable[[Request], Awaitable[Response]] = echo, *, max_body: int = 1 << 20
) -> AsyncIterator[Server]:
    server = await serve(handler, "127.0.0.1", 0, max_body=max_body)
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(once, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    finally:
        listener.close()


async def exchange(server: Server, message: bytes) -> bytes:
    """All that comes back for these bytes until the server closes."""
    async with connected(server) as (reader, writer):
        writer.write(message)
        return await reader.read()


async def read_one(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


@pytest.mark.parametrize("begun", [b"GET / HTT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_a_request_that_does_not_come_whole_in_time_is_refused(begun: bytes) -> None:
    server = await serve(echo, "127.0.0.1", 0, patience_s=0.05)
    try:
        assert (await exchange(server, begun)).startswith(b"HTTP/1.1 408 ")
        async with connected(server) as (reader, writer):  # one that comes whole may then be silent for ever
            for _ in range(2):
                writer.write(GET[:9])
                await writer.drain()
                writer.write(GET[9:])
                assert b" 200 " in await read_one(reader)
                await asyncio.sleep(0.1)  # longer than the patience: silence is what is tried here
    finally:
        await server.close()


async def test_a_request_is_handed_over_as_it_was_on_the_wire() -> None:
    seen: list[Request] = []

    async def keep(request: Request) -> Response:
        seen.append(request)
        return Response(204)

    async with serving(keep) as server:
        await exchange(
            server,
            b"POST /a%20b/../c?x=%2F#f HTTP/1.1\r\nHost: h\r\nX-One: \xe9 \t\r\nx-ONE:two\r\nEmpty:\r\n"
            b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
        )
    (request,) = seen
    assert (request.method, request.target, request.body) == ("POST", "/a%20b/../c?x=%2F#f", b"hi")
    assert request.headers[1:4] == ((b"X-One", b"\xe9"), (b"x-ONE", b"two"), (b"Empty", b""))
    assert request.header(b"X-ONE") == b"\xe9"
    assert request.header(b"missing") is None


async def test_a_client_and_a_server_understand_each_other() -> None:
    async with serving() as server:
        client = Client()
        url = f"http://127.0.0.1:{server.port}/x?y=z"
        answers = await asyncio.gather(*(client.request("POST", url, (), b"%d" % n) for n in range(50)))
        await client.close()
    assert [answer.body for answer in answers] == [b"%d" % n for n in range(50)]
    assert {answer.header(b"x-target") for answer in answers} == {b"/x?y=z"}


async def test_connections_are_kept_and_used_again() -> None:
    async with serving() as server:
        client = Client()
        for _ in range(5):
            await client.request("POST", f"http://127.0.0.1:{server.port}/")
        assert len(server.connections) == 1
        await client.close()


async def test_small_answers_are_not_held_back() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(GET)
        await read_one(reader)
        (connection,) = server.connections
        assert connection._transport is not None
        link = connection._transport.get_extra_info("socket")
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_port_in_use_is_refused_not_shared() -> None:
    async with serving() as server:
        with pytest.raises(OSError, match="in use"):
            await serve(echo, "127.0.0.1", server.port)


async def test_pipelined_requests_are_answered_one_by_one_in_order() -> None:
    running: list[str] = []

    async def slow(request: Request) -> Response:
        running.append(request.target)
        assert len(running) == 1
        await asyncio.sleep(0.001)
        return Response(200, (), running.pop().encode())

    async with serving(slow) as server, connected(server) as (reader, writer):
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(5)))
        bodies = [(await read_one(reader))[-2:] for _ in range(5)]
    assert bodies == [b"/0", b"/1", b"/2", b"/3", b"/4"]


async def test_a_request_may_come_byte_by_byte() -> None:
    message = b"\r\nPOST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    message += b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n"
    async with serving() as server, connected(server) as (reader, writer):
        for byte in message:
            writer.write(bytes((byte,)))
            await writer.drain()
        assert (await read_one(reader)).endswith(b"\r\n\r\nabcde")


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(251)) * 20_000
    async with serving(max_body=len(body)) as server:
        client = Client()
        answer = await client.request("POST", f"http://127.0.0.1:{server.port}/", (), body)
        await client.close()
    assert answer.body == body


async def test_expect_100_continue_is_answered_before_the_body_comes() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await read_one(reader)).endswith(b"hi")


async def test_connection_close_is_heeded_and_said() -> None:
    async with serving() as server:
        answer = await exchange(server, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in answer


async def test_http_1_0_gets_its_own_version_back_and_the_end() -> None:
    async with serving() as server:
        answer = await exchange(server, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"Connection:" not in answer


async def test_a_head_request_gets_no_body() -> None:
    async def hello(request: Request) -> Response:
        return Response(200, (), b"hello")

    async with serving(hello) as server:
        answer = await exchange(server, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


REFUSED = {
    "no HTTP": (b"garbage\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: x\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a control byte in the target": (b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost: x\r\na : b\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: x\r\na: b\r\n c\r\n\r\n", 400),
    "a control byte in a value": (b"GET / HTTP/1.1\r\nHost: x\r\na: b\x01\r\n\r\n", 400),
    "a NUL in a value": (b"GET / HTTP/1.1\r\nHost: x\r\na: \x00\r\n\r\n", 400),
    "a bare carriage return": (b"GET / HTTP/1.1\r\nHost: x\r\na: b\rc: d\r\n\r\n", 400),
    "no length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\nhi", 400),
    "a negative length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi", 400),
    "another coding": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    "a bad chunk": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "a chunk without its end": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", 400),
    "a body too large": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413),
    "chunks too large": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", 413),
    "a head too large": (b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"b" * (MAX_HEADERS + 4097) + b"\r\n\r\n", 431),
    "a head without end": (b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"b" * (MAX_HEADERS + 5000), 431),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_malformed_request_is_refused_and_the_connection_closed(what: str) -> None:
    message, status = REFUSED[what]
    called: list[Request] = []

    async def never(request: Request) -> Response:
        called.append(request)
        return Response(200)

    async with serving(never) as server:
        answer = await exchange(server, message)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:80]
        assert b"Connection: close" in answer
        assert called == []
        client = Client()  # and the server goes on
        assert (await client.request("GET", f"http://127.0.0.1:{server.port}/")).status == 200
        await client.close()


async def test_a_refusal_reaches_a_peer_that_is_still_sending() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n" + b"x" * 8_000_000)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413 ")


async def test_length_and_chunks_together_are_read_as_chunks_and_end_the_connection() -> None:
    async with serving() as server:
        answer = await exchange(
            server,
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
        )
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_peer_that_leaves_cancels_its_handler() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Response:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Response(200)

    async with serving(wait) as server:
        async with connected(server) as (_, writer):
            writer.write(GET)
            await asyncio.wait_for(started.wait(), 5)
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_handler_that_raises_costs_one_500_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(request: Request) -> Response:
        raise ZeroDivisionError("a bug")

    async with serving(broken) as server:
        assert (await exchange(server, GET)).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert "ZeroDivisionError: a bug" in capsys.readouterr().err


async def test_a_handler_cannot_smuggle_a_header_in(capsys: pytest.CaptureFixture[str]) -> None:
    async def smuggle(request: Request) -> Response:
        return Response(200, ((b"X", b"a\r\nSet-Cookie: b"),))

    async with serving(smuggle) as server:
        answer = await exchange(server, GET)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"Cookie" not in answer
    assert "line break" in capsys.readouterr().err


async def test_close_lets_running_handlers_answer_within_the_grace() -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Response:
        started.set()
        await go.wait()
        return Response(200)

    server = await serve(wait, "127.0.0.1", 0)
    async with connected(server) as (reader, writer):
        writer.write(GET)
        await started.wait()
        closing = asyncio.ensure_future(server.close(5))
        await asyncio.sleep(0)
        go.set()
        assert b"Connection: close" in await reader.read()
        await closing


@pytest.mark.parametrize("steps", range(6))
async def test_a_connection_that_comes_while_the_server_closes_is_closed_too(steps: int) -> None:
    server = await serve(echo, "127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        for _ in range(steps):  # of the loop: before, while and after the connection is accepted
            await asyncio.sleep(0)
        await server.close()
        gc.collect()  # a transport that nobody closed would warn now, and a warning is an error
        link.setblocking(False)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(link, 1), 10) == b""
    assert not server.connections


async def test_close_without_grace_cuts_off() -> None:
    started = asyncio.Event()

    async def wait(request: Request) -> Response:
        started.set()
        await asyncio.Event().wait()
        return Response(200)

    server = await serve(wait, "127.0.0.1", 0)
    async with connected(server) as (reader, writer):
        writer.write(GET)
        await started.wait()
        await server.close()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


# --- the client ------------------------------------------------------------------------------------------------------


async def test_an_idle_connection_that_was_closed_is_replaced_without_a_second_delivery() -> None:
    seen: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(await reader.readexactly(1))
        assert b"Content-Length: 1" in head
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # says nothing of closing, and closes

    async with raw_server(once) as url:
        client = Client()
        await client.request("POST", url, (), b"1")
        await client.request("POST", url, (), b"2")
        await client.close()
    assert seen == [b"1", b"2"]


async def test_a_post_that_was_heard_and_not_answered_is_never_sent_again() -> None:
    seen: list[bytes] = []

    async def first_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seen.append(await reader.readexactly(1))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        seen.append(await reader.readexactly(1))

    async with raw_server(first_answers) as url:
        client = Client()
        await client.request("POST", url, (), b"1")
        with pytest.raises(UnansweredError):
            await client.request("POST", url, (), b"2")
        await client.close()
    assert seen == [b"1", b"2"]


async def test_a_get_on_a_kept_connection_that_closed_is_asked_again() -> None:
    connections = 0

    async def first_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        if connections == 2:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(first_answers) as url:
        client = Client()
        await client.request("GET", url)
        assert (await client.request("GET", url)).status == 200
        await client.close()
    assert connections == 2


async def test_a_refused_connection_says_so() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = Client()
        with pytest.raises(ConnectionRefusedError):
            await client.request("POST", f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        await client.close()


async def test_no_answer_within_the_timeout_is_a_timeout_and_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        gone.set()

    async with raw_server(hang) as url:
        client = Client()
        with pytest.raises(TimeoutError):
            await client.request("POST", url, timeout_s=0.05)
        await asyncio.wait_for(gone.wait(), 5)
        await client.close()


ANSWERS: dict[str, tuple[bytes, bytes | type[Exception]]] = {
    "by length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", b"hi"),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nhi", b"hi"),
    "without a reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "after early hints": (b"HTTP/1.1 103 Hi\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "no content": (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b""),
    "not HTTP": (b"garbage\r\n\r\n", MessageError),
    "a bad length": (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", MessageError),
    "cut in the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", TruncatedError),
    "cut in the head": (b"HTTP/1.1 200 OK\r\nConte", TruncatedError),
    "cut in a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", TruncatedError),
    "nothing": (b"", UnansweredError),
}


@pytest.mark.parametrize("how", ANSWERS)
async def test_an_answer_is_read_however_it_is_framed(how: str) -> None:
    message, expected = ANSWERS[how]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(message)
        await writer.drain()

    async with raw_server(answer) as url:
        client = Client()
        if isinstance(expected, bytes):
            got = await client.request("POST", url)
            assert (got.body, got.header(b"transfer-encoding")) == (expected, None)
        else:
            with pytest.raises(expected):
                await client.request("POST", url)
        await client.close()


async def test_a_truncated_answer_says_what_it_was() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oh No\r\nContent-Length: 9\r\n\r\nabc")

    async with raw_server(answer) as url:
        client = Client()
        with pytest.raises(TruncatedError) as caught:
            await client.request("POST", url)
        await client.close()
    assert (caught.value.status, caught.value.reason) == (500, "Oh No")


async def test_an_answer_larger_than_allowed_is_refused() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
        await writer.drain()

    async with raw_server(answer) as url:
        client = Client(max_body=1000)
        with pytest.raises(MessageError):
            await client.request("POST", url)
        await client.close()


@pytest.mark.parametrize(
    "url", ["", "/x", "ftp://x/", "http://", "http://x:port/", "http://x:99999/", "http://[::1", "http://x/a b", "a\0b"]
)
def test_what_is_no_url_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|percent"):
        split_url(url)


def test_a_url_is_taken_apart() -> None:
    assert split_url("http://x:81/a%20b?c=d#e") == (("x", 81, False), b"x:81", b"/a%20b?c=d")
    assert split_url("https://x") == (("x", 443, True), b"x", b"/")
    assert split_url("http://[::1]:80/") == (("::1", 80, False), b"[::1]:80", b"/")


async def test_a_header_with_a_line_break_is_never_sent() -> None:
    async with serving() as server:
        client = Client()
        with pytest.raises(ValueError, match="line break"):
            await client.request("POST", f"http://127.0.0.1:{server.port}/", [(b"a", b"b\r\nc: d")])
        await client.close()


async def test_a_closed_client_refuses() -> None:
    client = Client()
    await client.close()
    with pytest.raises(ConnectionError, match="closed"):
        await client.request("GET", "http://127.0.0.1:9/")


# --- the parser, whatever comes --------------------------------------------------------------------------------------

MESSAGE = (
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
)


def parsed(pieces: list[bytes]) -> list[tuple[bytes, bytes]]:
    parser, found, head = Parser(responses=False), [], None
    for piece in pieces:
        parser.feed(piece)
        while (head := head or parser.head()) is not None and (body := parser.body(head.length)) is not None:
            found.append((head.start[1], body))
            head = None
    return found


@given(st.lists(st.integers(0, len(MESSAGE)), max_size=30))
def test_messages_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(MESSAGE)]
    pieces = [MESSAGE[a:b] for a, b in itertools.pairwise(edges) if a != b]
    assert parsed(pieces) == [(b"/a", b"abc"), (b"/b", b"de")]


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=300)
def test_any_bytes_are_a_message_or_a_message_error(data: bytes, responses: bool) -> None:
    parser = Parser(responses=responses)
    parser.feed(data)
    status = 200
    try:
        head = parser.head()
        body = parser.body(head.length) if head is not None else None
    except MessageError as problem:
        status, body = problem.status, None
    assert status in (200, 400, 413, 431, 501, 502)
    assert body is None or len(body) <= len(data)


# --- work, counted in bytes and steps: it grows with what comes, not with its square ---------------------------------


class Work:
    """How many bytes and list items a parser has looked at."""

    done = 0

    def bytes(self, text: bytes) -> Any:
        """`text` as bytes that count what is searched and copied of them."""
        work = self

        class Counted(bytearray):
            def find(self, what: Any, start: Any = 0, end: Any = None) -> int:
                found = super().find(what, start)
                work.done += (len(self) if found < 0 else found) - start
                return found

            def __getitem__(self, key: Any) -> Any:
                found = super().__getitem__(key)
                work.done += len(found)
                return found

        return Counted(text)

    def list(self) -> list[Any]:
        """A list that counts what is iterated of it."""
        work = self

        class Counted(list[Any]):
            def __iter__(self) -> Iterator[Any]:
                for each in super().__iter__():
                    work.done += 1
                    yield each

        return Counted()


MANY = 2000
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG: dict[str, tuple[bytes, int]] = {
    "chunks of one byte": (CHUNKED + b"1\r\nx\r\n" * MANY + b"0\r\n\r\n", 1),
    "trailers": (CHUNKED + b"0\r\n" + b"a: b\r\n" * MANY + b"\r\n", 1),
    "headers": (GET[:-2] + b"a: b\r\n" * MANY + b"\r\n", 1),
    "empty lines before a request": (b"\r\n" * MANY + GET, 1),
    "small requests one behind the other": (GET * MANY, MANY),
}


@pytest.mark.parametrize("piece", [3, 1000, 1 << 20])
@pytest.mark.parametrize("what", LONG)
def test_the_work_of_a_message_grows_with_its_bytes(what: str, piece: int) -> None:
    text, wanted = LONG[what]
    work, parser, head, found = Work(), Parser(responses=False), None, 0
    parser._parts = work.list()
    for at in range(0, len(text), piece):
        parser.feed(work.bytes(text[at : at + piece]))
        while (head := head or parser.head()) is not None and parser.body(head.length) is not None:
            head, found = None, found + 1
    assert found == wanted
    assert work.done <= 6 * len(text)


def test_chunks_are_counted_together_and_per_message() -> None:
    parser = Parser(responses=False, max_body=6)
    parser.feed(b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n" * 2)
    assert [parser.body(-1), parser.body(-1)] == [b"abcdef", b"abcdef"]
    parser.feed(b"3\r\nabc\r\n3\r\ndef\r\n1\r\n")
    with pytest.raises(MessageError) as refused:
        parser.body(-1)
    assert refused.value.status == 413


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Fails what burns more CPU than that, instead of waiting for its end; the load of the machine is not counted."""

    def over(*_: object) -> None:
        raise AssertionError(f"it was still computing after {seconds} s of CPU")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("filler", [b" ", b"\t", b"x", b"a:", b": ", b"\xff"])
def test_a_header_line_of_a_megabyte_that_ends_badly_is_refused_at_once(filler: bytes) -> None:
    parser = Parser(responses=False)
    parser.feed(b"GET / HTTP/1.1\r\nHost: x\r\na:" + filler * ((MAX_HEADERS - 100) // len(filler)) + b"\x01\r\n\r\n")
    with cpu_limit(5), pytest.raises(MessageError) as refused:  # it takes milliseconds; were it quadratic, hours
        parser.head()
    assert refused.value.status == 400
