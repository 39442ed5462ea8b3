"""`toolkit verify CHAIN`: few calls, every check, no numbers."""

from __future__ import annotations

import argparse

from toolkit.cli import options as arguments

CALLS, AT_A_TIME = 20, 2


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    arguments.engine(parser)
    parser.add_argument("--requests", type=arguments.count, default=CALLS, metavar="N", help="how many calls are sent")
    arguments.output(parser, "text", "json", "junit")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog
    from toolkit.cli import printing, running
    from toolkit.results import Load
    from toolkit.run import Order

    chain = catalog.load(options.chain, arguments.overrides(options))
    concurrency = min(AT_A_TIME, options.requests)
    load = Load(requests=options.requests, concurrency=concurrency, sample=options.sample, seed=options.seed)
    order = Order(chain, load, attributes=tuple(options.attribute))
    report = running.interruptible(lambda stop: running.outcome(order, options, stop)).report
    printing.show(report, options.output, numbers=False)
    return printing.verdict(report, measuring=False)
