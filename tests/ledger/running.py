"""A ledger for tests: the real service on a real socket, in this process or in its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from toolkit.sdk.http1 import serve
from toolkit.sdk.ledger import LedgerClient
from toolkit.sdk.ledger.database import Database
from toolkit.sdk.ledger.service import Ledger

TOKEN = "0123456789abcdef"


@contextlib.asynccontextmanager
async def ledger(database: Database | None = None, *, patience_s: float = 5.0) -> AsyncIterator[LedgerClient]:
    """A client of a ledger that listens in this process."""
    own = database or Database()
    server = await serve(Ledger(own, TOKEN).answer, "127.0.0.1", 0)
    client = LedgerClient(f"http://127.0.0.1:{server.port}/{TOKEN}", patience_s=patience_s)
    try:
        yield client
    finally:
        await client.close()
        await server.close()
        own.close()


async def spawn(client: LedgerClient, task: str, *, call: str = "c", parent: str = "m", most: int = 10) -> str:
    return await client.spawn(call=call, task=task, parent=parent, function="f", to="g", depth=0, most=most)
