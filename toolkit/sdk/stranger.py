"""A stranger: a program or a container of anybody's that does a function's work; the scaffold stands before it.

Each message is handed on as it came, over gRPC with the same method or as the same event, with the trace context of
the function's span, so that the stranger's own spans join the trace; its answer, status and details are the function's.
May live here: that, and the life of the stranger beside the scaffold's. May not: processes (`toolkit.sdk.program`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from toolkit import contract
from toolkit.contract import Wiring
from toolkit.sdk import methods, ports
from toolkit.sdk.arrival import Arrival, Incoming
from toolkit.sdk.channels import Channels
from toolkit.sdk.cloudevents import Event, EventError, decode, encode_binary
from toolkit.sdk.context import Context
from toolkit.sdk.egress import Egress
from toolkit.sdk.failures import CallFailed, Refused, WiringError
from toolkit.sdk.handling import Handling
from toolkit.sdk.http1 import Client, Response
from toolkit.sdk.message import Message
from toolkit.sdk.program import LOOPBACK, Program, environment
from toolkit.sdk.propagation import B3, TRACEPARENT, TRACESTATE, Position

T = TypeVar("T")

EXIT_GONE = 3  # of a function whose stranger left
POLL_S = 0.02
CHECK_S = 5.0  # for an answer about its health
MAX_REASON = 300  # characters of a refusal that are worth repeating
HEALTH = "grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
_HOP = (TRACEPARENT, TRACESTATE, B3, "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags")
_TRANSPORT = (":", "grpc-", "user-agent", "content-type", "te")  # of a connection, not of a message
_OURS = (contract.METADATA_KEY, contract.MESSAGE_KEY, contract.SENDER_KEY, *_HOP)
_log = logging.getLogger(__name__)

_beside: list[Stranger] = []  # the one of this process


async def relay(ctx: Context, request: Any) -> Any:
    """The handler: what the stranger makes of it."""
    if not _beside:
        raise Refused("UNIMPLEMENTED", f"the program of '{ctx.function}' runs beside a process of its own only")
    handling = ctx._handling
    if handling.arrival.via == "event":
        return await _beside[0].event(handling, request)
    return await _beside[0].call(handling, request)


async def beside(
    wiring: Wiring,
    inherited: Mapping[str, str],
    stopping: asyncio.Event,
    serve: Callable[[], Awaitable[tuple[int, int]]],
) -> tuple[int, int]:
    """Has the stranger ready before `serve` begins, and ends it after; what `serve` returns, or `EXIT_GONE`.

    Once the stranger is gone `stopping` is set: whoever started us starts both again. Raises WiringError.
    """
    stranger = await Stranger.start(wiring, inherited)
    _beside.append(stranger)
    watch = asyncio.create_task(stranger.follow(stopping))
    try:
        await stranger.ready(stopping)
        status, stuck = await serve() if not stranger.left else (0, 0)
        return (EXIT_GONE if stranger.left else status), stuck
    finally:
        watch.cancel()
        _beside.clear()
        await stranger.close()


def _port() -> int:
    for port in ports.free(LOOPBACK):
        return port
    raise WiringError(f"wiring.command: no port between {ports.FIRST} and {ports.LAST} is free for the program")


class Stranger:
    """Who does the work, at a loopback address. `left` says how it ended, once it has."""

    def __init__(self, wiring: Wiring, address: str, program: Program | None, egress: Egress | None) -> None:
        self._wiring, self._address, self._program = wiring, address, program
        self._calls, self._client, self._egress = Channels(), Client(), egress
        self.left: str | None = None

    @staticmethod
    async def start(wiring: Wiring, inherited: Mapping[str, str]) -> Stranger:
        egress = await _egress(wiring, inherited)
        if wiring.relay is not None:
            return Stranger(wiring, wiring.relay, None, egress)
        port = _port()
        folder = inherited.get(contract.FOLDER) or None
        told = environment(wiring, inherited, port) | ({contract.EGRESS: egress.address} if egress else {})
        try:
            program = await Program.start(wiring.command, folder, told)
        except WiringError:
            if egress is not None:
                await egress.close()
            raise
        return Stranger(wiring, f"{LOOPBACK}:{port}", program, egress)

    async def follow(self, stopping: asyncio.Event) -> None:
        """Says it, and lets the function end, once the program is gone before its time."""
        if self._program is None:
            return
        how = await asyncio.shield(self._program.gone)
        if not stopping.is_set():
            self.left = how
            print(f"toolkit.sdk: the program of '{self._wiring.function}' is gone: {how}", file=sys.stderr, flush=True)
            stopping.set()

    async def ready(self, stopping: asyncio.Event) -> None:
        """Returns once it listens, and is healthy if it can tell; or there is no use in waiting any more."""
        waits = asyncio.ensure_future(self._is_ready())
        ends = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait((waits, ends), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waits.cancel()
            ends.cancel()

    async def call(self, handling: Handling, request: Any) -> methods.Raw:
        """Its reply, as it is on the wire. Raises Refused with its status."""
        arrival, wiring = handling.arrival, handling.wiring
        method = methods.find(arrival.method or contract.GENERIC_METHOD)
        where = (wiring.function, self._address, method.path)
        metadata, timeout_s = _metadata(arrival, handling.span.position), handling.timeout(None)
        if isinstance(request, Incoming):
            sent = self._calls.stream(*where, request.raw(), metadata, timeout_s)
        else:
            raw = method.request.serialize(request) if wiring.takes else arrival.raw  # what came may be a reference
            sent = self._calls.call(*where, raw, metadata, timeout_s)
        try:
            with self._out(handling):
                return methods.Raw(await self._alive(sent))
        except CallFailed as failed:
            raise Refused(failed.code, failed.details) from failed

    async def event(self, handling: Handling, message: Message) -> Message | None:
        """What it answers with, if that is an event that some edge takes. Raises Refused when it does not take ours."""
        arrival = handling.arrival
        metadata = base64.b64encode(arrival.metadata).decode()
        attributes = {**arrival.headers, contract.METADATA_EXTENSION: metadata}
        headers, body = encode_binary(Event(attributes, message.data))
        hop = tuple((name.encode(), value.encode()) for name, value in _hop(handling.span.position))
        post = self._client.request(
            "POST", f"http://{self._address}/", (*headers, *hop), body, timeout_s=handling.timeout(None)
        )
        try:
            with self._out(handling):
                answer = await self._alive(post)
        except TimeoutError:
            raise Refused("DEADLINE_EXCEEDED", "the program did not answer in time") from None
        except ConnectionError as error:
            raise Refused("UNAVAILABLE", f"the program does not answer: {error}") from error
        if not 200 <= answer.status < 300:
            reason = answer.body[: MAX_REASON * 4].decode("utf-8", "replace").strip()[:MAX_REASON]
            code = "UNAVAILABLE" if answer.status in (429, 502, 503, 504) else "INTERNAL"
            raise Refused(code, f"the program answered {answer.status}" + (f": {reason}" if reason else ""))
        return _reply(answer) if any(edge.via == "event" for edge in self._wiring.outgoing) else None

    async def close(self) -> None:
        if self._egress is not None:
            await self._egress.close()
        await self._calls.close()
        await self._client.close()
        if self._program is not None:
            await self._program.close()

    def _out(self, handling: Handling) -> AbstractContextManager[None]:
        return contextlib.nullcontext() if self._egress is None else self._egress.during(handling)

    async def _alive(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; the end of the program is its end too, and not its deadline."""
        if self._program is None:
            return await work
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._program.gone), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Refused("UNAVAILABLE", f"the program is gone: {self._program.gone.result()}")
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, CallFailed, ConnectionError):
                    await task

    async def _is_ready(self) -> None:
        host, _, port = self._address.rpartition(":")
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                if self._wiring.consumes or await self._is_healthy():
                    return
            await asyncio.sleep(POLL_S)

    async def _is_healthy(self) -> bool:
        """What it says of its health; who knows no such question is as healthy as can be told."""
        try:
            said = await self._calls.call(self._wiring.function, self._address, HEALTH, b"", (), CHECK_S)
        except CallFailed as failed:
            return failed.code not in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        return said == _SERVING


async def _egress(wiring: Wiring, inherited: Mapping[str, str]) -> Egress | None:
    """The way out, where there is one: at a port of its own, or where it was told to be. Raises WiringError."""
    if not wiring.outgoing:
        return None
    address = inherited.get(contract.EGRESS) or f"{LOOPBACK}:0"
    try:
        egress = Egress(address)
    except (RuntimeError, ValueError) as error:
        raise WiringError(f"{contract.EGRESS}={address}: cannot listen there: {error}") from error
    await egress.start()
    return egress


def _metadata(arrival: Arrival, position: Position) -> list[tuple[str, str | bytes]]:
    """All that came with a call, our words among it; but its place in the trace is below the function's span."""
    found: list[tuple[str, str | bytes]] = [
        (name, value)
        for name, value in arrival.headers.items()
        if name not in _OURS and not name.startswith(_TRANSPORT[:2]) and name not in _TRANSPORT
    ]
    ours: tuple[tuple[str, str | bytes], ...] = (
        (contract.METADATA_KEY, arrival.metadata),
        (contract.MESSAGE_KEY, arrival.message),
        (contract.SENDER_KEY, arrival.sender),
    )
    return [*found, *ours, *_hop(position)]


def _hop(position: Position) -> list[tuple[str, str]]:
    state = [(TRACESTATE, position.state)] if position.state else []
    return [(TRACEPARENT, position.traceparent), (B3, position.b3), *state]


def _reply(answer: Response) -> Message | None:
    """The event in its answer, None when there is none."""
    names = {name.lower() for name, _ in answer.headers}
    kind = next((value for name, value in answer.headers if name.lower() == b"content-type"), b"")
    if b"ce-specversion" not in names and not kind.startswith(b"application/cloudevents"):
        return None
    try:
        event = decode(answer.headers, answer.body)
    except EventError as error:
        raise Refused("INTERNAL", f"the program answered with what is no event: {error}") from error
    return Message(event.data or b"", event.get("datacontenttype"), event.type)
