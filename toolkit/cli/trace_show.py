"""`toolkit trace show`: one trace, of a run or of a Zipkin, as a waterfall."""

from __future__ import annotations

import argparse
import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.cli.output import colour, note, say
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.traces.model import Span

SOME = 3  # ids that are named where nothing has the one that was asked for


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", metavar="ID", help="a trace's id (default: the slowest trace of the run)")
    parser.add_argument("--run", metavar="RUN", help="a stored run: its id, or its folder (default: the newest)")
    parser.add_argument(
        "--zipkin",
        type=arguments.web_address,
        metavar="URL",
        help="ask this Zipkin, or a 'toolkit trace serve', in place of a run",
    )
    parser.add_argument("--file", type=Path, metavar="SPANS", help="a file of Zipkin v2 spans, in place of a run")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    parser.add_argument(
        "--unfold", action="store_true", help="show every span of Knative's own components, not one line a component"
    )
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.report import folding, waterfall
    from toolkit.traces import tree, zipkin

    if sum(each is not None for each in (options.run, options.zipkin, options.file)) > 1:
        raise UsageError("--run, --zipkin and --file exclude each other", next_step="name one of them")
    spans = _from_zipkin(options) if options.zipkin else _from_run(options)
    if options.output == "json":
        say(zipkin.encode(spans).decode())
    else:
        width = max(60, min(160, shutil.get_terminal_size((100, 24)).columns))
        shown = spans if options.unfold else folding.fold(spans)
        say(waterfall.render(shown, width=width, colour=colour()))
        if folded := len(tree.merge(spans)) - len(shown):
            note(f"{folded} spans of the platform are folded into others; --unfold shows them")
    return Exit.OK


def _from_zipkin(options: argparse.Namespace) -> list[Span]:
    from toolkit.engines import zipkin_client

    if options.id is None:
        raise UsageError("a Zipkin has no slowest trace of a run", next_step="name the trace's ID")
    found = asyncio.run(zipkin_client.spans(options.zipkin, [options.id]))
    if not found:
        raise UsageError(f"{options.zipkin} has no trace {options.id}", next_step="look at its list of traces")
    return found


def _from_run(options: argparse.Namespace) -> list[Span]:
    """Of a run, or of a file: one trace is held at a time."""
    from toolkit import runs, spanfile

    path = options.file
    if path is None:
        path = (runs.find(options.run, options.out) if options.run else runs.newest(options.out)) / runs.SPANS
    traces = spanfile.traces(path)
    if options.id is None:
        slowest = max(traces, key=_longest, default=None)
        if slowest is None:
            raise UsageError(f"{path} holds no trace", next_step="run again with --sample 1")
        return slowest
    some: list[str] = []
    chosen: list[list[Span]] = []
    for spans in traces:
        if len(some) < SOME:
            some.append(spans[0].trace)
        if spans[0].trace.startswith(options.id.lower()):
            chosen.append(spans)
    if len(chosen) != 1:
        hint = f"for example: {', '.join(some)}" if some else "run again with --sample 1"
        raise UsageError(f"{path}: {len(chosen)} traces begin with {options.id!r}", next_step=hint)
    return chosen[0]


def _longest(spans: Sequence[Span]) -> int:
    return max(span.duration or 0 for span in spans)
