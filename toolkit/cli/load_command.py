"""`toolkit load --target …`: load for anything that speaks gRPC or HTTP, ours or not; stored under runs/<run-id>/."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import load_options, load_target
from toolkit.cli import options as arguments
from toolkit.cli.output import note, progress_wanted
from toolkit.errors import EngineError, Exit, UsageError

if TYPE_CHECKING:
    from toolkit.loads import Order, Outcome

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_WORD = 200  # characters of the command line that are kept of each word


def configure(parser: argparse.ArgumentParser) -> None:
    load_target.configure(parser, endpoints=True)
    group = load_options.amount(parser)
    group.add_argument(
        "--warmup",
        type=_warmup,
        metavar="N|TIME",
        help="the first calls, or those due in this time, are sent and in no number (default: none)",
    )
    group.add_argument(
        "--drain",
        type=arguments.seconds,
        metavar="TIME",
        help="how long answers are waited for after the last call; the rest is lost (default: until their deadline)",
    )
    group.add_argument(
        "--generators", type=arguments.count, default=1, metavar="N", help="processes that share the load"
    )
    parser.add_argument(
        "--sample", type=arguments.fraction, default=0.0, help="the share of calls marked as traced, 0..1"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides arrivals and trace contexts")
    parser.add_argument(
        "--lat-csv",
        type=Path,
        metavar="DIR|FILE",
        help="latencies of the calls answered OK as vSwarm's invoker writes them: rps<achieved>_lat.csv, µs a line "
        "(a FILE ends in .csv)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    parser.add_argument("--no-out", action="store_true", help="store nothing")
    arguments.output(parser, "text", "json", "junit")


def execute(options: argparse.Namespace) -> int:
    from toolkit import runs
    from toolkit.cli import load_printing

    order = _order(options)
    if not options.no_out:
        runs.prepare(options.out)
    outcome, trouble = _run_and_store(order, options)
    if outcome.report.partial and not outcome.report.numbers.sent and options.output == "text":
        note("interrupted before the first call")
        return Exit.INTERRUPTED
    load_printing.show(outcome.report, options.output)
    if trouble is not None:
        raise EngineError(str(trouble), next_step=trouble.next_step)
    return load_printing.verdict(outcome.report)


def _order(options: argparse.Namespace) -> Order:
    from toolkit.load import pacing, share
    from toolkit.load.direct import Manner
    from toolkit.loads import Order

    load = load_options.load(options)
    pacing.validate(load)
    share.validate(load, options.generators)
    words, calls, seconds = options.warmup or (None, 0, 0.0)
    _see_that_calls_are_left(load.requests, load.duration_s, calls, seconds)
    manner = Manner(options.connections, options.drain, calls, seconds)
    request = load_target.request(options)
    return Order(
        options.target or str(request.target),
        request,
        load,
        options.generators,
        manner,
        words,
        tuple(_command(sys.argv[1:])),
    )


def _run_and_store(order: Order, options: argparse.Namespace) -> tuple[Outcome, UsageError | None]:
    """The outcome, and why it could not be stored. Whoever interrupts does not interrupt the storing."""
    from toolkit import loads
    from toolkit.cli.running import ProgressLine
    from toolkit.load.direct import Unreachable

    stopped: list[int] = []
    for each in SIGNALS:
        signal.signal(each, lambda number, _: stopped.append(number))
    progress = ProgressLine("load", order.load) if progress_wanted() and options.output == "text" else None
    with _rows(None if options.no_out else options.out) as rows:
        try:
            outcome = loads.run(order, rows, stopped=lambda: bool(stopped), on_progress=progress)
        except Unreachable as error:
            raise EngineError(
                f"{order.target} cannot be called: {error}", next_step="see that a server listens there, in the clear"
            ) from error
        finally:
            if progress is not None:
                progress.clear()
            if stopped:
                _hear_no_more()
        if options.lat_csv is not None:
            written = loads.write_latencies(outcome, options.lat_csv)
            note(f"latencies as vSwarm lists them: {written}")
        if options.no_out or not outcome.report.numbers.sent + outcome.report.numbers.warmup:
            return outcome, None
        try:
            folder = loads.store(options.out, outcome)
        except UsageError as error:
            return outcome, error
    if progress_wanted():
        note(f"stored in {folder}")
    return outcome, None


def _hear_no_more() -> None:
    """Whoever interrupts twice is heard once: Python's own end would give the second signal its default, to die by."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def _rows(out: Path | None) -> Iterator[Path]:
    """A folder for what is only there while a load runs: where the run goes, so that there is room for it."""
    folder = Path(tempfile.mkdtemp(prefix=".load.", dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _warmup(text: str) -> tuple[str, int, float]:
    """The words, how many calls, or how many seconds."""
    if text.isascii() and text.isdigit():
        return text, arguments.count(text), 0.0
    return text, 0, arguments.seconds(text)


def _see_that_calls_are_left(requests: int | None, duration_s: float | None, calls: int, seconds: float) -> None:
    if (requests is not None and calls >= requests) or (duration_s is not None and seconds >= duration_s):
        raise UsageError("--warmup: nothing would be left to measure", next_step="give a shorter one, or a longer load")


def _command(words: list[str]) -> Iterator[str]:
    """The command line as a report may show it: not what headers say, which may be a secret."""
    before = ""
    for word in words:
        secret = before == "--header" or word.startswith("--header=")
        name, separator, _ = word.removeprefix("--header=").partition("=")
        kept = f"{'--header=' if word.startswith('--header=') else ''}{name}{separator}…" if secret else word
        yield kept if len(kept) <= LONGEST_WORD else f"{kept[:LONGEST_WORD]}…"
        before = word
