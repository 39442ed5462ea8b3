"""Takes the receipts of a run: functions write them as lines to a TCP connection, the collector stamps each line.

The stamp is the caller's own monotonic clock, so an asynchronous chain's end and its calls are told by one clock.
Lines are kept raw while a load runs and decoded when somebody asks: decoding must not make the generator late.
"""

from __future__ import annotations

import asyncio
import time

from toolkit.contract import Receipt
from toolkit.errors import EngineError
from toolkit.results import Stamped

MAX_LINE = 16 << 20  # bytes; a receipt of a function that sent 100,000 messages in one handling still fits


class Collector:
    """A TCP server on loopback (or `host`) that takes receipts until it is closed."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._server: asyncio.Server | None = None
        self._lines: list[tuple[bytes, int]] = []
        self._decoded: list[Stamped] = []
        self._unreadable = 0
        self._connections: set[_Connection] = set()
        self._callers = 0

    async def __aenter__(self) -> Collector:
        try:
            self._server = await asyncio.get_running_loop().create_server(self._connect, self._host, 0)
        except OSError as error:
            raise EngineError(
                f"receipts cannot be taken at {self._host}: {error.strerror or error}",
                next_step="name an address of this machine, one that the functions reach, with --advertise HOST",
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()

    def _connect(self) -> _Connection:
        self._callers += 1
        return _Connection(self._lines, self._connections)

    @property
    def address(self) -> str:
        """`tcp://HOST:PORT`, as functions find it in their wiring."""
        if self._server is None:
            raise RuntimeError("the collector is used before it was entered")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"tcp://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def callers(self) -> int:
        """How many connections came so far: a function makes one before it is ready."""
        return self._callers

    @property
    def count(self) -> int:
        """How many lines came so far."""
        return len(self._decoded) + self._unreadable + len(self._lines)

    @property
    def unreadable(self) -> int:
        """How many lines were no receipts (`receipts` has to be asked first)."""
        return self._unreadable

    def receipts(self, since: int = 0) -> list[Stamped]:
        """Every receipt so far, in the order of arrival; without the first `since` of them."""
        lines, self._lines[:] = self._lines[:], []
        for line, at_ns in lines:
            try:
                self._decoded.append(Stamped(Receipt.decode(line), at_ns))
            except (ValueError, TypeError):
                self._unreadable += 1
        return self._decoded[since:]


class _Connection(asyncio.Protocol):
    def __init__(self, lines: list[tuple[bytes, int]], connections: set[_Connection]) -> None:
        self._lines, self._connections, self._rest = lines, connections, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport if isinstance(transport, asyncio.Transport) else None
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        at_ns = time.monotonic_ns()
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend((line, at_ns) for line in whole if line)
        if len(self._rest) > MAX_LINE:
            self.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
