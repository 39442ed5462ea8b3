"""`toolkit trace analyze`: where the time of many traces went, of a run, a file, a store or a Zipkin."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.analysis import APART, Apart
from toolkit.cli import options as arguments
from toolkit.cli import sources
from toolkit.cli.output import note, say, speaks_unicode
from toolkit.errors import Exit, UsageError
from toolkit.report.characters import printable
from toolkit.report.drawing import arrow

if TYPE_CHECKING:
    from toolkit.cli.trace_sources import Taken

SCHEMA = 1
REPORT = "report.json"  # which names its run


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        nargs="?",
        metavar="RUN|FILE",
        help="a stored run (its id, or its folder), or a file of Zipkin v2 spans, packed or not; default: "
        "the newest run",
    )
    sources.configure(parser)
    parser.add_argument("--service", metavar="NAME", help="of --zipkin: only traces with a span of this service")
    parser.add_argument(
        "--lookback", type=arguments.seconds, metavar="TIME", help="of --zipkin: how far back (default 1h)"
    )
    parser.add_argument("--limit", type=arguments.count, metavar="N", help="no more traces than this many")
    parser.add_argument(
        "--chain", metavar="CHAIN", help="hold each trace against this chain's graph (default: the run's own)"
    )
    apart = parser.add_mutually_exclusive_group()
    apart.add_argument(
        "--include", type=_apart, default=(), metavar="cold,failed",
        help="pool cold traces, failed ones, or both with the others (default: they are told apart)",
    )  # fmt: skip
    apart.add_argument("--all", dest="include", action="store_const", const=APART, help="pool all traces")
    parser.add_argument("--against", metavar="RUN|FILE", help="what changed from this one, largest change first")
    arguments.output(parser, "text", "json")


def _apart(text: str) -> tuple[Apart, ...]:
    named = [each.strip() for each in text.split(",")]
    if strange := [each for each in named if each not in APART]:
        raise argparse.ArgumentTypeError(f"{strange[0]!r} is neither 'cold' nor 'failed'")
    return tuple(each for each in APART if each in named)


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli.running import interruptible

    _check(options)
    found, against = interruptible(lambda stop: _both(options, stop))
    say(_json(found, against) if options.output == "json" else _text(found, against))
    for each in (found, against) if against is not None else (found,):
        for told in each.notes:
            note(f"{each.subject}: {told}")
        if each.partial is not None:
            note(f"PARTIAL: {each.subject}: {each.partial}")
    for told in () if against is None else _unlike(against, found):
        note(f"warning: {told}")
    partial = [each.exit for each in (found, against) if each is not None and each.exit != Exit.OK]
    return partial[0] if partial else Exit.OK


def _unlike(one: Taken, other: Taken) -> Iterator[str]:
    """Why what changed from one to the other may not be what is meant."""
    here, there = ({(hop.source, hop.to, hop.via) for hop in each.analysis.hops} for each in (one, other))
    for edges, who in ((here - there, one), (there - here, other)):
        if edges:
            named = printable(", ".join(f"{source} {arrow(via)} {to}" for source, to, via in sorted(edges)[:3]))
            more = " and others" if len(edges) > 3 else ""
            yield f"only {who.subject} has {named}{more}: not the same chain"
    if one.analysis.pooled != other.analysis.pooled:
        kinds = (" and ".join(each.analysis.pooled) or "neither cold nor failed" for each in (one, other))
        yield f"the traces are not alike: among those of A are {' ones, of B '.join(kinds)} ones"


def _check(options: argparse.Namespace) -> None:
    sources.settle(options, "subject")
    options.subject = options.subject or options.run or (str(options.file) if options.file else None)
    if options.file is not None and not options.file.is_file():
        raise UsageError(f"{options.file} is not there", next_step="name a file of Zipkin v2 spans")
    if options.run is not None and Path(options.run).is_file() and Path(options.run).name != REPORT:
        raise UsageError(f"--run {options.run} is a file", next_step="name it with --file")
    sources.only_of(options, ("zipkin",), "service", "lookback")


async def _both(options: argparse.Namespace, stop: asyncio.Event) -> tuple[Taken, Taken | None]:
    from toolkit.cli import trace_sources

    edges = None if options.chain is None else trace_sources.edges_of(options.chain)
    against = None
    if options.against is not None:
        against = await trace_sources.named(options.against, options.out, edges, options.limit, stop, options.include)
    if options.zipkin is not None:
        found = await trace_sources.zipkin(options, edges, stop)
    elif options.store is not None:
        found = await trace_sources.store(options.store, edges, options.limit, stop, options.include)
    else:
        found = await trace_sources.named(options.subject, options.out, edges, options.limit, stop, options.include)
    return found, against


def _text(found: Taken, against: Taken | None) -> str:
    from toolkit.measure.traces import change
    from toolkit.report.traces_text import render, render_change

    width = max(60, shutil.get_terminal_size((120, 24)).columns)
    unicode = speaks_unicode()
    if against is None:
        return render(found.analysis, found.subject, _command(found.show), width=width, unicode=unicode)
    told = change(against.analysis, found.analysis)
    return render_change(told, against.subject, found.subject, width=width, unicode=unicode)


def _command(words: tuple[str, ...] | None) -> Callable[[str], str] | None:
    """What to type to see one trace."""
    return None if words is None else lambda trace: shlex.join(["toolkit", "trace", "show", trace, *words])


def _json(found: Taken, against: Taken | None) -> str:
    from toolkit.measure.traces import change

    document: dict[str, Any] = {"schema": SCHEMA, **_side(found), "against": None}
    if against is not None:
        told = change(against.analysis, found.analysis)
        document["against"] = {**_side(against), "segments": [asdict(each) for each in told.segments]}
    return json.dumps(document, indent=2, allow_nan=False)


def _side(found: Taken) -> dict[str, Any]:
    return {
        "subject": found.subject,
        "source": found.source,
        "partial": found.partial,
        "notes": list(found.notes),
        "analysis": asdict(found.analysis),
    }
