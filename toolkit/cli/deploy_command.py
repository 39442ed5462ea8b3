"""`toolkit deploy CHAIN`: brings a chain up and keeps it up, so that other tools can drive it.

On this machine until Ctrl-C; on a cluster it stays (`cluster_deploy`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from toolkit.cli import cluster_deploy, engines
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import EngineError, Exit, UsageError
from toolkit.report.characters import printable

if TYPE_CHECKING:
    from toolkit.engines.local.engine import LocalDeployment
    from toolkit.engines.local.process import Supervised
    from toolkit.results import Incident
    from toolkit.run import Order

LOOK_S = 0.2
MOST_AT_ONCE = 1 << 16  # bytes of a log that are told between two looks


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    engines.configure(parser)
    cluster_deploy.configure(parser)
    parser.add_argument(
        "--gateway-port", type=arguments.port, metavar="PORT", help="where the chain takes HTTP requests (local engine)"
    )
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli import running

    order = running.few(options, 1)
    _see_that_the_port_can_be_had(order, options)
    if options.engine == "knative":
        return cluster_deploy.execute(order, options)
    engines.make(options)  # refuses what does not go together
    running.interruptible(lambda stop: _keep_up(order, options, stop))
    return Exit.OK


def _see_that_the_port_can_be_had(order: Order, options: argparse.Namespace) -> None:
    """Raises UsageError where nothing would listen there, EngineError where somebody else does."""
    from toolkit.engines.local.layout import LOOPBACK
    from toolkit.sdk import ports

    port = options.gateway_port
    if port is None:
        return
    if options.engine != "local":
        raise UsageError("--gateway-port is for the local engine", next_step="leave it out: the ingress has a port")
    if order.chain.gateway is None:
        raise UsageError(f"--gateway-port: {order.chain.name} takes no HTTP requests", next_step="docs/gateway.md")
    if not ports.is_free(LOOPBACK, port):
        raise EngineError(f"somebody listens on {LOOPBACK}:{port} already", next_step="give --gateway-port another one")


async def _keep_up(order: Order, options: argparse.Namespace, stop: asyncio.Event) -> None:
    from toolkit.engines.local.engine import LocalEngine
    from toolkit.run import plan_of, unless

    engine = LocalEngine(zipkin=options.zipkin, gateway_port=options.gateway_port)
    deployment = await unless(stop, engine.deploy(plan_of(order), receipts=None))
    if deployment is None:
        return
    try:
        _tell(deployment, order.chain.name, options.output)
        await _until_stopped(deployment, stop)
    finally:
        await deployment.delete()


def _tell(deployment: LocalDeployment, chain: str, form: str) -> None:
    found = {
        "entry": deployment.entry.target,
        "gateway": deployment.gateway,
        "sink": deployment.bound.sink,
        "zipkin": deployment.zipkin,
    }
    if form == "json":
        say(json.dumps({"chain": chain, **found}))
        return
    rows = [(name, value) for name, value in found.items() if value is not None]
    say(arguments.table([("chain", chain), *rows]))
    note("Ctrl-C takes it down")


async def _until_stopped(deployment: LocalDeployment, stop: asyncio.Event) -> None:
    """Tells each incident, and each line that a function logs, as it comes."""
    told = 0
    logs = {function.name: 0 for function in deployment.functions}
    while not stop.is_set():
        for function in deployment.functions:
            logs[function.name] = _follow(function, logs[function.name])
        for incident in deployment.incidents()[told:]:
            told += 1
            _warn(incident)
        try:
            await asyncio.wait_for(stop.wait(), LOOK_S)
        except TimeoutError:
            continue


def _follow(function: Supervised, seen: int) -> int:
    """Tells what was logged from byte `seen` on; how far that was."""
    with contextlib.suppress(OSError), function.log.open("rb") as file:
        file.seek(seen)
        new = file.read(MOST_AT_ONCE)
        whole = new.rfind(b"\n") + 1 or (len(new) if len(new) == MOST_AT_ONCE else 0)
        for line in new[:whole].decode(errors="replace").splitlines():
            note(f"{function.name} | {printable(line)}")
        return seen + whole
    return seen


def _warn(incident: Incident) -> None:
    note(f"{incident.kind}: {incident.subject} {incident.text}")
    for line in incident.log_tail:
        note(f"    {line}")
