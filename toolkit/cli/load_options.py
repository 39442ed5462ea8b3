"""How much is sent, and how: the arguments of `run`, and the `Load` they mean."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, cast

from toolkit.cli import options as arguments
from toolkit.errors import UsageError
from toolkit.results import Load

if TYPE_CHECKING:
    from toolkit.engines.base import Engine, Source
    from toolkit.engines.knative.engine import KnativeEngine

REQUESTS, RATE = 200, 100.0
RIVALS = (("requests", "duration"), ("rate", "concurrency"))  # one of the two says how much, or how fast


def configure(parser: argparse.ArgumentParser) -> None:
    origin(amount(parser))


def amount(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """How much, how fast, in which order, for how long."""
    group = parser.add_argument_group("load", f"open loop by default: {REQUESTS} calls, {RATE:g} a second")
    group.add_argument("--requests", type=arguments.count, metavar="N", help="how many calls are sent")
    group.add_argument("--duration", type=arguments.seconds, metavar="TIME", help="for how long, for example 10s or 2m")
    group.add_argument("--rate", type=arguments.positive, metavar="N", help="calls due a second (open loop)")
    group.add_argument("--arrivals", choices=("constant", "poisson"), default="constant", help="when calls are due")
    group.add_argument("--concurrency", type=arguments.count, metavar="N", help="calls open at a time (closed loop)")
    group.add_argument("--timeout", type=arguments.seconds, default=30.0, metavar="TIME", help="deadline of a call")
    return group


def origin(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Where the load is sent from, and by how many."""
    parser.add_argument(
        "--from",
        choices=("here", "cluster"),
        default="here",
        help="where calls are sent from: this machine, or Jobs next to the functions (--engine knative)",
    )
    parser.add_argument(
        "--generators",
        type=arguments.count,
        default=1,
        metavar="N",
        help="with --from cluster: how many share the load",
    )


def see_that_it_can_be_sent(load: Load, options: argparse.Namespace) -> None:
    """Raises UsageError for a load that makes no sense, or cannot be sent from where it should be."""
    from toolkit.load import pacing, share

    pacing.validate(load)
    share.validate(load, options.generators)
    if _inside(options) and options.engine != "knative":
        raise UsageError(
            f"--from cluster: with --engine {options.engine} there is no cluster to send the load from",
            next_step="add --engine knative and --image REF, or leave --from away: calls then come from this machine",
        )
    if options.generators > 1 and not _inside(options):
        raise UsageError(
            f"--generators {options.generators}: from this machine one generator sends the load",
            next_step="add --from cluster, or leave --generators away",
        )


def source(engine: Engine, options: argparse.Namespace) -> Source | None:
    """Who sends the load; None: this process."""
    if not _inside(options):
        return None
    return cast("KnativeEngine", engine).inside(options.generators)  # no other one came so far


def _inside(options: argparse.Namespace) -> bool:
    return getattr(options, "from", "here") == "cluster"


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
