"""`toolkit load --target …`: load for anything that speaks gRPC or HTTP, ours or not."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

from toolkit.cli import load_options, load_target
from toolkit.cli import options as arguments
from toolkit.cli.output import note, progress_wanted, say, speaks_unicode
from toolkit.errors import EngineError, Exit

if TYPE_CHECKING:
    from toolkit.load.ledger import Ledger
    from toolkit.load.sendable import Sendable
    from toolkit.measure.direct import Calls
    from toolkit.results import CallNumbers, Elapsed, Load

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def configure(parser: argparse.ArgumentParser) -> None:
    load_target.configure(parser)
    load_options.amount(parser)
    parser.add_argument(
        "--sample", type=arguments.fraction, default=0.0, help="the share of calls marked as traced, 0..1"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides arrivals and trace contexts")
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.load import pacing

    if not sys.platform.startswith("linux"):
        raise EngineError(
            "toolkit load waits with epoll, which only Linux has", next_step="run it there, or in a container"
        )
    load = load_options.load(options)
    pacing.validate(load)
    request = load_target.request(options)
    return _run(request, load, options)


def _run(request: Sendable, load: Load, options: argparse.Namespace) -> int:
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
            next_step="see that a server listens there, in the clear",
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
