"""`toolkit run CHAIN`: deploy, load, collect, judge, report; stored under runs/<run-id>/."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from toolkit.cli import load_options
from toolkit.cli import options as arguments

SETTLE_S = 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    load_options.configure(parser)
    arguments.engine(parser)
    parser.add_argument(
        "--settle",
        type=arguments.seconds,
        default=SETTLE_S,
        metavar="TIME",
        help="longest wait for receipts at the end",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    arguments.output(parser, "text", "json", "junit")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog, runs
    from toolkit.cli import printing, running
    from toolkit.load import pacing
    from toolkit.run import Order

    load = load_options.load(options)
    pacing.validate(load)
    chain = catalog.load(options.chain, arguments.overrides(options))
    outcome = running.outcome(Order(chain, load, settle_s=options.settle, attributes=tuple(options.attribute)), options)
    folder = runs.save(options.out, outcome.report, outcome.calls, outcome.evidence)
    printing.show(outcome.report, options.output)
    if sys.stderr.isatty():
        print(f"stored in {folder}", file=sys.stderr)
    return printing.verdict(outcome.report, measuring=True)
