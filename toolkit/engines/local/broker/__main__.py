"""The broker as a process: configuration in (a file, or the first line of stdin), NDJSON out, gone with its parent.

stdout: `{"ready": {"host", "port"}}` once, then `{"incident": {"kind", "subject", "text", "message", "count"}}` for
each incident.
Stops on SIGTERM, SIGINT, the end of stdin (a pipe's other side closed), and when nobody reads stdout any more.
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
from pathlib import Path

from toolkit.contract import EXIT_PORT_TAKEN
from toolkit.engines.local.broker.config import ConfigError, ServiceConfig, decode
from toolkit.engines.local.broker.service import serve
from toolkit.results import Incident

_GRACE_S = 1.0
_BAD_CONFIG = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m toolkit.engines.local.broker", description=__doc__)
    parser.add_argument(
        "--config", metavar="FILE", help="a file with one JSON object; default: the first line of stdin"
    )
    chosen = parser.parse_args()
    try:
        text = Path(chosen.config).read_bytes() if chosen.config else sys.stdin.buffer.readline()
        config = decode(text)
        return asyncio.run(_run(config))
    except ConfigError as error:
        print(f"broker: {error}", file=sys.stderr)
        return _BAD_CONFIG
    except OSError as error:
        print(f"broker: {error}", file=sys.stderr)
        return EXIT_PORT_TAKEN if error.errno == errno.EADDRINUSE else _BAD_CONFIG


async def _run(config: ServiceConfig) -> int:
    stop = asyncio.Event()

    def say(what: object) -> None:
        try:
            print(json.dumps(what, separators=(",", ":")), flush=True)
        except (BrokenPipeError, ValueError):
            stop.set()

    def tell(incident: Incident) -> None:
        told = ("kind", "subject", "text", "message", "count")
        say({"incident": {name: getattr(incident, name) for name in told}})

    _stop_on(stop)
    running = await serve(config.brokers, config.host, config.port, tell)
    gc.freeze()  # what is there now stays: the collector need not look at it again and again
    say({"ready": {"host": running.host, "port": running.port}})
    await stop.wait()
    await running.close(_GRACE_S)
    try:
        sys.stdout.close()
    except OSError:
        os.close(1)  # nobody reads any more; the interpreter must not complain about it on its way out
    return 0


def _stop_on(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)):
        return  # a file or /dev/null has an end that says nothing about a parent

    def read() -> None:
        if not os.read(0, 65536):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, read)


if __name__ == "__main__":
    sys.exit(main())
