"""`toolkit run CHAIN`: deploy, load, collect, judge, report; stored under runs/<run-id>/."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import cold_options, engines, load_options, trials_options
from toolkit.cli import options as arguments
from toolkit.cli.output import note, progress_wanted
from toolkit.errors import EngineError, Exit, UsageError

if TYPE_CHECKING:
    from toolkit.results import Load
    from toolkit.run import Order, Outcome
    from toolkit.spec.model import ChainSpec

SETTLE_S = 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    load_options.configure(parser)
    cold_options.configure(parser)
    trials_options.configure(parser)
    engines.configure(parser, timeout=("--ready-timeout",))
    parser.add_argument(
        "--settle",
        type=arguments.seconds,
        default=SETTLE_S,
        metavar="TIME",
        help="longest wait for receipts at the end",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    parser.add_argument("--no-out", action="store_true", help="store nothing")
    arguments.output(parser, "text", "json", "junit")


def execute(options: argparse.Namespace) -> int:
    from toolkit import runs
    from toolkit.cli import printing, running

    if trials_options.wanted(options):
        return trials_options.execute(options, _order, _run_and_store)
    order = _order(options)
    if not options.no_out:
        runs.prepare(options.out)
    outcome, trouble = running.interruptible(lambda stop: _run_and_store(order, options, stop))
    if outcome.report.partial and not outcome.calls and options.output == "text":
        note("interrupted before the first call")
        return Exit.INTERRUPTED
    printing.show(outcome.report, options.output)
    if trouble is not None:
        raise EngineError(str(trouble), next_step=trouble.next_step)
    return printing.verdict(outcome.report, measuring=True)


def _order(options: argparse.Namespace) -> Order:
    """What is asked for. Raises UsageError for what cannot be."""
    from toolkit.run import Order

    chain = engines.named(options)
    load = cold_options.load(options) or load_options.load(options, chain.load)
    load_options.see_that_it_can_be_sent(load, options)
    chain = cold_options.chain(engines.installed(chain, options), options)
    if options.zipkin is None:
        _fits(chain, load)
    return Order(chain, load, settle_s=options.settle, attributes=tuple(options.attribute))


def _fits(chain: ChainSpec, load: Load) -> None:
    """Refuses a load whose spans the embedded store could not hold, before it is sent."""
    from toolkit import plan
    from toolkit.engines.tracestore.forgetting import MAX_SPANS
    from toolkit.load import pacing

    calls = pacing.expected(load) or 0
    expected = calls * load.sample * plan.spans(chain)
    if expected > MAX_SPANS:
        share = MAX_SPANS / (calls * plan.spans(chain))
        raise UsageError(
            f"{expected:,.0f} spans would come, and the embedded store holds {MAX_SPANS:,}",
            next_step=f"trace a share of the calls (--sample {share:.2g}), or send spans to a Zipkin with --zipkin",
        )


async def _run_and_store(
    order: Order, options: argparse.Namespace, stop: asyncio.Event
) -> tuple[Outcome, UsageError | None]:
    """The outcome, and why it could not be stored. Whoever interrupts does not interrupt the storing."""
    from toolkit import runs
    from toolkit.cli import running

    place = Path(tempfile.gettempdir(), f"toolkit-run-{secrets.token_hex(8)}")  # made when there is something to keep
    logs, manifests = place / "logs", place / "manifests"
    try:
        outcome = await running.outcome(order, options, stop, engines.Kept(logs, manifests))
        if options.no_out:
            return outcome, None
        try:
            report, calls, evidence = outcome.report, outcome.calls, outcome.evidence
            folder = runs.save(options.out, report, calls, evidence, cold=outcome.cold, logs=logs, manifests=manifests)
        except UsageError as error:
            return outcome, error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if progress_wanted():
        note(f"stored in {folder}")
    return outcome, None
