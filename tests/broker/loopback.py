"""A broker of ours in this process, a producer before it and subscribers behind it, all on loopback.

May live here: what several tests drive a broker with. No expectations.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from toolkit.engines.local.broker import BrokerConfig, RunningBroker, TriggerConfig, serve
from toolkit.results import Incident
from toolkit.sdk import http1
from toolkit.sdk.http1 import Client, Request, Response

EVENT = ((b"ce-specversion", b"1.0"), (b"ce-type", b"t"), (b"ce-source", b"/s"), (b"ce-id", b"1"))
REPLY = ((b"ce-specversion", b"1.0"), (b"ce-type", b"re"), (b"ce-source", b"/r"), (b"ce-id", b"r"))


class Far:
    """A subscriber that keeps what it got."""

    def __init__(self, answer: Callable[[Request], Response] = lambda request: Response(200)) -> None:
        self.answer = answer
        self.got: list[Request] = []
        self.url = ""

    async def handle(self, request: Request) -> Response:
        self.got.append(request)
        return self.answer(request)


@asynccontextmanager
async def listening(*fars: Far) -> AsyncIterator[None]:
    servers = []
    for far in fars:
        server = await http1.serve(far.handle, "127.0.0.1", 0)
        far.url = f"http://127.0.0.1:{server.port}/"
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            await server.close()


@asynccontextmanager
async def running(
    *triggers: TriggerConfig, incidents: list[Incident] | None = None, **fields: Any
) -> AsyncIterator[tuple[RunningBroker, Callable[..., Awaitable[Response]]]]:
    told = incidents if incidents is not None else []
    broker = await serve([BrokerConfig("ns", "b", triggers, **fields)], on_incident=told.append)
    client = Client()

    async def post(body: bytes = b"{}", headers: http1.Headers = EVENT) -> Response:
        return await client.request("POST", broker.url("ns", "b"), headers, body)

    try:
        yield broker, post
    finally:
        await client.close()
        await broker.close()


def only(kind: str, incidents: list[Incident]) -> list[str]:
    return [incident.text for incident in incidents if incident.kind == kind]


class Gate:
    """A subscriber that answers when it is let; `came` counts who waits."""

    def __init__(self, answer: Callable[[Request], Response] = lambda request: Response(200)) -> None:
        self.answer = answer
        self.let = asyncio.Event()
        self.came: asyncio.Queue[Request] = asyncio.Queue()

    async def handle(self, request: Request) -> Response:
        self.came.put_nowait(request)
        await self.let.wait()
        return self.answer(request)


@asynccontextmanager
async def gated(gate: Gate) -> AsyncIterator[str]:
    server = await http1.serve(gate.handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        await server.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what it asks tells nobody when it changes
            await asyncio.sleep(0.001)
