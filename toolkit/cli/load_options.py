"""How much is sent, and how: the arguments of `run`, and the `Load` they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from toolkit.cli import options as arguments
from toolkit.errors import UsageError
from toolkit.load.share import MOST_CONNECTIONS
from toolkit.results import Load

if TYPE_CHECKING:
    from toolkit.engines.base import Engine, Source
    from toolkit.engines.knative.engine import KnativeEngine
    from toolkit.spec.model import OwnLoad

REQUESTS, RATE, CONCURRENCY = 200, 100.0, 1
USUAL = f"{REQUESTS} calls, {RATE:g} a second"
ARRIVALS = ("constant", "poisson", "uniform", "burst:on=1s,off=4s", "ramp:to=200", "step:by=10,every=5s", "recorded:")
KINDS = f"{', '.join(ARRIVALS)}FILE (docs/arrivals.md)"
RIVALS = (  # one of the two says how much, how fast, or how workers go on
    ("requests", "duration"),
    ("rate", "concurrency"),
    ("arrivals", "concurrency"),
    ("arrivals", "think"),
    ("rate", "think"),
)
LONGEST_LINE = 1 << 20  # characters


def configure(parser: argparse.ArgumentParser) -> None:
    origin(amount(parser, f"by default what the chain's `load` says (toolkit describe CHAIN); else open loop: {USUAL}"))


def amount(parser: argparse.ArgumentParser, about: str = f"open loop by default: {USUAL}") -> argparse._ArgumentGroup:
    """How much, how fast, in which order, for how long."""
    group = parser.add_argument_group("load", about)
    group.add_argument("--requests", type=arguments.count, metavar="N", help="how many calls are sent")
    group.add_argument("--duration", type=arguments.seconds, metavar="TIME", help="for how long, for example 10s or 2m")
    group.add_argument("--rate", type=arguments.positive, metavar="N", help="calls due a second (open loop)")
    arrivals = group.add_argument(
        "--arrivals", metavar="KIND", help=f"when calls are due, constant by default: {KINDS}"
    )
    arrivals.__dict__["candidates"] = ARRIVALS
    group.add_argument("--concurrency", type=arguments.count, metavar="N", help="calls open at a time (closed loop)")
    group.add_argument(
        "--think",
        metavar="TIME",
        help="wait so long between an answer and the next call (closed loop): 100ms, exponential:100ms",
    )
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
        help="how many processes share the load, each one thread (--from cluster: how many Jobs)",
    )
    parser.add_argument(
        "--connections",
        type=arguments.count,
        metavar="N",
        help="of each generator (default: one to each address of the entry, as gRPC's clients have)",
    )


def see_that_it_can_be_sent(load: Load, options: argparse.Namespace) -> None:
    """Raises UsageError for a load that makes no sense, or cannot be sent from where it should be."""
    from toolkit.load import pacing, share

    pacing.validate(load, pacing.MOST_KEPT)
    share.validate(load, options.generators)
    if (options.connections or 1) > MOST_CONNECTIONS:
        raise UsageError(
            f"--connections {options.connections}: more than {MOST_CONNECTIONS:,}",
            next_step="leave it away, or let more --generators share the load",
        )
    if _inside(options) and options.engine != "knative":
        raise UsageError(
            f"--from cluster: with --engine {options.engine} there is no cluster to send the load from",
            next_step="add --engine knative and --image REF, or leave --from away: calls then come from this machine",
        )


def source(engine: Engine, options: argparse.Namespace) -> Source | None:
    """Who sends the load."""
    if not _inside(options):
        from toolkit.engines.here import Here

        return Here(getattr(options, "generators", 1), getattr(options, "connections", None))  # `invoke` has neither
    return cast("KnativeEngine", engine).inside(options.generators, options.connections)  # no other one came so far


def _inside(options: argparse.Namespace) -> bool:
    return getattr(options, "from", "here") == "cluster"


def load(options: argparse.Namespace, own: OwnLoad | None = None) -> Load:
    """The load that was asked for; what was not, is the chain's `own`. Reads a recording's file.

    What cannot go together is refused by `load.pacing`.
    """
    for one, other in RIVALS:
        _flag_wins(options, one, other)
        _flag_wins(options, other, one)
    if _is_recorded(options) and "TOOLKIT_ARRIVALS" not in os.environ and "TOOLKIT_RATE" in os.environ:
        options.rate = None
    recording = _recording(options)
    requests, rate, concurrency = options.requests, options.rate, options.concurrency
    if requests is None and options.duration is None:
        requests = _amount(options, own) if recording is None else _recorded_calls(recording)
    if rate is None and concurrency is None and not _is_recorded(options):
        rate, concurrency = _pace(options, own)
    return Load(
        requests=requests,
        duration_s=options.duration,
        rate=rate,
        concurrency=concurrency,
        sample=options.sample,
        seed=options.seed,
        timeout_s=options.timeout,
        arrivals=options.arrivals or "constant",
        think=options.think,
        recorded=recording,
    )


def _amount(options: argparse.Namespace, own: OwnLoad | None) -> int:
    """How many calls, where nobody says it; one for each generator at least, whose number was asked for."""
    calls = own.requests if own else None
    return REQUESTS if calls is None else max(calls, getattr(options, "generators", 1))


def _pace(options: argparse.Namespace, own: OwnLoad | None) -> tuple[float | None, int | None]:
    """How many a second, or at a time, where nobody says it. `--arrivals` are an open loop's, `--think` a closed one's.

    The chain's own pace counts where it is of the kind that was asked for.
    """
    rate, concurrency = (own.rate, own.concurrency) if own else (None, None)
    at_a_time = max(concurrency or CONCURRENCY, getattr(options, "generators", 1))
    if options.arrivals is None and (concurrency or options.think is not None):
        return None, at_a_time
    return rate or RATE, None


def _is_recorded(options: argparse.Namespace) -> bool:
    return str(options.arrivals).startswith("recorded")


def _recording(options: argparse.Namespace) -> str | None:
    """What the file of `--arrivals recorded:FILE` says; None without one, and for a text that `pacing` refuses."""
    if not _is_recorded(options):
        return None
    from toolkit.load import arrivals, invocations

    try:
        wanted = arrivals.parse(options.arrivals)
    except UsageError:
        return None
    try:
        with Path(wanted.file).open(encoding="utf-8-sig", newline="") as file:
            return invocations.read(_lines(file, wanted.file), wanted)
    except UnicodeDecodeError as error:
        raise UsageError(f"{wanted.file}: no text (UTF-8): {error.reason}", next_step="give a CSV file") from error
    except (OSError, ValueError) as error:  # a name with a NUL is the latter
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"--arrivals recorded:{wanted.file}: {why}", next_step="give a CSV file") from error


def _lines(file: TextIO, name: str) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise UsageError(f"{name}: a line of more than {LONGEST_LINE:,} characters", next_step="give a CSV file")
        yield line


def _recorded_calls(recording: str) -> int:
    from toolkit.load import recorded

    return recorded.count(recording) or 1  # of none `pacing` says what is wrong


def _flag_wins(options: argparse.Namespace, one: str, other: str) -> None:
    """A value from the environment gives way to the rival flag on the command line."""
    variables = (f"TOOLKIT_{one.upper()}" in os.environ, f"TOOLKIT_{other.upper()}" in os.environ)
    if variables == (True, False) and getattr(options, other) is not None:
        setattr(options, one, None)
