"""`toolkit load --target …`: load for anything that speaks gRPC, ours or not."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import load_options
from toolkit.cli import options as arguments
from toolkit.cli.output import note, progress_wanted, say, speaks_unicode
from toolkit.errors import EngineError, Exit, UsageError

if TYPE_CHECKING:
    from toolkit.load.direct import Request
    from toolkit.load.ledger import Ledger
    from toolkit.load.target import Target
    from toolkit.measure.direct import Calls
    from toolkit.results import CallNumbers, Elapsed, Load

MOST_CONNECTIONS = 1000
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", required=True, metavar="URL", help="h2c://HOST:PORT/package.Service/Method")
    parser.add_argument("--data", metavar="@FILE", help="the request message as protobuf bytes (default: empty)")
    parser.add_argument(
        "--data-json", metavar="JSON", help="the request message; the server's reflection tells the type"
    )
    parser.add_argument("--authority", metavar="HOST", help="ask for this host (default: that of the target)")
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="metadata of every call")
    parser.add_argument("--connections", type=arguments.count, default=1, metavar="N", help="HTTP/2 connections")
    load_options.amount(parser)
    parser.add_argument(
        "--sample", type=arguments.fraction, default=0.0, help="the share of calls marked as traced, 0..1"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides arrivals and trace contexts")
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.load import pacing, target

    if not sys.platform.startswith("linux"):
        raise EngineError(
            "toolkit load waits with epoll, which only Linux has", next_step="run it there, or in a container"
        )
    load = load_options.load(options)
    pacing.validate(load)
    if options.connections > MOST_CONNECTIONS:
        raise UsageError(f"--connections {options.connections}: at most {MOST_CONNECTIONS}")
    request = _request(target.parse(options.target), options)
    return _run(request, load, options)


def _run(request: Request, load: Load, options: argparse.Namespace) -> int:
    from toolkit.cli.running import ProgressLine
    from toolkit.load.direct import Unreachable, drive
    from toolkit.measure.direct import numbers

    stopped: list[int] = []
    for each in SIGNALS:
        signal.signal(each, lambda number, _: stopped.append(number))
    progress = ProgressLine("load") if progress_wanted() and options.output == "text" else None
    began = time.time_ns(), time.monotonic_ns()
    try:
        ledger = drive(
            request,
            load,
            connections=options.connections,
            stopped=lambda: bool(stopped),
            on_progress=progress,
        )
    except Unreachable as error:
        raise EngineError(
            f"{request.target} cannot be called: {error}",
            next_step="see that a gRPC server listens there, in the clear",
        ) from error
    finally:
        if progress is not None:
            progress.clear()
    found = numbers(_calls(ledger), load, _elapsed(*began))
    _show(str(request.target), load, found, options.output, partial=bool(stopped))
    return Exit.INTERRUPTED if stopped else _verdict(found)


def _show(target: str, load: Load, found: CallNumbers, output: str, *, partial: bool) -> None:
    from toolkit.report import load as report

    if output == "json":
        say(json.dumps(report.as_json(target, load, found, partial=partial), indent=2))
        return
    width = shutil.get_terminal_size((100, 24)).columns
    say(report.text(target, load, found, partial=partial, width=width, unicode=speaks_unicode()))


def _verdict(found: CallNumbers) -> int:
    if found.failed or found.lost:
        note(f"{found.failed + found.lost:,} of {found.sent:,} calls were not answered OK")
        return Exit.CHECK
    return Exit.INVALID if found.invalid else Exit.OK


def _request(target: Target, options: argparse.Namespace) -> Request:
    from toolkit.load.direct import Request

    if options.data is not None and options.data_json is not None:
        raise UsageError("--data and --data-json exclude each other", next_step="give one of them")
    message = b""
    if options.data is not None:
        message = _file(options.data)
    elif options.data_json is not None:
        from toolkit.load import messages

        message = messages.encoded(target, options.data_json)
    return Request(target, message, tuple(_header(each) for each in options.header), options.authority)


def _file(data: str) -> bytes:
    if not data.startswith("@"):
        raise UsageError(f"--data {data}: not a file", next_step="write --data @FILE, or --data-json JSON")
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise UsageError(f"--data {data}: {error.strerror or error}") from error


def _header(text: str) -> tuple[bytes, bytes]:
    name, separator, value = text.partition("=")
    good = separator and name and name.isascii() and all(each.isalnum() or each in "-_." for each in name)
    if not good or not value.isascii() or not value.isprintable() or name.lower().startswith("grpc-"):
        raise UsageError(f"--header {text!a}: no metadata", next_step="write --header name=value, in ASCII")
    return name.lower().encode(), value.encode()


def _calls(ledger: Ledger) -> Calls:
    from toolkit.measure.direct import Calls

    errors = tuple((status, words, count) for (status, words), count in ledger.errors.most_common())
    return Calls(
        due=ledger.due,
        sent=ledger.sent,
        done=ledger.done,
        ok=[status == 0 for status in ledger.status],
        statuses=tuple(ledger.counts().items()),
        errors=errors,
        refused=ledger.refused,
    )


def _elapsed(wall_ns: int, monotonic_ns: int) -> Elapsed:
    from toolkit.results import Elapsed

    return Elapsed(time.time_ns() - wall_ns, time.monotonic_ns() - monotonic_ns)
