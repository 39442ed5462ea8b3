"""How much is sent, and how: the arguments of `run`, and the `Load` they mean."""

from __future__ import annotations

import argparse
import os

from toolkit.cli import options as arguments
from toolkit.results import Load

REQUESTS, RATE = 200, 100.0
RIVALS = (("requests", "duration"), ("rate", "concurrency"))  # one of the two says how much, or how fast


def configure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("load", f"open loop by default: {REQUESTS} calls, {RATE:g} a second")
    group.add_argument("--requests", type=arguments.count, metavar="N", help="how many calls are sent")
    group.add_argument("--duration", type=arguments.seconds, metavar="TIME", help="for how long, for example 10s or 2m")
    group.add_argument("--rate", type=arguments.positive, metavar="N", help="calls due a second (open loop)")
    group.add_argument("--arrivals", choices=("constant", "poisson"), default="constant", help="when calls are due")
    group.add_argument("--concurrency", type=arguments.count, metavar="N", help="calls open at a time (closed loop)")
    group.add_argument("--timeout", type=arguments.seconds, default=30.0, metavar="TIME", help="deadline of a call")


def load(options: argparse.Namespace) -> Load:
    """The load that was asked for; what cannot go together is refused by `load.pacing`."""
    for one, other in RIVALS:
        _flag_wins(options, one, other)
        _flag_wins(options, other, one)
    requests, rate = options.requests, options.rate
    if requests is None and options.duration is None:
        requests = REQUESTS
    if rate is None and options.concurrency is None:
        rate = RATE
    return Load(
        requests=requests,
        duration_s=options.duration,
        rate=rate,
        concurrency=options.concurrency,
        sample=options.sample,
        seed=options.seed,
        timeout_s=options.timeout,
        arrivals=options.arrivals,
    )


def _flag_wins(options: argparse.Namespace, one: str, other: str) -> None:
    """A value from the environment gives way to the rival flag on the command line."""
    variables = (f"TOOLKIT_{one.upper()}" in os.environ, f"TOOLKIT_{other.upper()}" in os.environ)
    if variables == (True, False) and getattr(options, other) is not None:
        setattr(options, one, None)
