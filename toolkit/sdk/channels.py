"""The client side of call edges: one channel per target for the whole process.

May live here: grpc.aio channels. May not: which edge, which ids, which spans (`toolkit.sdk.context`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio

from toolkit.sdk.failures import CallFailed

T = TypeVar("T")
Metadata = Sequence[tuple[str, str | bytes]]
StreamCall = grpc.aio.StreamUnaryCall[bytes, bytes]

OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # an edge goes to its function, whatever http_proxy says
    ("grpc.initial_reconnect_backoff_ms", 100),  # a restarting callee is met soon after it is back (default: 1 s)
    ("grpc.max_reconnect_backoff_ms", 1000),
)


def balanced(address: str) -> tuple[tuple[str, str], ...]:
    """Options for a target: one that lists several addresses (`ipv4:a,b`) gives each of them its share of the calls."""
    return (("grpc.lb_policy_name", "round_robin"),) if "," in address else ()


class Channels:
    """A pool of channels; calls wait for a callee that is not there yet, within their deadline."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._unary: dict[tuple[str, str], grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._streams: dict[tuple[str, str], grpc.aio.StreamUnaryMultiCallable[bytes, bytes]] = {}

    async def call(
        self, to: str, address: str, path: str, request: bytes, metadata: Metadata, timeout_s: float
    ) -> bytes:
        """One unary call; raises CallFailed."""
        method = self._unary.get((address, path))
        if method is None:
            method = self._unary[address, path] = self._channel(address).unary_unary("/" + path)
        try:
            return await method(request, timeout=timeout_s, metadata=tuple(metadata), wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise CallFailed(to, error.code().name, error.details() or "") from None

    async def stream(
        self, to: str, address: str, path: str, requests: AsyncIterable[bytes], metadata: Metadata, timeout_s: float
    ) -> bytes:
        """One client-streaming call; raises CallFailed, and whatever `requests` raises, having cancelled the call."""
        method = self._streams.get((address, path))
        if method is None:
            method = self._streams[address, path] = self._channel(address).stream_unary("/" + path)
        call = method(timeout=timeout_s, metadata=tuple(metadata), wait_for_ready=True)
        statuses: list[tuple[str, str]] = []
        call.add_done_callback(lambda _: statuses.append(_status(call)))
        try:
            async for request in requests:
                if not await _written(call, request):
                    break
            else:
                await call.done_writing()
            return await call
        except grpc.aio.AioRpcError as error:
            code, details = next(filter(_sent_by_peer, statuses), (error.code().name, error.details() or ""))
            raise CallFailed(to, code, details) from None
        except BaseException:
            call.cancel()
            raise

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, address: str) -> grpc.aio.Channel:
        channel = self._channels.get(address)
        if channel is None:
            options = (*OPTIONS, *balanced(address))
            channel = self._channels[address] = grpc.aio.insecure_channel(address, options=options)
        return channel


async def _written(call: StreamCall, request: bytes) -> bool:
    """Whether the call still takes requests; when not, awaiting it tells why."""
    if call.done():
        return False
    try:
        await call.write(request)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return False
    return True


def _status(call: StreamCall) -> tuple[str, str]:
    return _at_once(call.code()).name, _at_once(call.details()) or ""


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that has nothing to wait for: the status of a call that is done."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise RuntimeError("the status of a call that is done had to be waited for")


def _sent_by_peer(status: tuple[str, str]) -> bool:
    # A write that meets the end of the call overwrites the status that ended it (grpc/grpc#36066): every status is
    # kept as it comes, and the made-up one passed over.
    return status != ("INTERNAL", "Internal error from Core")
