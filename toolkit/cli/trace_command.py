"""`toolkit trace ACTION`: which actions there are. What one takes and does is in the module of its row.

A module is imported for `toolkit trace …` and its completion alone; what it needs to act, it imports when it does.
"""

from __future__ import annotations

import argparse
import importlib
from typing import cast

from toolkit.cli.tree import Command, Module

ACTIONS = (
    Command("serve", "trace_serve", "run a trace store that speaks Zipkin's API v2 and takes OTLP, until Ctrl-C"),
    Command("show", "trace_show", "one trace as a waterfall"),
    Command("diff", "trace_diff", "two traces beside each other, by what they were waiting for"),
    Command("analyze", "trace_analyze", "where the time of many traces went: of a run, a file or a Zipkin"),
    Command("import", "trace_import", "spans out of files into a store"),
    Command("export", "trace_export", "the spans of a run or of a store as a file"),
    Command("ui", "trace_ui", "a page over the traces of a run, a file or a Zipkin, until Ctrl-C"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    names = "|".join(action.name for action in ACTIONS)
    commands = parser.add_subparsers(dest="action", required=True, metavar=names)
    for action in ACTIONS:
        about = action.about[0].upper() + action.about[1:] + "."
        _module(action).configure(
            commands.add_parser(action.name, help=action.about, description=about, allow_abbrev=False)
        )


def execute(options: argparse.Namespace) -> int:
    chosen = next(action for action in ACTIONS if action.name == options.action)
    return _module(chosen).execute(options)


def _module(action: Command) -> Module:
    return cast(Module, importlib.import_module(f"toolkit.cli.{action.module}"))
