"""`toolkit capacity CHAIN|--target URL --slo 'p99<50ms'`: the highest rate that keeps a promise."""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import secrets
import signal
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.cli import engines, load_target, run_command, running
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say, speaks_unicode
from toolkit.errors import EngineError, Exit, UsageError

if TYPE_CHECKING:
    from toolkit.measure.capacity import Ask, Search
    from toolkit.measure.promise import Objective
    from toolkit.measure.rows import Rows
    from toolkit.results import Load, Report
    from toolkit.verdicts import Capacity, Step

STEP_S, LOWEST, HIGHEST = 10.0, 50.0, 2000.0
WARMUP = 0.1  # of a step's time, sent first and not judged
FILE = "capacity.json"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chain", metavar="CHAIN", nargs="?", help="a chain; or name a --target")
    group = parser.add_argument_group("search")
    group.add_argument(
        "--slo", action="append", default=[], metavar="'p99<50ms'",
        help="what is promised: p50, p90, p95, p99, p99.9, max or mean below a time; errors below a share (repeatable)",
    )  # fmt: skip
    group.add_argument("--from", dest="lowest", type=arguments.positive, default=LOWEST, metavar="N",
                       help=f"the first rate, calls a second (default {LOWEST:g})")  # fmt: skip
    group.add_argument("--to", dest="highest", type=arguments.positive, default=HIGHEST, metavar="N",
                       help=f"the highest rate that is tried (default {HIGHEST:g})")  # fmt: skip
    group.add_argument("--step-duration", type=arguments.seconds, default=STEP_S, metavar="TIME",
                       help=f"of a measurement; longer where a promise needs more (default {STEP_S:g}s)")  # fmt: skip
    group.add_argument("--resolution", type=arguments.share, default=0.05, metavar="SHARE",
                       help="how near kept and broken are at the end (default 5%%)")  # fmt: skip
    group.add_argument("--arrivals", choices=("constant", "poisson"), default="constant", help="when calls are due")
    group.add_argument("--timeout", type=arguments.seconds, default=10.0, metavar="TIME", help="deadline of a call")
    group.add_argument("--settle", type=arguments.seconds, default=30.0, metavar="TIME",
                       help="of a chain: longest wait for receipts")  # fmt: skip
    arguments.parameters(parser)
    engines.configure(parser, timeout=("--ready-timeout",))
    load_target.configure(parser)
    for action in parser._actions:
        if action.dest == "target":
            action.required = False
    parser.set_defaults(generators=1, no_out=False)  # steps are stored: what they say together is told from them
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where it is stored")
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit import runs
    from toolkit.measure.promise import objectives

    if (options.chain is None) == (options.target is None):
        raise UsageError(
            "name a CHAIN, or a --target, and not both", next_step="toolkit capacity CHAIN --slo 'p99<50ms'"
        )
    if options.lowest > options.highest:
        raise UsageError(f"--from {options.lowest:g} is above --to {options.highest:g}", next_step="swap them")
    promises = objectives(options.slo)
    search = _search(options, promises)
    runs.prepare(options.out)
    made: list[Step] = []
    stopped = _chain(options, search, promises, made) if options.chain else _target(options, search, promises, made)
    found = _found(options, search, promises, made, stopped=stopped)
    folder = _store(options.out, found)
    _show(found, options.output)
    note(f"stored in {folder}")
    if stopped:
        return Exit.INTERRUPTED
    if not found.complete:
        return Exit.INVALID
    return Exit.CHECK if found.kept is None else Exit.OK


def _search(options: argparse.Namespace, promises: tuple[Objective, ...]) -> Search:
    from toolkit.measure.capacity import Search

    calls = max(each.calls for each in promises)
    return Search(options.lowest, options.highest, options.step_duration, calls, options.resolution)


def _chain(options: argparse.Namespace, search: Search, promises: tuple[Objective, ...], made: list[Step]) -> bool:
    """A fresh deployment a step, and a stored run. Whether somebody stopped it."""
    from toolkit.measure.capacity import steps
    from toolkit.measure.rows import table
    from toolkit.run import Order

    chain = engines.chain(options)
    quiet = copy.copy(options)
    quiet.output = "step"  # no progress line of its own

    async def work(stop: asyncio.Event) -> bool:
        asking = steps(search)
        ask = next(asking)
        while not stop.is_set():
            order = Order(chain, _load(ask, options), settle_s=options.settle, attributes=tuple(options.attribute))
            outcome, trouble = await run_command._run_and_store(order, quiet, stop)
            if trouble is not None:
                raise trouble
            if stop.is_set():
                break
            rows = table(outcome.calls, outcome.evidence.receipts).rows
            made.append(_step(ask, rows, promises, outcome.report.measurement.invalid, outcome.report))
            try:
                ask = asking.send(made[-1])
            except StopIteration:
                return False
        return True

    return running.interruptible(work)


def _target(options: argparse.Namespace, search: Search, promises: tuple[Objective, ...], made: list[Step]) -> bool:
    """Whether somebody stopped it."""
    from toolkit.measure.capacity import steps

    request = load_target.request(options)
    stopped: list[int] = []
    for each in SIGNALS:
        signal.signal(each, lambda number, _: stopped.append(number))
    asking = steps(search)
    ask = next(asking)
    while True:
        rows, invalid = _driven(request, _load(ask, options), options, lambda: bool(stopped))
        if stopped:
            return True
        made.append(_step(ask, rows, promises, invalid))
        try:
            ask = asking.send(made[-1])
        except StopIteration:
            return False


def _driven(
    request: Any, load: Load, options: argparse.Namespace, stopped: Callable[[], bool]
) -> tuple[Rows, tuple[str, ...]]:
    import numpy as np

    from toolkit import loads
    from toolkit.load.direct import Manner, Unreachable
    from toolkit.rows import raw

    order = loads.Order(options.target, request, load, manner=Manner(connections=options.connections))
    with tempfile.TemporaryDirectory(prefix="toolkit-capacity-") as folder:
        try:
            outcome = loads.run(order, Path(folder), stopped=stopped)
        except Unreachable as error:
            raise EngineError(f"{options.target} cannot be called: {error}",
                              next_step="see that a server listens there, in the clear") from error  # fmt: skip
        rows = np.concatenate([np.array(raw(part.path)) for part in outcome.parts])
    return rows, outcome.report.numbers.invalid


def _load(ask: Ask, options: argparse.Namespace) -> Load:
    from toolkit.load import pacing
    from toolkit.results import Load

    sample = options.sample if options.chain else 0.0
    whole_s = ask.duration_s / (1 - WARMUP)
    load = Load(duration_s=whole_s, rate=ask.rate, sample=sample, seed=options.seed, timeout_s=options.timeout,
                arrivals=options.arrivals)  # fmt: skip
    pacing.validate(load)
    return load


def _step(
    ask: Ask, rows: Rows, promises: tuple[Objective, ...], invalid: tuple[str, ...], report: Report | None = None
) -> Step:
    """`report` is that of a chain's run, whose checks and completions are judged as well."""
    from toolkit.measure.promise import calls, judge, of_chain, together
    from toolkit.report.capacity import step_line
    from toolkit.verdicts import Step

    skip_s = ask.duration_s / (1 - WARMUP) * WARMUP
    found = calls(rows, skip_s)
    _, judged = judge(promises, found)
    if report is not None:
        judged += of_chain(rows, skip_s, report.checks, events=report.measurement.completions is not None)
    verdict = "invalid" if invalid else together(judged)
    step = Step(ask.rate, ask.duration_s, len(found.latency), verdict, judged, report.run if report else None, invalid)
    note(step_line(step))
    return step


def _found(options: argparse.Namespace, search: Search, promises: tuple[Objective, ...], made: list[Step], *,
           stopped: bool) -> Capacity:  # fmt: skip
    """What the steps say; the search is gone through again, which costs nothing."""
    from toolkit.environment import describe
    from toolkit.measure.capacity import steps
    from toolkit.verdicts import Capacity

    kept, broken, ended, complete = None, None, "it was interrupted", False
    if stopped:
        kept = max((each.rate for each in made if each.verdict == "kept"), default=None)
        broken = min((each.rate for each in made if each.verdict == "broken"), default=None)
    else:
        asking = steps(search)
        next(asking)
        try:
            for step in made:
                asking.send(step)
        except StopIteration as end:
            kept, broken, ended, complete = end.value.kept, end.value.broken, end.value.ended, end.value.complete
    conditions = {"arrivals": options.arrivals, "seed": options.seed, "step_s": search.step_s, "engine":
                  options.engine if options.chain else None, "parameters": arguments.overrides(options),
                  "environment": describe()}  # fmt: skip
    texts = tuple(each.text for each in promises)
    return Capacity(options.chain or options.target, texts, kept, broken, tuple(made), ended, complete, conditions)


def _store(out: Path, found: Capacity) -> Path:
    from toolkit.report.capacity import as_json

    folder = out / f"capacity-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    try:
        folder.mkdir(parents=True)
        (folder / FILE).write_text(json.dumps(as_json(found), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the search cannot be stored in {folder}: {error.strerror or error}",
                         next_step="give a folder that can be written with --out") from error  # fmt: skip
    return folder


def _show(found: Capacity, output: str) -> None:
    from toolkit.report import capacity

    if output == "json":
        say(json.dumps(capacity.as_json(found), indent=2, allow_nan=False))
    else:
        say(capacity.text(found, unicode=speaks_unicode()))
