"""`toolkit describe CHAIN`: one chain in words."""

from __future__ import annotations

import argparse
import json

from toolkit.cli import options as arguments
from toolkit.cli.output import say


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog
    from toolkit.report import graph, knobs
    from toolkit.spec.notes import notes

    chain = catalog.load(options.chain, arguments.overrides(options))
    if options.output == "json":
        say(json.dumps({**graph.as_json(chain), "notes": notes(chain)}, indent=2))
    else:
        say((graph.text(chain) + knobs.text(chain)).rstrip("\n"))
    return 0
