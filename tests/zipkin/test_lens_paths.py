"""Where a real Zipkin shows its pages, our store shows the same ones: paths, statuses, types, caching and bodies."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.tracestore.asking import Asking
from tests.zipkin import real
from toolkit.engines import zipkin_client
from toolkit.engines.tracestore import lens, serve
from toolkit.sdk.http1 import Client, Response

pytestmark = [pytest.mark.zipkin, pytest.mark.timeout(150)]
TOLD = (b"content-type", b"cache-control", b"location")
START_WITHIN_S = 90.0
PATHS = [
    "/", "/zipkin", "/?serviceName=a", "/zipkin?x=1", "/favicon.ico",
    "/zipkin/", "/zipkin/?serviceName=a", "/zipkin/index.html", "/zipkin/dependency", "/zipkin/traceViewer",
    "/zipkin/traces/abc", "/zipkin/traces/%3Cscript%3E",
    "/zipkin/config.json", "/zipkin/favicon.ico", "/zipkin/static/media/zipkin-logo.png",
]  # fmt: skip
NOWHERE = [
    "/index.html", "/config.json", "/zipkin/nope", "/zipkin/nope.html", "/zipkin/test.js", "/zipkin/static/",
    "/zipkin/static/nope.js", "/zipkin/traces", "/zipkin/traces/", "/zipkin/traces/a/b", "/zipkin/dependency/",
    "/zipkin/api/v2/nope", "/zipkin/META-INF/MANIFEST.MF",
]  # fmt: skip


class Both:
    """The real one and ours, with the pages of one release."""

    def __init__(self, url: str, ours: Asking) -> None:
        self._url, self._ours = url, ours

    async def ask(self, path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> tuple[Response, Response]:
        there = await self._ours.client.request(method, self._url + path, headers, timeout_s=10)
        return there, await self._ours.get(path, *headers, method=method)


@pytest_asyncio.fixture
async def both(zipkin_url: str) -> AsyncIterator[Both]:
    await zipkin_client.ready(zipkin_url, within_s=START_WITHIN_S)
    store = await serve("127.0.0.1", 0, pages=lens.read(real.server_jar()))
    client = Client()
    try:
        yield Both(zipkin_url, Asking(store, client, []))
    finally:
        await client.close()
        await store.close()


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_the_same(both: Both, path: str) -> None:
    there, here = await both.ask(path)
    assert here.status == there.status
    assert [here.header(name) for name in TOLD] == [there.header(name) for name in TOLD]
    for name in (b"etag", b"last-modified"):
        assert (here.header(name) is None) == (there.header(name) is None)
    if path != "/zipkin/config.json":
        assert here.body == there.body


@pytest.mark.parametrize("path", NOWHERE)
async def test_where_there_is_no_page_there_is_none(both: Both, path: str) -> None:
    there, here = await both.ask(path)
    assert (here.status, there.status) == (404, 404)


async def test_the_pages_are_told_the_same(both: Both) -> None:
    there, here = await both.ask("/zipkin/config.json")
    assert json.loads(here.body) == json.loads(there.body)


async def test_what_the_document_names_is_the_same(both: Both) -> None:
    index, _ = await both.ask("/zipkin/")
    named = re.findall(r'(?:src|href)="(/zipkin/[^"]+\.(?:js|css|ico))"', index.body.decode())
    assert len(named) == 3
    for path in named:
        there, here = await both.ask(path)
        assert here.body == there.body
        assert [here.header(name) for name in TOLD] == [there.header(name) for name in TOLD]
        packed = await both.ask(path, (b"Accept-Encoding", b"gzip"))
        encodings = {answer.header(b"content-encoding") for answer in packed}
        assert len(encodings) == 1, path
        known = [each.header(b"etag") or b"" for each in (there, here)]
        assert len(set(known)) == 2
        for answer in await both.ask(path, (b"If-None-Match", b", ".join(known))):
            assert (answer.status, answer.body) == (304, b"")


async def test_pages_are_only_read(both: Both) -> None:
    for path in ("/zipkin/", "/zipkin/config.json"):
        there, here = await both.ask(path, method="POST")
        assert (here.status, there.status) == (405, 405)
        there, here = await both.ask(path, method="HEAD")
        assert (here.status, there.status) == (200, 200)
        assert here.body == there.body == b""
