"""Who sends to the functions that are measured: gRPC calls, and events over HTTP/1.1, a fixed number under way at once.

May live here: clients as cheap as Python allows, for the CPU they burn is taken from what is measured beside them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc.aio

from toolkit.contract import ENTRY_METHOD, Metadata
from toolkit.stubs.helloworld_pb2 import HelloRequest

CONCURRENCY = 32
WITHIN_S = 30.0  # for a function to come up, and for one answer
METADATA = Metadata("perf", "0" * 32, "2026-01-02T03:04:05.000000006Z").encode()
REQUEST = HelloRequest(name="x" * 100, vHiveMetadata=METADATA).SerializeToString()
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{}"
EVENT = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: perf\r\nce-type: perf\r\n"
    "Content-Type: application/octet-stream\r\ntraceparent: {traceparent}\r\nContent-Length: 100\r\n\r\n" + "x" * 100
)

Send = Callable[[bool], Awaitable[None]]  # one message, sampled or not; returns once it was answered


@contextlib.asynccontextmanager
async def calling(port: int) -> AsyncIterator[Sequence[Send]]:
    """One sender for each call under way, on one connection."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.unary_unary("/" + ENTRY_METHOD)

        async def send(sampled: bool) -> None:
            await method(REQUEST, metadata=(("traceparent", TRACEPARENT.format(int(sampled))),), timeout=WITHIN_S)

        await method(REQUEST, wait_for_ready=True, timeout=WITHIN_S)
        yield [send] * CONCURRENCY


@contextlib.asynccontextmanager
async def delivering(port: int) -> AsyncIterator[Sequence[Send]]:
    """One sender for each event under way, each on a connection of its own, as a dispatcher has them."""
    events = [EVENT.format(id="0" * 32, traceparent=TRACEPARENT.format(sampled)).encode() for sampled in (0, 1)]
    pairs = [await _connected(port) for _ in range(CONCURRENCY)]

    def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Send:
        async def send(sampled: bool) -> None:
            writer.write(events[sampled])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            if size := int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
                await reader.readexactly(size)

        return send

    yield [sender(*pair) for pair in pairs]
    for _, writer in pairs:
        writer.close()


async def drive(senders: Sequence[Send], one_in: int | None, seconds: float) -> tuple[int, float]:
    """Messages one after another over each sender for `seconds`; how many were answered, and in how many seconds."""
    begun = time.perf_counter()
    ends, count = begun + seconds, 0

    async def worker(send: Send) -> None:
        nonlocal count
        while time.perf_counter() < ends:
            count += 1
            await send(one_in is not None and count % one_in == 0)

    await asyncio.gather(*map(worker, senders))
    return count, time.perf_counter() - begun


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    ends = time.monotonic() + WITHIN_S
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(0.02)
