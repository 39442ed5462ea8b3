"""The store on a socket: database, store, threads and API put together.

May live here: the wiring of them and the listening socket. The process around it is `__main__`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from toolkit.engines import guard
from toolkit.engines.tracestore import lens, limits, metrics, origins
from toolkit.engines.tracestore.api import Api
from toolkit.engines.tracestore.bodies import MAX_BODY, Bodies
from toolkit.engines.tracestore.committing import Committer
from toolkit.engines.tracestore.database import Database, open_database
from toolkit.engines.tracestore.forgetting import MAX_BYTES, MAX_SPANS, Bounds
from toolkit.engines.tracestore.readers import Readers
from toolkit.engines.tracestore.store import Store
from toolkit.errors import EngineError
from toolkit.sdk import http1

_GRACE_S = 2.0


class TraceStore:
    """A listening store; made by `serve`."""

    def __init__(
        self, database: Database, committer: Committer, readers: Readers, bodies: Bodies, server: http1.Server
    ) -> None:
        self._database, self._committer, self._readers, self._server = database, committer, readers, server
        self._bodies = bodies

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
        self._bodies.close()
        await _close(self._database, self._committer, self._readers)


async def _close(database: Database, committer: Committer, readers: Readers) -> None:
    await committer.close()
    await readers.close()
    await asyncio.to_thread(database.close)


def _opened(
    store: Path | None, bounds: Bounds, autocomplete_keys: Sequence[str], warn: Callable[[str], None]
) -> tuple[Database, Store]:
    database = open_database(store)
    try:
        return database, Store(database, bounds, time.time, autocomplete_keys, warn)
    except BaseException:
        database.close()
        raise


def own_process() -> None:
    """Fit this process to a store's work; to be called where it has no other."""
    gc.set_threshold(100_000, 50, 1000)  # spans are trees: looking for cycles among them costs a third of taking them
    sys.setswitchinterval(0.0005)  # s; requests are read and answered while others' spans are stored: a quarter more


async def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    store: Path | None = None,
    *,
    max_spans: int = MAX_SPANS,
    max_bytes: int = MAX_BYTES,
    max_age: float | None = None,
    autocomplete_keys: Sequence[str] = (),
    on_warning: Callable[[str], None] = lambda _: None,
    pages: lens.Pages = lens.absent,
    use: limits.Limits | None = None,
    allow_origins: Sequence[str] = (),
    allow_hosts: Sequence[str] = (),
) -> TraceStore:
    """Listen on `host:port` (0: any free port), with the spans of the file `store` if there is one.

    `max_age` is in seconds; `autocomplete_keys` are tags whose values can be asked for, as Zipkin's AUTOCOMPLETE_KEYS;
    `use` is how much of the store others may use at once; pages of `allow_origins` may use it, too; it may be asked by
    the names `allow_hosts` (see `guard`).

    Raises EngineError when the file cannot be had, and OSError when the address cannot.
    """
    warn = _from_threads(on_warning)
    bounds = Bounds(max_spans, max_bytes, max_age)
    database, kept = await asyncio.to_thread(_opened, store, bounds, autocomplete_keys, warn)
    committer, readers = Committer(kept), Readers(database)
    allowed, usage = use or limits.Limits(), limits.Usage()
    bodies = Bodies(partial(limits.room, usage, allowed))
    refuse = _guard(host, (*allow_hosts, *map(origins.host, allow_origins)))
    handler = origins.Allowing(_handler(kept, committer, readers, bodies, pages, refuse), allow_origins)
    try:
        server = await limits.serve(handler, host, port, max_body=MAX_BODY, limits=allowed, usage=usage)
    except BaseException:
        await _close(database, committer, readers)
        raise
    return TraceStore(database, committer, readers, bodies, server)


def _guard(host: str, names: Sequence[str]) -> Callable[[http1.Request], str | None]:
    known = {each.lower() for each in (host, *names)}
    return partial(guard.refusal, loopback=guard.is_loopback(host), what="store", names=known)


def _from_threads(tell: Callable[[str], None]) -> Callable[[str], None]:
    """What tells it in the loop, wherever it is called."""
    loop = asyncio.get_running_loop()

    def told(text: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, text)

    return told


def _handler(
    kept: Store,
    committer: Committer,
    readers: Readers,
    bodies: Bodies,
    pages: lens.Pages,
    refuse: Callable[[http1.Request], str | None],
) -> http1.Handler:
    def spans() -> metrics.Spans:
        return metrics.Spans(committer.taken, kept.forgetting.spans, kept.forgetting.evicted_spans)

    api = Api(kept, committer, readers, bodies, lambda: time.time_ns() // 1_000_000, refuse=refuse, pages=pages)
    return metrics.Counting(api, spans, refuse=refuse)


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
