"""`toolkit trace show`: one trace, of a run, a file, a store or a Zipkin, as a waterfall."""

from __future__ import annotations

import argparse
import shutil

from toolkit.cli import one_trace, sources
from toolkit.cli import options as arguments
from toolkit.cli.output import colour, note, say
from toolkit.errors import Exit


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", metavar="ID", help="a trace's id, or its beginning (default: the slowest)")
    sources.configure(parser)
    parser.add_argument(
        "--unfold", action="store_true", help="show every span of Knative's own components, not one line a component"
    )
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.report import fans, folding, waterfall
    from toolkit.traces import overlap, tree, zipkin

    sources.settle(options)
    spans = one_trace.find(options, options.id)
    if options.output == "json":
        say(zipkin.encode(spans).decode())
    else:
        width = max(60, min(160, shutil.get_terminal_size((100, 24)).columns))
        shown = spans if options.unfold else folding.fold(spans)
        told = "".join(f"{line}\n" for line in fans.lines(overlap.fans(spans)))
        say(waterfall.render(shown, width=width, colour=colour()) + told)
        if folded := len(tree.merge(spans)) - len(shown):
            note(f"{folded} spans of the platform are folded into others; --unfold shows them")
    return Exit.OK
