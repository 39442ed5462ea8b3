"""`toolkit load plan`: when the calls of a load would be due. Nothing is sent."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from typing import TYPE_CHECKING

from toolkit.cli import load_options
from toolkit.cli import options as arguments
from toolkit.cli.output import forget, say, speaks_unicode

if TYPE_CHECKING:
    from toolkit.planned import Planned
    from toolkit.results import Load
    from toolkit.spec.model import OwnLoad

NARROWEST, WIDEST, USUAL = 20, 120, 60  # columns of the plot
OTHER_LOADS = ("cold",)  # with these a command sends another load than its flags say


def configure(parser: argparse.ArgumentParser) -> None:
    load_options.amount(parser)
    parser.add_argument(
        "--sample", type=arguments.fraction, default=0.0, help="the share of calls marked as traced, 0..1"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides arrivals")
    arguments.output(parser, "text", "json", "csv")
    _take_too(parser)


def _take_too(parser: argparse.ArgumentParser) -> None:
    """The flags of the commands that send, so that `load plan` can be put in their place and nothing else changed."""
    from toolkit.cli import load_command, run_command

    parser.add_argument("chain", metavar="CHAIN", nargs="?", help="a chain to be run, whose own load counts")
    group = parser.add_argument_group("flags of 'toolkit load' and 'toolkit run' that change nothing here")
    for command in (load_command, run_command):
        other = argparse.ArgumentParser(add_help=False)
        command.configure(other)
        for action in other._actions:
            known = not action.option_strings or set(action.option_strings) & set(parser._option_string_actions)
            if not known and action.dest not in OTHER_LOADS:
                action.required = False
                group._add_action(action)


def execute(options: argparse.Namespace) -> int:
    from toolkit.load import pacing

    load = load_options.load(options, _own(options))
    pacing.validate(load)
    if options.output == "csv":
        _csv(load)
        return 0
    width = shutil.get_terminal_size((100, 24)).columns
    columns = max(NARROWEST, min(width - 16, WIDEST)) if options.output == "text" else USUAL
    found = _planned(load, columns)
    from toolkit.report import plan

    if options.output == "json":
        say(json.dumps(plan.as_json(load, found), indent=2))
    else:
        say(plan.text(load, found, width=width, unicode=speaks_unicode()))
    return 0


def _own(options: argparse.Namespace) -> OwnLoad | None:
    """What `toolkit run` would send to the chain that is named, if one is, of its own accord."""
    if options.chain is None:
        return None
    from toolkit.cli import engines

    return engines.named(options).load


def _planned(load: Load, columns: int) -> Planned | None:
    from toolkit.load import pacing
    from toolkit.measure.planned import planned

    schedule = pacing.schedule(load)
    return None if schedule is None else planned(schedule, pacing.length_s(load) or 0.0, stretches=columns)


def _csv(load: Load) -> None:
    """One call a line, as `--arrivals recorded:FILE` reads them; a reader that has seen enough is no error."""
    from toolkit.load import pacing

    if sys.stdout is None:
        return
    try:
        print("seq,due_ns")
        for place, due_ns in enumerate(pacing.times(load)):
            print(f"{place},{due_ns}")
        sys.stdout.flush()
    except BrokenPipeError:
        forget()
