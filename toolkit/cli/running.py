"""Runs an order from the command line: signals and the progress line."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from toolkit import catalog
from toolkit.cli import cold_options, engines, load_options
from toolkit.cli import options as arguments
from toolkit.cli.output import progress_wanted
from toolkit.results import Load, Progress
from toolkit.run import Order, Outcome, run

Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def few(options: argparse.Namespace, requests: int, at_a_time: int = 1) -> Order:
    """The order of a few calls, one after the other or `at_a_time`, on the chain that the options name."""
    chain = catalog.load(options.chain, arguments.overrides(options))
    concurrency = min(at_a_time, requests)
    load = Load(requests=requests, concurrency=concurrency, sample=options.sample, seed=options.seed)
    return Order(chain, load, attributes=tuple(options.attribute))


async def outcome(
    order: Order, options: argparse.Namespace, stop: asyncio.Event, kept: engines.Kept = engines.NOTHING
) -> Outcome:
    """The outcome of the order on the engine that the options name; a partial one once `stop` is set."""
    progress = ProgressLine(order.chain.name) if progress_wanted() and options.output == "text" else None
    engine = engines.make(options, kept)
    source = cold_options.source(options) or load_options.source(engine, options)
    try:
        return await run(order, engine, source=source, stop=stop, on_progress=progress)
    finally:
        if progress is not None:
            progress.clear()


def interruptible(work: Callable[[asyncio.Event], Coroutine[Any, Any, Result]]) -> Result:
    """Runs `work`, which is told by an event when somebody wants it to end: Ctrl-C, SIGTERM, a terminal that closed."""
    stop = asyncio.Event()

    async def main() -> Result:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, stop.set)
        return await work(stop)

    result = asyncio.run(main())
    if stop.is_set():
        for number in SIGNALS:  # who is impatient now would only lose what is about to be printed
            signal.signal(number, signal.SIG_IGN)
    return result


class ProgressLine:
    """One line on standard error that is written over and over, and gone at the end."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __call__(self, progress: Progress) -> None:
        total = f"/{progress.planned}" if progress.planned else ""
        failed = f" · {progress.failed} failed" if progress.failed else ""
        line = f"{self._title}: {progress.ok}{total} answered · {progress.in_flight} open{failed}"
        self._write(f"{line} · {progress.elapsed_s:.1f} s")

    def clear(self) -> None:
        self._write("")

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{line}")
        sys.stderr.flush()
