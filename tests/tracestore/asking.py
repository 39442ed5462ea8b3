"""Asking a store over a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from toolkit.engines.tracestore import TraceStore, serve
from toolkit.sdk.http1 import Client, Response

JSON = ((b"Content-Type", b"application/json"),)
NOW_US = 1795321593143664


class Asking:
    """A store and a client of it. `warnings` is what the store had to say."""

    def __init__(self, store: TraceStore, client: Client, warnings: list[str]) -> None:
        self.store, self.client, self.warnings = store, client, warnings

    async def get(self, path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Response:
        return await self.client.request(method, self.store.url + path, headers, timeout_s=10)

    async def post(
        self, body: bytes, headers: Iterable[tuple[bytes, bytes]] = JSON, path: str = "/api/v2/spans"
    ) -> Response:
        return await self.client.request("POST", self.store.url + path, headers, body, timeout_s=10)

    async def put(self, *spans: dict[str, Any]) -> None:
        """Have these spans stored."""
        answer = await self.post(json.dumps(spans).encode())
        assert answer.status == 202, answer.body

    async def json(self, path: str) -> Any:
        answer = await self.get(path)
        assert answer.status == 200, answer.body
        assert answer.header(b"content-type") == b"application/json"
        return json.loads(answer.body)

    async def trace_ids(self, query: str) -> list[str]:
        return [trace[0]["traceId"] for trace in await self.json(f"/api/v2/traces?{query}")]


@asynccontextmanager
async def asking(store: Path | None = None, **limits: Any) -> AsyncIterator[Asking]:
    warnings: list[str] = []
    running = await serve("127.0.0.1", 0, store, on_warning=warnings.append, **limits)
    client = Client()
    try:
        yield Asking(running, client, warnings)
    finally:
        await client.close()
        await running.close()


def wire(trace: int, number: int = 1, **fields: Any) -> dict[str, Any]:
    """Span `number` of trace `trace`, as it is sent."""
    least = {
        "traceId": f"{(1 << 100) + trace:032x}",
        "id": f"{number:016x}",
        "name": "work",
        "timestamp": NOW_US,
        "duration": 100,
    }
    return {**least, "localEndpoint": {"serviceName": "a"}, **fields}
