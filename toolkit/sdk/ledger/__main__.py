"""The ledger as a process: `python -m toolkit.sdk.ledger [--listen 127.0.0.1:0] [--database FILE]`.

Its token comes by `$TOOLKIT_LEDGER_TOKEN`, never by an argument, which other users see; without one it draws its own.
Says `{"ready": {"host": ..., "port": ...}}` on stdout once it listens, and there the `token` that it drew.
Leaves with 0 on SIGTERM and SIGINT and, with `--follow-stdin`, when stdin ends; with 98 when the port is taken, and
with 2 when it cannot start otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import os
import secrets
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit.contract import EXIT_PORT_TAKEN, LEDGER_TOKEN
from toolkit.sdk.http1 import serve
from toolkit.sdk.ledger.database import MOST_BYTES, Database
from toolkit.sdk.ledger.service import MAX_BODY, Ledger

EXIT_CANNOT = 2
GRACE_S = 2.0  # for operations under way


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(asked))
    except sqlite3.Error as error:
        print(f"toolkit.sdk.ledger: {asked.database}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"toolkit.sdk.ledger: {asked.listen}: {error.strerror or error}", file=sys.stderr)
        if error.errno == errno.EADDRINUSE:
            return EXIT_PORT_TAKEN
    return EXIT_CANNOT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ledger", description="Remembers tasks and joins.")
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT", help="0: any port")
    parser.add_argument("--database", type=Path, metavar="FILE", help="SQLite; in memory when left out")
    parser.add_argument("--max-bytes", type=int, default=MOST_BYTES, help="of the file; default %(default)s")
    parser.add_argument("--follow-stdin", action="store_true", help="leave when stdin ends")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


async def _run(asked: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.follow_stdin:
        await asyncio.get_running_loop().connect_read_pipe(lambda: _UntilEof(stop), sys.stdin)
    token = os.environ.get(LEDGER_TOKEN, "")
    drawn = {} if token else {"token": secrets.token_hex(16)}
    database = Database(asked.database, most_bytes=asked.max_bytes)
    try:
        server = await serve(Ledger(database, token or drawn["token"]).answer, *asked.listen, max_body=MAX_BODY)
        with contextlib.suppress(BrokenPipeError):  # whoever started it no longer listens
            print(json.dumps({"ready": {"host": server.host, "port": server.port, **drawn}}), flush=True)
        await stop.wait()
        await server.close(GRACE_S)
    finally:
        database.close()
    return os.EX_OK


class _UntilEof(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


if __name__ == "__main__":
    sys.exit(main())
