"""Where receipts go: one connection to the collector, written so that an answer never overtakes its receipt.

May live here: the connection. May not: what a receipt says (`toolkit.contract.Receipt`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from urllib.parse import urlsplit

from toolkit.contract import Receipt
from toolkit.sdk.failures import WiringError

CONNECT_S = 5.0  # a SYN that is lost is sent again after one second, and after three
_log = logging.getLogger(__name__)


class Receipts:
    """Writes receipts to a collector, or nowhere (`Receipts(None)`).

    A raw non-blocking socket rather than a transport: once `send` returned, the bytes are the kernel's, and it hands
    them over even when this process is killed in the next instruction. (Holding them back with MSG_MORE until the
    answer is out was tried: it costs more CPU than it saves.) A collector that is gone costs one warning.
    """

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection
        self._pending: list[bytes] = []  # what the kernel had no room for, in order
        self._flushing: asyncio.Task[None] | None = None
        self.lost = 0

    @staticmethod
    def open(address: str | None) -> Receipts:
        """Connects to `tcp://HOST:PORT`; raises WiringError when that is no address, warns when nobody listens."""
        if address is None:
            return Receipts(None)
        host, port = _split(address)
        try:
            connection = socket.create_connection((host, port), timeout=CONNECT_S)
        except OSError as error:
            _log.warning("no receipts: the collector %s cannot be reached: %s", address, error)
            return Receipts(None)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Receipts(connection)

    async def write(self, receipt: Receipt) -> None:
        """Returns once the kernel holds the whole line. Never raises for a collector that is gone."""
        if self._connection is None:
            return
        line = receipt.encode()
        if self._flushing is None:
            sent = self._send(line)
            if sent == len(line):
                return
            line = line[sent:]
            self._flushing = asyncio.create_task(self._flush())
        self._pending.append(line)
        await asyncio.shield(self._flushing)  # a cancelled handler must not leave half a line behind

    def _send(self, line: bytes) -> int:
        assert self._connection is not None
        try:
            return self._connection.send(line)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._gone(error)
            return len(line)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending and self._connection is not None:
            batch = b"".join(self._pending)
            self._pending.clear()
            try:
                await loop.sock_sendall(self._connection, batch)
            except OSError as error:
                self._gone(error)
        self._flushing = None

    def _gone(self, error: OSError) -> None:
        self.lost += 1
        if self._connection is not None:
            _log.warning("no more receipts: the collector is gone: %s", error)
            self._connection.close()
            self._connection = None

    async def close(self, grace_s: float = 2.0) -> None:
        """Hand over what is still pending, for up to `grace_s` seconds, and part."""
        if self._flushing is not None:
            await asyncio.wait([self._flushing], timeout=grace_s)
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
            self._connection.close()
            self._connection = None


def _split(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not address.startswith("tcp://") or not host or not port:
        raise WiringError(f"wiring.receipts: {address!r} is not tcp://HOST:PORT")
    return host, port
