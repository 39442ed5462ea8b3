"""What others may take of the store, over real sockets: who asks too much waits, and everybody else is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.tracestore.asking import wire
from toolkit.engines.tracestore import TraceStore, limits
from toolkit.engines.tracestore.limits import Limits
from toolkit.engines.waiting import until
from toolkit.sdk.http1 import Client, Request, Response

HEAD = b"POST /api/v2/spans HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Held:
    """A handler that answers when it is let."""

    def __init__(self) -> None:
        self.going, self.running = asyncio.Event(), 0

    async def __call__(self, request: Request) -> Response:
        self.running += 1
        await self.going.wait()
        return Response(200, (), request.body[:20])


@asynccontextmanager
async def serving(handler: Held, allowed: Limits) -> AsyncIterator[limits.Server]:
    server = await limits.serve(handler, "127.0.0.1", 0, max_body=1 << 20, limits=allowed)
    try:
        yield server
    finally:
        handler.going.set()
        await server.close(1)


async def opened(server: limits.Server | TraceStore) -> Socket:
    return await asyncio.open_connection(server.host, server.port)


async def said(socket: Socket) -> bytes:
    """What comes until the server parts."""
    async with asyncio.timeout(10):
        return await socket[0].read()


async def closed(*sockets: Socket) -> None:
    for _, writer in sockets:
        writer.close()


async def test_more_posts_than_may_run_at_once_are_told_to_come_back() -> None:
    handler, client = Held(), Client()
    async with serving(handler, Limits(posts=2)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        running = [asyncio.create_task(client.request("POST", url, (), b"x")) for _ in range(2)]
        assert await until(lambda: _is(handler.running == 2), within_s=5)
        third = await client.request("POST", url, (), b"x")
        assert (third.status, third.header(b"retry-after")) == (429, b"1")
        handler.going.set()
        assert [(await each).status for each in running] == [200, 200]
        assert (await client.request("POST", url, (), b"x")).status == 200
        assert (server.usage.posts, server.usage.refused, server.usage.waiting_bytes) == (0, 1, 0)
        await client.close()


async def _is(fact: bool) -> bool:
    return fact


async def test_questions_are_answered_while_posts_are_turned_away() -> None:
    handler, client = Held(), Client()
    async with serving(handler, Limits(posts=0, questions=1)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        handler.going.set()
        assert (await client.request("POST", url, (), b"x")).status == 429
        assert (await client.request("GET", url)).status == 200
        await client.close()


async def test_bytes_that_wait_are_bounded_over_all_connections() -> None:
    handler = Held()
    async with serving(handler, Limits(waiting_bytes=100_000)) as server:
        waiting = [await opened(server) for _ in range(3)]
        for _, writer in waiting:
            writer.write(HEAD % 90_000 + b"x" * 40_000)
        first_told = [asyncio.create_task(said(each)) for each in waiting]
        done, _ = await asyncio.wait(first_told, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        (told,) = done
        assert told.result().startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"\r\nRetry-After: 1\r\n" in told.result()
        assert server.usage.waiting_bytes <= 100_000
        for each in first_told:
            each.cancel()
        await closed(*waiting)
        assert await until(lambda: _is(server.usage.waiting_bytes == 0), within_s=5)


async def test_a_request_that_trickles_in_is_ended_in_time() -> None:
    async with serving(Held(), Limits(request_s=0.2)) as server:
        slow = await opened(server)
        slow[1].write(HEAD % 100 + b"[")
        answer = await said(slow)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert answer.endswith(b"the request did not come in time")
        await closed(slow)
        assert server.usage.late == 1


async def test_a_connection_that_says_nothing_is_ended_without_a_word() -> None:
    async with serving(Held(), Limits(request_s=0.1)) as server:
        silent = await opened(server)
        assert await said(silent) == b""
        await closed(silent)


async def test_a_connection_that_rests_between_requests_is_kept_for_its_time() -> None:
    handler = Held()
    handler.going.set()
    async with serving(handler, Limits(request_s=0.1, idle_s=0.5)) as server:
        resting = await opened(server)
        resting[1].write(GET)
        assert (await resting[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.2)  # longer than a request may take
        resting[1].write(GET)
        assert (await resting[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await said(resting) == b""
        await closed(resting)


async def test_who_does_not_take_an_answer_is_left() -> None:
    class Large(Held):
        async def __call__(self, request: Request) -> Response:
            return Response(200, (), b"x" * (64 << 20))

    async with serving(Large(), Limits(answer_s=0.3)) as server:
        deaf = await opened(server)
        deaf[1].write(GET)
        assert await until(lambda: _is(server.usage.late == 1 and server.usage.connections == 0), within_s=10)
        await closed(deaf)


async def test_answers_that_nobody_takes_are_bounded_and_small_ones_go_on() -> None:
    class Sized(Held):
        async def __call__(self, request: Request) -> Response:
            return Response(200, (), b"x" * int(request.target[1:]))

    ask = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    size = 16 << 20
    async with serving(Sized(), Limits(answer_bytes=2 * size)) as server:
        deaf = [await opened(server) for _ in range(6)]
        for each in deaf:
            each[1].write(ask % size)
        assert await until(lambda: _is(server.usage.refused == 4), within_s=10)
        assert server.usage.answer_bytes == 2 * size
        client, url = Client(), f"http://127.0.0.1:{server.port}"
        large = await client.request("GET", f"{url}/{1 << 20}")
        assert (large.status, large.header(b"retry-after")) == (429, b"1")
        assert (await client.request("GET", f"{url}/1000")).status == 200
        await closed(*deaf)
        assert await until(lambda: _is(server.usage.answer_bytes == 0), within_s=10)
        alone = await client.request("GET", f"{url}/{3 * size}")
        assert (alone.status, len(alone.body)) == (200, 3 * size)
        assert await until(lambda: _is(server.usage.answer_bytes == 0), within_s=10)
        await client.close()


async def test_more_connections_than_may_be_are_told_so() -> None:
    async with serving(Held(), Limits(connections=2)) as server:
        kept = [await opened(server) for _ in range(2)]
        third = await opened(server)
        assert (await said(third)).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        await closed(*kept, third)
        assert await until(lambda: _is(server.usage.connections == 0), within_s=5)


async def test_requests_one_behind_the_other_are_all_answered() -> None:
    handler = Held()
    handler.going.set()
    async with serving(handler, Limits()) as server:
        pipelined = await opened(server)
        pipelined[1].write(GET * 3 + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert (await said(pipelined)).count(b"HTTP/1.1 200 OK\r\n") == 4
        await closed(pipelined)
        assert server.usage.waiting_bytes == 0


@pytest.mark.parametrize("slow", [b"", b"GET ", HEAD % 50 + b"[{"])
async def test_a_store_full_of_slow_peers_takes_spans(slow: bytes) -> None:
    from toolkit.engines import tracestore

    store = await tracestore.serve("127.0.0.1", 0)
    client = Client()
    try:
        peers = [await opened(store) for _ in range(100)]
        for _, writer in peers:
            writer.write(slow)
        body = json.dumps([wire(1)]).encode()
        answer = await client.request(
            "POST", store.url + "/api/v2/spans", ((b"Content-Type", b"application/json"),), body
        )
        assert answer.status == 202
        await closed(*peers)
    finally:
        await client.close()
        await store.close()
