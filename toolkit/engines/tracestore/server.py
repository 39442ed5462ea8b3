"""The store on a socket: memory, journal and API put together.

May live here: the wiring of the three and the listening socket. The process around it is `__main__`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.engines.tracestore import lens
from toolkit.engines.tracestore.api import Api
from toolkit.engines.tracestore.bodies import MAX_BODY
from toolkit.engines.tracestore.journal import Journal, open_journal
from toolkit.engines.tracestore.memory import MAX_BYTES, MAX_SPANS, Memory
from toolkit.errors import EngineError
from toolkit.sdk import http1

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_GRACE_S = 2.0


class TraceStore:
    """A listening store; made by `serve`."""

    def __init__(self, memory: Memory, journal: Journal | None, server: http1.Server) -> None:
        self.memory, self._journal, self._server = memory, journal, server

    @property
    def host(self) -> str:
        return self._server.host

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        """The base URL for `zipkin_client`, and for whoever opens it in a browser."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    async def close(self, grace_s: float = _GRACE_S) -> None:
        """Answer what has been asked, then stop; what was accepted is in the file."""
        await self._server.close(grace_s)
        if self._journal is not None:
            self._journal.close()


async def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    store: Path | None = None,
    *,
    max_spans: int = MAX_SPANS,
    max_bytes: int = MAX_BYTES,
    on_warning: Callable[[str], None] = lambda _: None,
    pages: lens.Pages = lens.absent,
) -> TraceStore:
    """Listen on `host:port` (0: any free port), with the spans of the file `store` if there is one.

    Raises EngineError when the file cannot be had, and OSError when the address cannot.
    """
    memory = Memory(max_spans=max_spans, max_bytes=max_bytes, on_warning=on_warning)
    journal = open_journal(store, memory, on_warning) if store is not None else None

    async def keep(spans: Sequence[Mapping[str, Any]]) -> None:
        new = memory.unknown(spans)
        if journal is not None and new:
            journal.append(new)  # first: who is told of a full disk sends again, and then it must still be new
        memory.add(new)

    api = Api(memory, keep, lambda: time.time_ns() // 1_000_000, loopback=host in _LOOPBACK, pages=pages)
    try:
        server = await http1.serve(api, host, port, max_body=MAX_BODY)
    except BaseException:
        if journal is not None:
            journal.close()
        raise
    return TraceStore(memory, journal, server)


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`; without a host it is loopback.

    Raises EngineError.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) <= 0xFFFF):
        raise EngineError(
            f"--listen {text!r} has no port (0..65535)", next_step="write HOST:PORT, such as 127.0.0.1:9411"
        )
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)
