"""A page's server on a real socket, and a client of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.unit.report.traces.made import eventing, hostile, strangers, traced
from toolkit.explorer import server
from toolkit.explorer.fixed import Fixed
from toolkit.explorer.server import Explorer
from toolkit.explorer.source import Source
from toolkit.sdk.http1 import Client, Response

TRACES = [*(eventing(number, slower=1 + number) for number in range(10)), strangers(10), hostile(11)]
OTHER = [eventing(number, slower=2) for number in range(100, 110)]


class Asking:
    def __init__(self, explorer: Explorer, client: Client) -> None:
        self.explorer, self.client = explorer, client

    async def get(self, path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Response:
        return await self.client.request(method, self.explorer.url.rstrip("/") + path, headers, timeout_s=20)

    async def json(self, path: str, status: int = 200) -> Any:
        answer = await self.get(path)
        assert answer.status == status, answer.body
        assert answer.header(b"content-type") == b"application/json"
        return json.loads(answer.body)


@asynccontextmanager
async def asking(source: Source | None = None, against: Source | None = None) -> AsyncIterator[Asking]:
    explorer = await server.serve("traces", Fixed(traced(TRACES)) if source is None else source, against)
    client = Client()
    try:
        yield Asking(explorer, client)
    finally:
        await client.close()
        await explorer.close()
