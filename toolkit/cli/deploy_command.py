"""`toolkit deploy CHAIN`: brings a chain up and keeps it up, so that other tools can drive it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.errors import Exit

if TYPE_CHECKING:
    from toolkit.engines.local.engine import LocalDeployment
    from toolkit.results import Incident
    from toolkit.run import Order

LOOK_S = 0.2


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    arguments.engine(parser)
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog
    from toolkit.cli.running import interruptible
    from toolkit.results import Load
    from toolkit.run import Order

    chain = catalog.load(options.chain, arguments.overrides(options))
    load = Load(requests=1, concurrency=1, sample=options.sample, seed=options.seed)
    order = Order(chain, load, attributes=tuple(options.attribute))
    interruptible(lambda stop: _keep_up(order, options, stop))
    return Exit.OK


async def _keep_up(order: Order, options: argparse.Namespace, stop: asyncio.Event) -> None:
    from toolkit.engines.collector import Collector
    from toolkit.engines.local.engine import LocalEngine
    from toolkit.run import plan_of

    async with Collector() as collector:
        engine = LocalEngine(zipkin=options.zipkin)
        deployment = await engine.deploy(plan_of(order), receipts=collector.address)
        try:
            _tell(deployment, order.chain.name, options.output)
            await _until_stopped(deployment, stop)
        finally:
            await deployment.delete()


def _tell(deployment: LocalDeployment, chain: str, form: str) -> None:
    found = {"entry": deployment.entry.target, "sink": deployment.bound.sink, "zipkin": deployment.zipkin}
    if form == "json":
        print(json.dumps({"chain": chain, **found}), flush=True)
        return
    rows = [(name, value) for name, value in found.items() if value is not None]
    print(arguments.table([("chain", chain), *rows]), flush=True)
    print("Ctrl-C takes it down", file=sys.stderr)


async def _until_stopped(deployment: LocalDeployment, stop: asyncio.Event) -> None:
    """Tells each incident as it comes."""
    told = 0
    while not stop.is_set():
        for incident in deployment.incidents()[told:]:
            told += 1
            _warn(incident)
        try:
            await asyncio.wait_for(stop.wait(), LOOK_S)
        except TimeoutError:
            continue


def _warn(incident: Incident) -> None:
    print(f"{incident.kind}: {incident.subject} {incident.text}", file=sys.stderr)
    for line in incident.log_tail:
        print(f"    {line}", file=sys.stderr)
