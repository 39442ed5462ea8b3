from __future__ import annotations

import dataclasses
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.tracestore.asking import asking
from tests.unit.traces.made import TRACE, calls, span
from toolkit.engines import zipkin_client
from toolkit.errors import EngineError
from toolkit.sdk import http1
from toolkit.sdk.http1 import Request, Response
from toolkit.traces import zipkin


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[str]:
    """The base URL of somebody who always answers the same."""

    async def handler(_: Request) -> Response:
        return Response(status, (), body)

    server = await http1.serve(handler, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.close()


async def test_spans_that_were_sent_come_back() -> None:
    played = calls()
    async with asking() as it:
        await zipkin_client.send(it.store.url, played.spans)
        found = await zipkin_client.spans(it.store.url, [played.spans[0].trace])
        assert sorted(found, key=lambda each: each.id) == played.spans


async def test_thousands_of_spans_of_thousands_of_traces_go_in_pieces_both_ways() -> None:
    many = [span(number, "a") for number in range(1, 2502)]
    apart = [dataclasses.replace(each, trace=f"{(1 << 100) + at:032x}") for at, each in enumerate(many)]
    async with asking() as it:
        await zipkin_client.send(it.store.url, apart)
        found = await zipkin_client.spans(it.store.url, [each.trace for each in apart])
        assert {each.id for each in found} == {each.id for each in many}


async def test_traces_that_are_not_there_have_no_spans() -> None:
    async with asking() as it:
        assert await zipkin_client.spans(it.store.url, []) == []
        assert await zipkin_client.spans(it.store.url, ["1"]) == []
        assert await zipkin_client.spans(it.store.url, ["1", "2", "1"]) == []


async def test_nothing_to_send_is_not_sent() -> None:
    await zipkin_client.send("http://127.0.0.1:1", [])


async def test_sending_is_over_when_a_store_that_is_slow_to_show_its_spans_shows_them() -> None:
    asked = []

    async def handler(request: Request) -> Response:
        if request.method == "POST":
            return Response(202)
        asked.append(request.target)
        return Response(404) if len(asked) < 3 else Response(200, (), zipkin.encode([span(2)]))

    server = await http1.serve(handler, "127.0.0.1", 0)
    await zipkin_client.send(f"http://127.0.0.1:{server.port}", [span(1), span(2)])
    await server.close()
    assert asked == [f"/api/v2/trace/{TRACE}"] * 3


async def test_a_store_that_never_shows_a_span_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipkin_client, "SHOWN_WITHIN_S", 0.02)
    methods = set()

    async def handler(request: Request) -> Response:
        methods.add(request.method)
        return Response(202 if request.method == "POST" else 404)

    server = await http1.serve(handler, "127.0.0.1", 0)
    await zipkin_client.send(f"http://127.0.0.1:{server.port}", [span(1)])
    await server.close()
    assert methods == {"POST", "GET"}


@pytest.mark.parametrize("tail", ["", "/", "/zipkin", "/api/v2/spans", "/zipkin/api/v2/spans/"])
async def test_the_base_url_may_be_given_as_people_give_it(tail: str) -> None:
    async with asking() as it:
        await zipkin_client.ready(it.store.url + tail)
        assert zipkin_client.spans_url(it.store.url + tail).count("/api/v2/spans") == 1


async def test_a_store_that_is_not_there_is_named_with_the_next_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    with pytest.raises(EngineError, match=f"{base}/api/v2/trace/1 cannot be reached") as caught:
        await zipkin_client.spans(base, ["1"])
    assert "toolkit trace serve" in (caught.value.next_step or "")
    with pytest.raises(EngineError, match=r"the trace store was not ready after 0\.05 s: .* cannot be reached"):
        await zipkin_client.ready(base, within_s=0.05)


@pytest.mark.parametrize("url", ["", "127.0.0.1:9411", "ftp://host", "http://", "http://h:port", "http://h/ö"])
async def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(EngineError, match="cannot be asked"):
        await zipkin_client.spans(url, ["1"])


async def test_who_answers_but_is_no_zipkin_is_said() -> None:
    async with answering(200, b"<html>hello</html>") as base:
        with pytest.raises(EngineError, match="something else than spans: not JSON"):
            await zipkin_client.spans(base, ["1"])
        with pytest.raises(EngineError, match="something else than spans"):
            await zipkin_client.spans(base, ["1", "2"])
        with pytest.raises(EngineError, match="something else than a Zipkin's list of services: '<html>hello"):
            await zipkin_client.ready(base)
    async with answering(500, b"\x1b[31m broken") as base:
        with pytest.raises(EngineError, match=r"answered 500: '\\x1b\[31m broken'"):
            await zipkin_client.spans(base, ["1"])
        with pytest.raises(EngineError, match="answered 500"):
            await zipkin_client.send(base, [span(1)])
        with pytest.raises(EngineError, match="answered 500"):
            await zipkin_client.ready(base, within_s=0)


async def test_who_answers_questions_but_takes_no_spans_is_said_before_any_is_lost() -> None:
    async def pages_only(request: Request) -> Response:
        return Response(200, (), b"[]") if request.method == "GET" else Response(405)

    server = await http1.serve(pages_only, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.port}"
    await zipkin_client.ready(base)
    with pytest.raises(EngineError, match=f"{base}/api/v2/spans answered 405"):
        await zipkin_client.ready(base, sending=True)
    with pytest.raises(
        EngineError, match=f"{base}/zipkin/api/v2/spans takes no spans: a Zipkin has its pages"
    ) as caught:
        await zipkin_client.ready(f"{base}/zipkin/", sending=True)
    assert caught.value.next_step == f"name it {base}"
    await server.close()
