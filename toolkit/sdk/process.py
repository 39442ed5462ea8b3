"""A function's process, from its environment to its exit status.

May live here: reading the environment, signals, and the order of starting and stopping. What a process does not need,
it does not load: gRPC only with gRPC edges, OpenTelemetry only when spans go somewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import functools
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from toolkit import contract
from toolkit.contract import Wiring
from toolkit.sdk import boot, logs, tags, tracing
from toolkit.sdk.failures import WiringError
from toolkit.sdk.function import Function, replica_nonce
from toolkit.sdk.handling import Calls, Surroundings
from toolkit.sdk.loading import load
from toolkit.sdk.receipts import Receipts
from toolkit.sdk.sink import Sink
from toolkit.sdk.transfers import Settings
from toolkit.sdk.transfers.carrying import Transfers

if TYPE_CHECKING:
    from toolkit.sdk.events import EventServer
    from toolkit.sdk.tasks import Memory

GRACE_S = 10.0  # for messages under way after SIGTERM; behind Knative the signal comes after the drain
FLUSH_S = 5.0  # for spans and receipts, after that
FLUSH_SHARE = 0.25  # of $TOOLKIT_GRACE, where that is little
EXIT_BAD_WIRING = 2
_log = logging.getLogger(__name__)


class Serving(Protocol):
    async def stop(self, grace_s: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds after SIGTERM: for messages under way, and then, at least, for spans and receipts to go out."""

    messages_s: float = GRACE_S
    flush_s: float = FLUSH_S

    @staticmethod
    def of(environment: Mapping[str, str]) -> Patience:
        """`$TOOLKIT_GRACE` bounds all of it: whoever set it kills what is still there then. Raises WiringError."""
        text = environment.get(contract.GRACE)
        if not text:
            return Patience()
        try:
            total_s = float(text)
        except ValueError:
            total_s = -1.0
        if not 0 <= total_s < math.inf:
            raise WiringError(f"{contract.GRACE}={text!r} is not a number of seconds")
        flush_s = min(FLUSH_S, total_s * FLUSH_SHARE)
        return Patience(total_s - flush_s, flush_s)


class _NoCalls:
    """For functions without call edges: nothing reaches this, `Handling` refuses before."""

    async def call(self, to: str, address: str, path: str, request: bytes, metadata: Any, timeout_s: float) -> bytes:
        raise WiringError(f"no call edge to {to}")

    async def stream(
        self, to: str, address: str, path: str, requests: AsyncIterable[bytes], metadata: Any, timeout_s: float
    ) -> bytes:
        raise WiringError(f"no call edge to {to}")

    async def close(self) -> None: ...


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Serves until SIGTERM or SIGINT. 0: drained; 98: the port is taken; 2: it cannot start, and why is on stderr."""
    try:
        wiring = read_wiring(environment)
        logs.install(wiring.function)
        status, stuck = asyncio.run(_until_signalled(wiring, environment))
    except WiringError as error:
        print(f"toolkit.sdk: {error}", file=sys.stderr)
        return EXIT_BAD_WIRING
    if stuck:
        _log.warning("%d handlers never returned and are left behind", stuck)
        os._exit(status)  # a thread cannot be ended, and the interpreter would wait for it
    return status


def read_wiring(environment: Mapping[str, str]) -> Wiring:
    """The wiring of `$TOOLKIT_WIRING`, else of the file `$TOOLKIT_WIRING_FILE` names; raises WiringError."""
    text, origin = environment.get(contract.WIRING), f"${contract.WIRING}"
    if not text:
        origin = environment.get(contract.WIRING_FILE) or contract.DEFAULT_WIRING_FILE
        try:
            text = Path(origin).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise WiringError(f"no wiring: ${contract.WIRING} is not set, and {origin}: {_why(error)}") from error
    try:
        wiring = Wiring.decode(text)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WiringError(f"{origin}: {_why(error)}") from error
    return _checked(wiring, origin)


def _checked(wiring: Wiring, origin: str) -> Wiring:
    problem = None
    if wiring.consumes and wiring.serves:
        problem = "a function serves calls or consumes events, not both"
    elif not wiring.consumes and not wiring.serves:
        problem = "the function neither serves a method nor consumes events"
    elif missing := [edge.to for edge in wiring.outgoing if edge.via == "call" and not edge.address]:
        problem = f"the call edge to {missing[0]!r} has no address"
    if problem is not None:
        raise WiringError(f"{origin}: {problem}")
    return wiring


async def _until_signalled(wiring: Wiring, environment: Mapping[str, str]) -> tuple[int, int]:
    stopping = asyncio.Event()
    serving = functools.partial(serve, wiring, environment, stopping, on_loaded=lambda: _drain_at_signals(stopping))
    if not wiring.command and wiring.relay is None:
        return await serving()
    from toolkit.sdk import stranger

    return await stranger.beside(wiring, environment, stopping, serving)


async def serve(
    wiring: Wiring,
    environment: Mapping[str, str],
    stopping: asyncio.Event,
    *,
    on_loaded: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """Serves one function until `stopping` is set, then drains: the exit status, and how many handlers never returned.

    `$TOOLKIT_WIRING` has been read by then; `on_loaded` is told once the handler has been imported. Raises WiringError
    when the function cannot start.
    """
    try:
        port = contract.listen_port(environment)
    except ValueError as error:
        raise WiringError(str(error)) from error
    host, patience = environment.get(contract.HOST) or None, Patience.of(environment)
    handler = load(wiring.handler)
    loaded_ns = time.time_ns()
    on_loaded()
    sink = Sink.of(environment, wiring.sink)
    replica = environment.get(contract.REPLICA) or replica_nonce()
    traces = _tracing(wiring, environment, replica)
    calls = _calls(wiring)
    transfers = Transfers(Settings.of(wiring.store, environment))
    around = Surroundings(wiring, replica, traces, calls, sink, transfers, _memory(wiring))
    function = Function(handler, around, receipts := Receipts.open(wiring.receipts))
    try:
        server = await _start(function, host, port)
    except OSError as error:
        return _unbound(host, port, error), 0
    function.boot = boot.told(loaded_ns, time.time_ns())
    await stopping.wait()
    _log.info("draining")
    await _drain(function, server, receipts, patience)
    await asyncio.gather(*(each.close() for each in (transfers, calls, sink, around.memory) if each is not None))
    function.close()
    _log.info("stopped")
    return 0, function.stuck


def _tracing(wiring: Wiring, environment: Mapping[str, str], replica: str) -> tracing.Tracing:
    said = dataclasses.replace(wiring.tracing, attributes=tags.of_process(wiring, environment, replica))
    made = tracing.record(said, wiring.function, environment)
    made.install()
    return made


async def _drain(function: Function, server: Serving, receipts: Receipts, patience: Patience) -> None:
    """Messages first, then what tells of them. What the messages leave of their time is for the spans."""
    function.leaving = True
    clock = asyncio.get_running_loop().time
    ends = clock() + patience.messages_s + patience.flush_s
    stopped = asyncio.ensure_future(server.stop(patience.messages_s))
    await asyncio.wait((stopped,), timeout=patience.messages_s + patience.flush_s / 2)  # a handler may resist its end
    left_s = min(FLUSH_S, max(0.0, ends - clock()))
    await asyncio.gather(asyncio.to_thread(function.around.tracing.close, left_s), receipts.close(left_s))


def end_at_signals() -> None:
    """Until the handler is loaded there is nothing to drain, and its import may block: a signal just ends us.

    The kernel does that by itself, unless we are its first process (in a container): that one has to say so.
    """
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _leave if os.getpid() == 1 else signal.SIG_DFL)


def _leave(number: int, _: object) -> None:
    os._exit(128 + number)


def _drain_at_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopping.set)


async def _start(function: Function, host: str | None, port: int) -> Serving:
    wiring = function.wiring
    if wiring.consumes:
        events = _event_server(function)
        port = await events.start(host, port)
        _log.info("serving events on port %d", port)
        return events
    from toolkit.sdk.server import GrpcServer

    server = GrpcServer(function, host, port)
    await server.start()
    _log.info("serving %s on port %d", ", ".join(wiring.serves), server.port)
    return server


def _event_server(function: Function) -> EventServer:
    if function.wiring.gateway is not None:
        from toolkit.sdk.gateway import GatewayServer

        return GatewayServer(function)
    from toolkit.sdk.events import EventServer

    return EventServer(function)


class _Closable(Calls, Protocol):
    async def close(self) -> None: ...


def _calls(wiring: Wiring) -> _Closable:
    if not any(edge.via == "call" for edge in wiring.outgoing):
        return _NoCalls()
    from toolkit.sdk.channels import Channels

    return Channels()


def _memory(wiring: Wiring) -> Memory | None:
    if wiring.ledger is None:
        return None
    from toolkit.sdk.ledger import LedgerClient
    from toolkit.sdk.tasks import Memory

    return Memory(LedgerClient(wiring.ledger))


def _unbound(host: str | None, port: int, error: OSError) -> int:
    code = error.errno or _bind_error(host, port)
    place = f"{host or '*'}:{port}"
    if code == errno.EADDRINUSE:
        print(f"toolkit.sdk: the port {place} is taken", file=sys.stderr)
        return contract.EXIT_PORT_TAKEN
    raise WiringError(f"cannot listen on {place}: {os.strerror(code) if code else _why(error)}")


def _bind_error(host: str | None, port: int) -> int | None:
    """Why the address cannot be bound, asked of the kernel: gRPC does not say."""
    with contextlib.suppress(ValueError):
        try:
            family, kind, proto, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, proto) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            return error.errno
    return None


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{error}".replace("\n", " ") or type(error).__name__
