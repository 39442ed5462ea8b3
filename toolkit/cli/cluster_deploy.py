"""`toolkit deploy CHAIN --engine knative`: on a cluster a deployment stays when the command has ended.

May live here: what `deploy` does differently there. `toolkit status`, `logs`, `invoke` and `delete` find it again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import Exit

if TYPE_CHECKING:
    from toolkit.engines.knative.deployment import KnativeDeployment
    from toolkit.engines.knative.engine import KnativeEngine
    from toolkit.engines.knative.kinds import Object
    from toolkit.plan import Plan
    from toolkit.run import Order


def configure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("on a cluster")
    group.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="wait until all is ready (the default)"
    )
    group.add_argument(
        "--dry-run",
        choices=("client", "server"),
        help="print the manifests; or only ask the cluster whether it would take them",
    )


def execute(order: Order, options: argparse.Namespace) -> int:
    from toolkit.cli import running
    from toolkit.spec.notes import notes

    engine = engines.knative(options)
    for each in notes(order.chain):
        note(each)
    if options.dry_run == "client":
        return _print(order, engine, options)
    deployed = running.interruptible(lambda stop: _deploy(order, engine, options, stop))
    return Exit.OK if deployed else Exit.INTERRUPTED


def _print(order: Order, engine: KnativeEngine, options: argparse.Namespace) -> int:
    from toolkit import manifests
    from toolkit.run import plan_of

    objects = engine.manifests_of(plan_of(order))
    say(manifests.as_list(objects) if options.output == "json" else manifests.text(objects))
    return Exit.OK


async def _deploy(order: Order, engine: KnativeEngine, options: argparse.Namespace, stop: asyncio.Event) -> bool:
    """Whether it came to its end; when somebody stopped it, it has been taken away again."""
    from toolkit.run import unless

    plan = await _plan(order, engine, options)
    if options.dry_run == "server" or not options.wait:
        applied = await unless(stop, engine.apply(plan, dry_run=options.dry_run == "server"))
        if applied is not None:
            _tell_applied(applied, options)
        return applied is not None
    deployment = await unless(stop, engine.deploy(plan, receipts=None, tracing=False))
    if deployment is None:
        return False
    _tell(deployment, options)
    await deployment.leave()
    return True


async def _plan(order: Order, engine: KnativeEngine, options: argparse.Namespace) -> Plan:
    """Under the name of the run that stands there already, if one does: then nothing changes but what has changed."""
    from toolkit import plan as plans
    from toolkit.manifests.names import label_value
    from toolkit.run import plan_of

    fresh = plan_of(order)
    run = await engine.run_of(order.chain.name) or label_value(fresh.run)
    tracing = next(iter(fresh.wirings.values())).tracing
    return plans.make(order.chain, run, seed=options.seed, tracing=tracing)


def _tell(deployment: KnativeDeployment, options: argparse.Namespace) -> None:
    chain = deployment.plan.chain.name
    found: dict[str, Any] = {
        "namespace": deployment.namespace,
        "run": deployment.plan.run,
        "entry": deployment.entry.target,
        "authority": deployment.entry.authority,
        "gateway": None,
        "gateway-host": None,
        "sink": deployment.bound.sink,
        "zipkin": deployment.zipkin,
    }
    if deployment.gateway is not None and deployment.plan.chain.gateway is not None:
        found["gateway"] = f"http://{deployment.gateway.target}{deployment.plan.chain.gateway.gateway}"
        found["gateway-host"] = deployment.gateway.authority
    if options.output == "json":
        say(json.dumps({"chain": chain, **found}))
        return
    say(arguments.table([("chain", chain), *((name, value) for name, value in found.items() if value is not None)]))
    where = "" if deployment.namespace == chain else f" -n {deployment.namespace}"
    note(f"next: toolkit invoke {chain} --engine knative{where} · toolkit delete {chain}{where}")


def _tell_applied(applied: Sequence[Object], options: argparse.Namespace) -> None:
    from toolkit.engines.knative.kinds import Key

    how = "would be applied (dry run on the server)" if options.dry_run == "server" else "applied"
    if options.output == "json":
        say(json.dumps([{"kind": str(Key.of(each).kind), "name": Key.of(each).name} for each in applied]))
    else:
        say("\n".join(f"{Key.of(each)} {how}" for each in applied))
