"""`toolkit report RUN`: a stored run again, in any form."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.exports import Source
    from toolkit.traced import Traced

TOLD = ("text", "json", "junit")  # of the report alone; the others are made of the calls
MADE = ("html", "ndjson", "csv", "hlog", "hgrm", "ghz")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or its folder")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    parser.add_argument("--with", dest="beside", metavar="RUN", help="with -o html: another run to draw beside it")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write there instead of to standard output")
    arguments.output(parser, *TOLD, *MADE)


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli.output import pour

    if options.beside is not None and options.output != "html":
        raise UsageError("--with draws another run on the page", next_step="add -o html, or leave --with away")
    if options.output in TOLD:
        return _tell(options)
    pieces = _pieces(options)
    if options.to is None:
        pour(pieces)
    else:
        _keep(options.to, pieces)
    return Exit.OK


def _tell(options: argparse.Namespace) -> int:
    """As `run` or `load` did, with the same exit status."""
    from toolkit import loads, runs
    from toolkit.cli import load_printing, printing
    from toolkit.cli.output import colour, say

    folder = runs.find(options.run, options.out)
    to_screen = options.to is None
    if _is_load(folder):
        load = loads.load(folder)
        told, verdict = load_printing.told(load, options.output), load_printing.verdict(load)
    else:
        report = runs.load(str(folder), options.out)
        told = printing.told(report, options.output, colours=to_screen and colour())
        verdict = printing.verdict(report, measuring=True)
    if to_screen:
        say(told)
    else:
        _keep(options.to, [told])
    return verdict


def _pieces(options: argparse.Namespace) -> Iterable[str]:
    from toolkit import exports, pages

    source = _source(options.run, options.out)
    if options.output != "html":
        return exports.pieces(source, options.output)
    other = None if options.beside is None else _source(options.beside, options.out)
    side = pages.side(source.report, source.table.rows)
    beside = None if other is None else pages.side(other.report, other.table.rows)
    return [pages.render(side, beside, _traces(options, source, other))]


def _traces(options: argparse.Namespace, source: Source, other: Source | None) -> str | None:
    """What the page holds of the run's traces, with those of the other run beside."""
    from toolkit import traced

    one = _traced(options.run, options.out, source)
    if one is None:
        return None
    return traced.embedded(one, _traced(options.beside, options.out, other))


def _traced(run: str, out: Path, source: Source | None) -> Traced | None:
    """A load has no traces of its own, and a run without a sample none at all."""
    from toolkit import runs, spanfile, traced
    from toolkit.cli.output import note
    from toolkit.results import Report

    spans = runs.find(run, out) / runs.SPANS if source is not None else None
    if source is None or spans is None or not isinstance(source.report, Report) or not spans.is_file():
        return None
    try:
        found = traced.of_run(source.report, spanfile.traces(spans))
    except UsageError as error:  # a run's numbers do not depend on it
        note(f"warning: the page says nothing of traces: {error}")
        return None
    return found if found.gathered.lines else None


def _source(run: str, out: Path) -> Source:
    from toolkit import exports, loads, runs, stored
    from toolkit.load.contexts import trace_ids

    folder = runs.find(run, out)
    if _is_load(folder):
        load = loads.load(folder)
        return exports.of_load(load, folder / loads.CALLS, lambda: trace_ids(load.load))
    return stored.of_run(runs.load(str(folder), out), folder / runs.CALLS, folder / runs.RECEIPTS)


def _is_load(folder: Path) -> bool:
    from toolkit import loads, runs

    return loads.is_one(runs.document(folder / runs.REPORT))


def _keep(path: Path, pieces: Iterable[str]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
    except OSError as error:
        raise UsageError(f"--to {path}: {error.strerror or error}", next_step="name a file that can be written") from (
            error
        )
