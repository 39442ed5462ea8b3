"""`toolkit status CHAIN`: how a deployment on a cluster is."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import say
from toolkit.errors import Exit

if TYPE_CHECKING:
    from toolkit.engines.knative.standing import Standing


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    engines.cluster(parser)
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    standing = asyncio.run(_look(options))
    say(_as_json(standing) if options.output == "json" else _as_text(standing))
    return Exit.OK if standing.ready else Exit.ENGINE


async def _look(options: argparse.Namespace) -> Standing:
    from toolkit.engines.knative import standing
    from toolkit.engines.knative.connection import connect

    chain, namespace = engines.chain_and_namespace(options)
    async with connect(engines.which_cluster(options)) as api:
        return await standing.the_one(api, chain, namespace)


def _as_text(found: Standing) -> str:
    from toolkit.engines.knative import standing
    from toolkit.report.characters import printable

    rows = [(each.kind, each.name, "yes" if each.ready else "no", each.state) for each in standing.lines(found)]
    head = f"{found.chain} · namespace {found.namespace} · run {found.run}\n\n"
    return head + arguments.table([("KIND", "NAME", "READY", "STATE"), *(tuple(map(printable, row)) for row in rows)])


def _as_json(found: Standing) -> str:
    from toolkit.engines.knative import standing

    objects = [
        {"kind": each.kind, "name": each.name, "ready": each.ready, "state": each.state}
        for each in standing.lines(found)
    ]
    fields = {"chain": found.chain, "namespace": found.namespace, "run": found.run, "ready": found.ready}
    return json.dumps({"schema": 1, **fields, "objects": objects}, indent=2)
