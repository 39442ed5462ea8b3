"""`toolkit logs CHAIN [FUNCTION]`: what the functions of a deployment on a cluster log."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import say
from toolkit.errors import Exit

if TYPE_CHECKING:
    from toolkit.engines.knative.api import Api
    from toolkit.engines.knative.kinds import Object
    from toolkit.engines.knative.standing import Standing


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    parser.add_argument("function", metavar="FUNCTION", nargs="?", help="of this function only")
    parser.add_argument("-f", "--follow", action="store_true", help="tell lines as they come, until Ctrl-C")
    parser.add_argument("--tail", type=arguments.count, metavar="N", help="only the last lines of each pod")
    engines.cluster(parser)


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli import running

    running.interruptible(lambda stop: _tell(options, stop))
    return Exit.OK


async def _tell(options: argparse.Namespace, stop: asyncio.Event) -> None:
    from toolkit.engines.knative import standing
    from toolkit.engines.knative.connection import connect
    from toolkit.run import unless

    chain, namespace = engines.chain_and_namespace(options)
    async with connect(engines.which_cluster(options)) as api:
        found = await standing.the_one(api, chain, namespace)
        await unless(stop, _lines(api, found, options))


async def _lines(api: Api, found: Standing, options: argparse.Namespace) -> None:
    from toolkit.engines.knative import logs
    from toolkit.engines.knative.kinds import selector

    ours = {**found.labels, **_of_function(found, options.function)}
    if options.follow:
        await logs.follow(api, found.namespace, selector(ours), options.tail, _say)
        return
    pods = [each for each in found.pods if ours.items() <= each["metadata"].get("labels", {}).items()]
    async with contextlib.aclosing(logs.recent(api, pods, options.tail)) as lines:
        async for pod, line in lines:
            _say(pod, line)


def _of_function(found: Standing, function: str | None) -> dict[str, str]:
    """The label of the function that was asked for. Raises UsageError when the chain has no such function."""
    from toolkit.cli.tree import unknown
    from toolkit.engines.knative import standing
    from toolkit.manifests.names import FUNCTION

    if function is None:
        return {}
    known = standing.functions(found)
    if function not in known:
        raise unknown("function", function, known, f"the chain has {', '.join(known)}")
    return {FUNCTION: function}


def _say(pod: Object, line: str) -> None:
    from toolkit.manifests.names import FUNCTION
    from toolkit.report.characters import printable

    say(printable(f"{pod['metadata']['labels'].get(FUNCTION, '')} | {line}"))
