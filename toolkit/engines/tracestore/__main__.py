"""The store as a process: `python -m toolkit.engines.tracestore --listen 127.0.0.1:0 [--store FILE]`.

Says `{"ready": {"host": ..., "port": ...}}` on stdout once it listens, and `{"incident": {...}}` when something has to
be known (NDJSON). Leaves with 0 on SIGTERM and SIGINT and, with `--follow-stdin`, when stdin ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.contract import EXIT_PORT_TAKEN
from toolkit.engines.tracestore.forgetting import MAX_BYTES, MAX_SPANS, age
from toolkit.engines.tracestore.server import address, own_process, serve
from toolkit.errors import EngineError, Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the store until it is told to stop; the exit status."""
    asked = _parser().parse_args(arguments)
    own_process()
    try:
        return asyncio.run(_run(asked))
    except EngineError as error:
        print(error, error.next_step or "", sep="\n", file=sys.stderr)
        return Exit.ENGINE
    except OSError as error:
        print(f"cannot listen on {asked.listen}: {error.strerror or error}", file=sys.stderr)
        return EXIT_PORT_TAKEN if error.errno == errno.EADDRINUSE else Exit.ENGINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tracestore", description="A trace store that speaks Zipkin's API v2.")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default %(default)s; 0: any port")
    parser.add_argument(
        "--store", type=Path, metavar="FILE", help="keep spans in this file (SQLite), and start with it"
    )
    parser.add_argument("--max-spans", type=int, default=MAX_SPANS, help="default %(default)s")
    parser.add_argument("--max-bytes", type=int, default=MAX_BYTES, help="of span text; default %(default)s")
    parser.add_argument(
        "--max-age", type=_seconds, metavar="DURATION", help="forget traces that came so long ago, such as 90m or 7d"
    )
    parser.add_argument(
        "--autocomplete-keys",
        type=lambda text: tuple(filter(None, text.split(","))),
        default=(),
        metavar="TAG,TAG",
        help="tags whose values can be asked for",
    )
    parser.add_argument("--follow-stdin", action="store_true", help="leave when stdin ends")
    return parser


def _seconds(text: str) -> float:
    try:
        return age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


async def _run(asked: argparse.Namespace) -> int:
    host, port = address(asked.listen)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.follow_stdin:
        await _follow_stdin(stop)
    store = await serve(
        host,
        port,
        asked.store,
        max_spans=asked.max_spans,
        max_bytes=asked.max_bytes,
        max_age=asked.max_age,
        autocomplete_keys=asked.autocomplete_keys,
        on_warning=_warn,
    )
    _tell({"ready": {"host": store.host, "port": store.port}})
    await stop.wait()
    await store.close()
    return Exit.OK


def _warn(text: str) -> None:
    _tell({"incident": {"kind": "warning", "subject": "trace store", "text": text}})


def _tell(line: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever started the store no longer listens
        print(json.dumps(line), flush=True)


class _UntilEof(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


async def _follow_stdin(stop: asyncio.Event) -> None:
    try:
        await asyncio.get_running_loop().connect_read_pipe(lambda: _UntilEof(stop), sys.stdin)
    except (ValueError, OSError) as error:
        raise EngineError("stdin cannot be followed: it is no pipe", next_step="leave --follow-stdin away") from error


if __name__ == "__main__":
    sys.exit(main())
