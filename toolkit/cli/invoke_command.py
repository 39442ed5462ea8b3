"""`toolkit invoke CHAIN`: brings a chain up, sends one call, prints the reply."""

from __future__ import annotations

import argparse
import json
import sys

from toolkit.cli import options as arguments
from toolkit.errors import Exit


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    arguments.engine(parser)
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog
    from toolkit.cli import running
    from toolkit.results import Load
    from toolkit.run import Order

    chain = catalog.load(options.chain, arguments.overrides(options))
    load = Load(requests=1, concurrency=1, sample=options.sample, seed=options.seed)
    outcome = running.outcome(Order(chain, load, attributes=tuple(options.attribute)), options)
    for call in outcome.calls:
        if options.output == "json":
            fields = {"call": call.call, "trace": call.trace, "status": call.status, "reply": call.reply}
            print(json.dumps({**fields, "error": call.error}, indent=2))
        elif call.ok:
            print(call.reply)
        else:
            print(f"{call.status or 'never answered'}: {call.error}", file=sys.stderr)
    if outcome.report.partial:
        return Exit.INTERRUPTED
    return Exit.OK if outcome.calls and all(call.ok for call in outcome.calls) else Exit.CHECK
