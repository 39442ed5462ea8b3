"""When a process of the local engine is ready: gRPC health for functions that are called, HTTP for event consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from toolkit.contract import READY_PATH
from toolkit.engines import health
from toolkit.engines.local.process import Supervised
from toolkit.engines.waiting import until
from toolkit.spec.model import Protocol

PROBE_TIMEOUT_S = 2.0

IsReady = Callable[[], Awaitable[bool]]


async def wait(process: Supervised, is_ready: IsReady, *, within_s: float) -> bool:
    """True once it is ready; False when it was not in time, or left meanwhile (then there is nothing to wait for)."""

    async def settled() -> bool:
        return process.crashes > 0 or await is_ready()

    return await until(settled, within_s=within_s) and process.crashes == 0


def of_function(protocol: Protocol, address: str) -> IsReady:
    return _Health(address).serving if protocol == "h2c" else lambda: _http_ok(address)


def of_port(address: str) -> IsReady:
    """Ready when somebody accepts connections."""
    return lambda: _accepts(address)


async def _accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def _http_ok(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET {READY_PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
            status = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]


class _Health:
    """Looks at the port first, so that no channel backs off before anybody listens."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def serving(self) -> bool:
        return await _accepts(self._address) and await health.complaint(self._address) is None
