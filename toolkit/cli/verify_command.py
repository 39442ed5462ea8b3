"""`toolkit verify CHAIN`: few calls, every check, no numbers."""

from __future__ import annotations

import argparse

from toolkit.cli import engines, load_options
from toolkit.cli import options as arguments

CALLS, AT_A_TIME = 20, 2


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    engines.configure(parser)
    parser.add_argument("--requests", type=arguments.count, default=CALLS, metavar="N", help="how many calls are sent")
    load_options.origin(parser)
    arguments.output(parser, "text", "json", "junit")


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli import printing, running

    order = running.few(options, options.requests, max(AT_A_TIME, options.generators))
    load_options.see_that_it_can_be_sent(order.load, options)
    report = running.interruptible(lambda stop: running.outcome(order, options, stop)).report
    printing.show(report, options.output, numbers=False)
    return printing.verdict(report, measuring=False)
