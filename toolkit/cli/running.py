"""Runs an order from the command line: signals and the progress line."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from toolkit.cli import cold_options, engines, load_options
from toolkit.cli.output import progress_wanted, speaks_unicode
from toolkit.report import live
from toolkit.results import Load, Progress
from toolkit.run import Order, Outcome, run

Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def few(options: argparse.Namespace, requests: int, at_a_time: int = 1) -> Order:
    """The order of a few calls, one after the other or `at_a_time`, on the chain that the options name."""
    chain = engines.chain(options)
    concurrency = min(at_a_time, requests)
    load = Load(requests=requests, concurrency=concurrency, sample=options.sample, seed=options.seed)
    return Order(chain, load, attributes=tuple(options.attribute))


async def outcome(
    order: Order, options: argparse.Namespace, stop: asyncio.Event, kept: engines.Kept = engines.NOTHING
) -> Outcome:
    """The outcome of the order on the engine that the options name; a partial one once `stop` is set."""
    progress = ProgressLine(order.chain.name, order.load) if progress_wanted() and options.output == "text" else None
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
    """A few lines on standard error that are written over and over, and gone at the end."""

    def __init__(self, title: str, load: Load | None = None) -> None:
        self._title, self._load, self._seen = title, load, live.Seen()
        self._below = 0  # lines that are drawn below the first one, where the cursor stands

    def __call__(self, progress: Progress) -> None:
        self._seen.add(progress)
        width = shutil.get_terminal_size((100, 24)).columns
        self._draw(live.lines(self._title, self._seen, self._load, width, unicode=speaks_unicode(error=True)))

    def clear(self) -> None:
        self._draw([])

    def _draw(self, lines: Sequence[str]) -> None:
        """On a terminal that cannot move its cursor there is the first line only."""
        lines = lines[:1] if os.environ.get("TERM") == "dumb" else lines
        rows = max(len(lines), self._below + 1)
        text = "\n".join(f"\r\x1b[2K{line}" for line in [*lines, *[""] * (rows - len(lines))])
        back = f"\x1b[{rows - 1}A" if rows > 1 else ""
        self._below = max(0, len(lines) - 1)
        sys.stderr.write(f"{text}{back}")
        sys.stderr.flush()
