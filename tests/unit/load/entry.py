"""A real entry on loopback, whose answers a test can hold back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from toolkit.load.health import SERVING
from toolkit.stubs.helloworld_pb2 import HelloReply

Answer = Callable[["Entry", bytes, Any], Awaitable[bytes]]


async def at_once(entry: Entry, request: bytes, context: Any) -> bytes:
    return HelloReply(message="hello").SerializeToString()


async def when_opened(entry: Entry, request: bytes, context: Any) -> bytes:
    await entry.gate.wait()
    return await at_once(entry, request, context)


@dataclass(slots=True)
class Entry:
    """What came, and how many calls were there at once at most."""

    answer: Answer
    target: str = ""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[bytes] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    inside: int = 0
    most_inside: int = 0

    async def say_hello(self, request: bytes, context: Any) -> bytes:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            return await self.answer(self, request, context)
        finally:
            self.inside -= 1


async def _serving(request: bytes, context: Any) -> bytes:
    return SERVING


@contextlib.asynccontextmanager
async def entry(answer: Answer = at_once) -> AsyncIterator[Entry]:
    found, server = Entry(answer), grpc.aio.server()
    method: Any = grpc.unary_unary_rpc_method_handler(found.say_hello)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("helloworld.Greeter", {"SayHello": method}),))
    health: Any = grpc.unary_unary_rpc_method_handler(_serving)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": health}),))
    found.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield found
    finally:
        await server.stop(None)
