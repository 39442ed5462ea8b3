"""`toolkit trace ui`: a page in the browser over the traces of a run, a file, a store or a Zipkin, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.cli import sources
from toolkit.cli.output import note, say
from toolkit.errors import EngineError, Exit

if TYPE_CHECKING:
    from toolkit.explorer.source import Source
    from toolkit.traced import Traced

LISTEN = "127.0.0.1:0"
READY_WITHIN_S = 3.0
WINDOW_S = 60.0
TOLD_EVERY = 5_000  # traces


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject", nargs="?", metavar="RUN|FILE", help="a stored run or a file of spans, as --run, --file"
    )
    sources.configure(parser)
    parser.add_argument("--against", metavar="RUN", help="another run, or file of spans, to hold beside it")
    parser.add_argument(
        "--chain", metavar="CHAIN", help="whose graph it is (default: what the run says, or traces show)"
    )
    parser.add_argument(
        "--window", type=arguments.seconds, metavar="TIME", help=f"of --zipkin: how far back (default {WINDOW_S:g}s)"
    )
    parser.add_argument(
        "--listen", type=_place, default=LISTEN, metavar="HOST:PORT", help="default: any port of this machine"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, for example 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli.running import interruptible

    sources.settle(options, "subject")
    if options.subject is not None and _is_spans(path := Path(options.subject)):
        options.file = path
    elif options.subject is not None:
        options.run = options.subject
    sources.only_of(options, ("zipkin",), "window")
    interruptible(lambda stop: _keep_serving(options, stop))
    return Exit.OK


async def _keep_serving(options: argparse.Namespace, stop: asyncio.Event) -> None:
    from toolkit.engines import guard
    from toolkit.explorer import server
    from toolkit.explorer.fixed import Fixed

    try:
        against = await _against(options, stop)
        source, title = await _source(options, against, stop)
    except Stopped:
        return
    host, port = options.listen
    try:
        beside = None if against is None else Fixed(against)
        explorer = await server.serve(title, source, beside, host=host, port=port)
    except OSError as error:
        raise EngineError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", next_step="choose another port with --listen"
        ) from error
    say(explorer.url)
    if not guard.is_loopback(host):
        note(f"warning: whoever reaches {host} can read these traces")
    note("Ctrl-C ends it")
    if options.open:
        _show(explorer.url)
    try:
        await stop.wait()
    finally:
        await explorer.close()


async def _source(options: argparse.Namespace, against: Traced | None, stop: asyncio.Event) -> tuple[Source, str]:
    """Where the traces are, and what the page is called."""
    from toolkit import runs
    from toolkit.engines import zipkin_client
    from toolkit.explorer import opening
    from toolkit.explorer.fixed import Fixed
    from toolkit.explorer.live import Live

    chain = opening.chain_of(options.chain) if options.chain else None
    if options.zipkin:
        await zipkin_client.ready(
            options.zipkin, within_s=READY_WITHIN_S, next_step="start one with 'toolkit trace serve', or name a run"
        )
        live = Live(options.zipkin, chain, options.window or WINDOW_S, against)
        return live, chain.name if chain else "traces"
    telling = _Telling(stop)
    if options.file:
        found = await opening.of_file(options.file, telling, chain)
    elif options.store:
        found = await opening.of_store(options.store, telling, chain)
    else:
        folder = runs.find(options.run, options.out) if options.run else runs.newest(options.out)
        found = await opening.of_run(folder, telling, chain)
    return Fixed(found, against), found.subject.title


async def _against(options: argparse.Namespace, stop: asyncio.Event) -> Traced | None:
    from toolkit import runs
    from toolkit.explorer import opening

    if options.against is None:
        return None
    if _is_spans(path := Path(options.against)):
        return await opening.of_file(path, _Telling(stop))
    return await opening.of_run(runs.find(options.against, options.out), _Telling(stop))


def _is_spans(path: Path) -> bool:
    """A file, and not a run's report.json, which names the run."""
    from toolkit import runs

    return path.is_file() and path.name != runs.REPORT


class Stopped(Exception):
    """Somebody wanted to end it while it was reading."""


class _Telling:
    """Says how far reading is, now and then; ends it once nobody waits for it."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def __call__(self, file: str, traces: int) -> None:
        if self._stop.is_set():
            raise Stopped
        if traces % TOLD_EVERY == 0:
            note(f"{file}: {traces:,} traces so far")


def _show(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        note("there is no browser to be found here; open the address in one")
