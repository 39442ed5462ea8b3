"""`toolkit graph CHAIN`: one chain as a drawing that other programs make."""

from __future__ import annotations

import argparse
import json

from toolkit.cli import options as arguments
from toolkit.cli.output import say


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    arguments.output(parser, "mermaid", "dot", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog
    from toolkit.report import graph

    chain = catalog.load(options.chain, arguments.overrides(options))
    if options.output == "json":
        say(json.dumps(graph.as_json(chain), indent=2))
    else:
        render = graph.dot if options.output == "dot" else graph.mermaid
        say(render(chain).rstrip("\n"))
    return 0
