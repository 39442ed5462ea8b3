"""`toolkit delete CHAIN`: takes a deployment on a cluster away, and nothing else."""

from __future__ import annotations

import argparse
import asyncio

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import EngineError, Exit

GONE_WITHIN_S = 90.0


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    engines.cluster(parser)
    parser.add_argument(
        "--timeout",
        type=arguments.seconds,
        default=GONE_WITHIN_S,
        metavar="TIME",
        help=f"longest wait for all to be gone (default {GONE_WITHIN_S:.0f}s)",
    )
    arguments.output(parser, "text", "name")


def execute(options: argparse.Namespace) -> int:
    left = asyncio.run(_delete(options))
    if left:
        raise EngineError("\n".join(left), next_step="run it again, or remove it as shown")
    return Exit.OK


async def _delete(options: argparse.Namespace) -> list[str]:
    from toolkit.engines.knative import removal, standing
    from toolkit.engines.knative.connection import connect
    from toolkit.engines.knative.kinds import Key

    chain, namespace = engines.chain_and_namespace(options)
    async with connect(engines.which_cluster(options)) as api:
        found = await standing.find(api, chain, namespace)
        if not found:
            note(f"nothing of {chain} is in the namespace {namespace}")
        left: list[str] = []
        for each in found:
            left += await removal.remove(api, namespace, each.labels, options.timeout)
            names = [str(Key.of(one)) for one in each.objects]
            say(
                "\n".join(names)
                if options.output == "name"
                else f"deleted the run {each.run} of {chain}: {', '.join(names)}"
            )
        return left
