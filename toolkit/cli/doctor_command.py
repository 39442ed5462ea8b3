"""`toolkit doctor`: what this machine and this cluster can do, what they lack, and what mends it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import say
from toolkit.engines.findings import Finding, State, missing, remark
from toolkit.errors import EngineError, Exit

MARKS = {State.OK: "✓", State.REMARK: "·", State.MISSING: "✗", State.UNSEEN: "?"}


@dataclass(frozen=True, slots=True)
class Examined:
    """A place where chains may run. `server` is None of this machine, and of a cluster that was not found."""

    place: str
    findings: Sequence[Finding]
    server: str | None = None

    @property
    def fit(self) -> bool:
        return not any(each.state is State.MISSING for each in self.findings)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Says what this machine and the cluster are, whether chains can run there, and\n"
        "what mends what is missing. Status 3 when something is missing that chains need:\n"
        "a cluster is only when one is named, or configured for kubectl."
    )
    parser.add_argument(
        "-n",
        "--namespace",
        type=arguments.namespace,
        metavar="NAME",
        help="where chains are to run (default: each in one of its own)",
    )
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig (default: its current one)")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.engines.local import doctor

    examined = [Examined("local", doctor.examine()), asyncio.run(_cluster(options))]
    say(_as_json(examined) if options.output == "json" else "\n\n".join(map(_as_text, examined)))
    return Exit.OK if all(each.fit for each in examined) else Exit.ENGINE


async def _cluster(options: argparse.Namespace) -> Examined:
    from toolkit.engines.knative import doctor
    from toolkit.engines.knative.connection import connect

    try:
        async with connect(engines.which_cluster(options)) as api:
            return Examined("cluster", await doctor.examine(api, options.namespace), api.server)
    except EngineError as error:
        if _is_named(options):
            return Examined("cluster", [missing("connection", str(error), error.next_step)])
        text = "none is configured: chains run with the engine local only"
        return Examined("cluster", [remark("connection", text, "name one with --kubeconfig FILE or $KUBECONFIG")])


def _is_named(options: argparse.Namespace) -> bool:
    """Whether somebody means a cluster: by an option, a variable, kubectl's own file, or by being in a pod."""
    from toolkit.engines.knative.connection import DEFAULT, IN_CLUSTER

    asked = (options.kubeconfig, options.context, options.namespace, os.environ.get("KUBECONFIG"))
    return any(asked) or DEFAULT.exists() or all(os.environ.get(each) for each in IN_CLUSTER)


def _as_text(examined: Examined) -> str:
    from toolkit.report.characters import printable

    title = (
        "This machine (engine local)" if examined.place == "local" else f"The cluster {examined.server or ''}".rstrip()
    )
    width = max((len(each.topic) for each in examined.findings), default=0)
    lines = [title]
    for each in examined.findings:
        lines.append(f"  {MARKS[each.state]} {each.topic:<{width}}  {printable(each.text)}")
        lines += [f"    {'':<{width}}  next: {printable(line)}" for line in (each.mend or "").splitlines()]
    return "\n".join(lines)


def _as_json(examined: Sequence[Examined]) -> str:
    places = [
        {
            "place": each.place,
            "server": each.server,
            "fit": each.fit,
            "findings": [{**asdict(found), "state": found.state.value} for found in each.findings],
        }
        for each in examined
    ]
    return json.dumps({"schema": 1, "fit": all(each.fit for each in examined), "places": places}, indent=2)
