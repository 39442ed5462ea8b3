"""The broker as a process: configuration in (a file, or the first line of stdin), NDJSON out, gone with its parent.

stdout: `{"ready": {"host", "port"}}` once, then `{"incident": {"kind", "subject", "text", "message", "count"}}` for
each incident, a line of 4 KiB at most.
stdin, where it is a pipe: a line `open?` is answered by a line `{"open": N}`: how many events are not finished, be it
that they are attempted, wait for a retry, or are on their way as replies or dead letters. Other lines are ignored.
Stops on SIGTERM, SIGINT, the end of stdin (a pipe's other side closed), and when nobody reads stdout any more: what is
under way has a moment, is then cut off, and each event that was is told as an `undelivered` incident before the end.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import json
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from toolkit.contract import EXIT_PORT_TAKEN
from toolkit.engines.local.broker.config import ConfigError, ServiceConfig, decode
from toolkit.engines.local.broker.service import serve
from toolkit.results import Incident

_GRACE_S = 1.0
_BAD_CONFIG = 2
_QUESTION = b"open?"
_LONGEST = 64  # bytes kept of a line on stdin that has no end yet; no question is as long


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m toolkit.engines.local.broker", description=__doc__)
    parser.add_argument(
        "--config", metavar="FILE", help="a file with one JSON object; default: the first line of stdin"
    )
    chosen = parser.parse_args()
    try:
        text, rest = (Path(chosen.config).read_bytes(), b"") if chosen.config else _first_line()
        return asyncio.run(_run(decode(text), rest))
    except ConfigError as error:
        print(f"broker: {error}", file=sys.stderr)
        return _BAD_CONFIG
    except OSError as error:
        print(f"broker: {error}", file=sys.stderr)
        return EXIT_PORT_TAKEN if error.errno == errno.EADDRINUSE else _BAD_CONFIG


def _first_line() -> tuple[bytes, bytes]:
    """The first line of stdin, and what came behind it: Python's own buffer would keep that from who reads next."""
    text = bytearray()
    while b"\n" not in text and (data := os.read(0, 65536)):
        text += data
    line, _, rest = bytes(text).partition(b"\n")
    return line, rest


async def _run(config: ServiceConfig, rest: bytes) -> int:
    stop = asyncio.Event()

    def say(what: object) -> None:
        try:
            print(json.dumps(what, separators=(",", ":")), flush=True)
        except (BrokenPipeError, ValueError):
            stop.set()

    def tell(incident: Incident) -> None:
        told = ("kind", "subject", "text", "message", "count")
        say({"incident": {name: getattr(incident, name) for name in told}})

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = await serve(config.brokers, config.host, config.port, tell)
    gc.freeze()  # what is there now stays: the collector need not look at it again and again
    say({"ready": {"host": running.host, "port": running.port}})
    _listen_to_stdin(Lines(rest), lambda: say({"open": running.open}), stop.set)
    await stop.wait()
    await running.close(_GRACE_S)
    try:
        sys.stdout.close()
    except OSError:
        os.close(1)  # nobody reads any more; the interpreter must not complain about it on its way out
    return 0


class Lines:
    """Whole lines out of bytes as they come; of a line without an end only the beginning is kept."""

    def __init__(self, rest: bytes = b"") -> None:
        self._rest = rest

    def feed(self, data: bytes) -> list[bytes]:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:_LONGEST]
        return [line.removesuffix(b"\r") for line in lines]


def _listen_to_stdin(lines: Lines, answer: Callable[[], None], end: Callable[[], None]) -> None:
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)):
        return  # a file or /dev/null has an end that says nothing about a parent

    def take(data: bytes) -> None:
        for _ in range(lines.feed(data).count(_QUESTION)):
            answer()

    def read() -> None:
        if data := os.read(0, 65536):
            take(data)
        else:
            loop.remove_reader(0)
            end()

    loop = asyncio.get_running_loop()
    take(b"")  # questions that came with the configuration
    loop.add_reader(0, read)


if __name__ == "__main__":
    sys.exit(main())
