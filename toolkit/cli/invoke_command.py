"""`toolkit invoke CHAIN`: brings a chain up, sends one call, prints the reply."""

from __future__ import annotations

import argparse
import json

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import Exit


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    engines.configure(parser)
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli import running
    from toolkit.report.characters import printable

    order = running.few(options, 1)
    outcome = running.interruptible(lambda stop: running.outcome(order, options, stop))
    for call in outcome.calls:
        if options.output == "json":
            fields = {"call": call.call, "trace": call.trace, "status": call.status, "reply": call.reply}
            say(json.dumps({**fields, "error": call.error}, indent=2))
        elif call.ok:
            say(printable(call.reply or ""))
        else:
            note(printable(": ".join(each for each in (call.status or "never answered", call.error) if each)))
    if outcome.report.partial:
        return Exit.INTERRUPTED
    return Exit.OK if outcome.calls and all(call.ok for call in outcome.calls) else Exit.CHECK
