"""`toolkit invoke CHAIN`: brings a chain up, sends one call, prints the reply.

What `toolkit deploy` left on a cluster is called as it stands there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import Exit

if TYPE_CHECKING:
    from toolkit.engines.base import Entry
    from toolkit.results import CallRecord
    from toolkit.run import Order


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    engines.configure(parser)
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli import running
    from toolkit.report.characters import printable

    order = running.few(options, 1)
    calls, stopped = running.interruptible(lambda stop: _call(order, options, stop))
    for call in calls:
        if options.output == "json":
            fields = {"call": call.call, "trace": call.trace, "status": call.status, "reply": call.reply}
            say(json.dumps({**fields, "error": call.error}, indent=2))
        elif call.ok:
            say(printable(call.reply or ""))
        else:
            note(printable(": ".join(each for each in (call.status or "never answered", call.error) if each)))
    if stopped:
        return Exit.INTERRUPTED
    return Exit.OK if calls and all(call.ok for call in calls) else Exit.CHECK


async def _call(order: Order, options: argparse.Namespace, stop: asyncio.Event) -> tuple[Sequence[CallRecord], bool]:
    """What became of the call, and whether somebody stopped it. On a cluster a deployment that stands is called."""
    from toolkit.cli import running

    entry = await _standing(order, options) if options.engine == "knative" else None
    if entry is None:
        outcome = await running.outcome(order, options, stop)
        return outcome.calls, outcome.report.partial
    from toolkit.load.generator import Way, drive
    from toolkit.run import name

    chain = order.chain
    run = name(chain, datetime.now(UTC))
    way = Way(entry.target, entry.authority)
    calls = await asyncio.to_thread(drive, way, order.load, run=run, chain=chain.name, stopped=stop.is_set)
    return calls, stop.is_set()


async def _standing(order: Order, options: argparse.Namespace) -> Entry | None:
    """The entry of what `toolkit deploy` left on the cluster; None when there is nothing of this chain."""
    from toolkit.engines.knative import standing
    from toolkit.engines.knative.connection import connect

    chain = order.chain
    async with connect(engines.which_cluster(options)) as api:
        found = await standing.find(api, chain.name, options.namespace or chain.name)
        if not any(each.objects for each in found):
            return None
        one = await standing.the_one(api, chain.name, options.namespace or chain.name)
        return await standing.entry(api, one, chain.entry, options.ingress)
