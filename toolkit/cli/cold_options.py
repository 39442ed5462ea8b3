"""Cold starts in place of a load: the arguments of `run`, and what they mean."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.cli.output import note, progress_wanted
from toolkit.errors import UsageError
from toolkit.results import Load

if TYPE_CHECKING:
    from toolkit.engines.base import Source
    from toolkit.spec.model import ChainSpec

WITHIN_S = 180.0
RIVALS = ("requests", "duration", "rate", "concurrency")


def configure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("cold starts", "in place of a load; docs/cold.md")
    group.add_argument(
        "--cold",
        type=arguments.count,
        metavar="N",
        help="N times: bring every function to zero, send one call, split where its time went",
    )
    group.add_argument(
        "--cold-timeout",
        type=arguments.seconds,
        default=WITHIN_S,
        metavar="TIME",
        help=f"longest wait for zero before each (default {WITHIN_S:.0f}s)",
    )


def load(options: argparse.Namespace) -> Load | None:
    """The calls of `--cold N`, one at a time; None without it. Raises UsageError for what does not go with it."""
    if (times := getattr(options, "cold", None)) is None:
        return None
    if given := [each for each in RIVALS if getattr(options, each) is not None]:
        raise UsageError(
            f"--cold {times} and --{given[0]}: a cold start is one call", next_step=f"leave --{given[0]} away"
        )
    if getattr(options, "from", "here") != "here":
        raise UsageError("--cold and --from cluster: its calls come from this machine", next_step="leave --from away")
    if options.sample < 1:
        raise UsageError(
            f"--cold {times} and --sample {options.sample:g}: what is not traced cannot be split",
            next_step="leave --sample away",
        )
    return Load(requests=times, concurrency=1, seed=options.seed, timeout_s=options.timeout)


def chain(found: ChainSpec, options: argparse.Namespace) -> ChainSpec:
    """As it is, but with `--cold` made to go to zero soon. Raises UsageError for one that never does."""
    if getattr(options, "cold", None) is None:
        return found
    from toolkit import cold

    return cold.soon_asleep(found)


def source(options: argparse.Namespace) -> Source | None:
    """None without `--cold`."""
    if getattr(options, "cold", None) is None:
        return None
    from toolkit.cold import FromZero
    from toolkit.engines.here import Here

    tell = note if progress_wanted() else lambda text: None
    return FromZero(options.cold, Here(), within_s=options.cold_timeout, tell=tell)
