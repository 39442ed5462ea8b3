"""`toolkit trace diff`: two traces beside each other, by what their critical paths were spent on."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.cli import options as arguments
from toolkit.cli.output import say
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.traces.model import Span

SCHEMA = 1


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("one", metavar="ID", help="a trace's id, or its beginning")
    parser.add_argument("other", metavar="ID", help="the trace to hold beside it")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--run", metavar="RUN", help="a stored run: its id, or its folder (default: the newest)")
    source.add_argument(
        "--zipkin", type=arguments.web_address, metavar="URL", help="ask this Zipkin, or a 'toolkit trace serve'"
    )
    source.add_argument("--file", type=Path, metavar="SPANS", help="a file of Zipkin v2 spans (JSON; .gz too)")
    parser.add_argument("--against", metavar="RUN", help="the run that the other trace is of, when it is another one")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.report.traces import difference, one

    first = _spans(options, options.one)
    elsewhere = options.against is not None
    second = _of_run(options.other, options.against, options.out) if elsewhere else _spans(options, options.other)
    documents = [one.document(spans[0].trace, spans) for spans in (first, second)]
    if options.output == "json":
        say(json.dumps({"schema": SCHEMA, **difference.document(*documents)}, indent=2, allow_nan=False))
    else:
        say(_text(*documents))
    return Exit.OK


def _spans(options: argparse.Namespace, trace: str) -> list[Span]:
    """Raises UsageError when there is no such trace, or several begin so; EngineError when a store cannot be asked."""
    if options.zipkin is not None:
        return _of_zipkin(trace, options.zipkin)
    if options.file is not None:
        return _of_file(trace, options.file)
    return _of_run(trace, options.run, options.out)


def _of_zipkin(trace: str, url: str) -> list[Span]:
    from toolkit.engines import zipkin_client
    from toolkit.traces import wire

    try:
        found = asyncio.run(zipkin_client.spans(url, [wire.trace_id(trace)]))
    except wire.Refused as refused:
        raise UsageError(f"{trace!r} is no id of a trace", next_step="give its 16 or 32 hex digits") from refused
    if not found:
        raise UsageError(f"{url} has no trace {trace}", next_step="look at its list of traces")
    return found


def _of_run(trace: str, run: str | None, out: Path) -> list[Span]:
    from toolkit import runs

    folder = runs.newest(out) if run is None else runs.find(run, out)
    return _of_file(trace, folder / runs.SPANS)


def _of_file(trace: str, path: Path) -> list[Span]:
    from toolkit import spanfile

    wanted = trace.lower()
    known: list[str] = []
    chosen: list[list[Span]] = []
    for spans in spanfile.traces(path):
        known += [spans[0].trace][: 3 - len(known)]
        chosen += [spans] if spans[0].trace.startswith(wanted) else []
    if len(chosen) != 1:
        hint = f"for example: {', '.join(known)}" if known else "run again with --sample 1"
        raise UsageError(f"{path}: {len(chosen)} traces begin with {trace!r}", next_step=hint)
    return chosen[0]


def _text(one: dict[str, Any], other: dict[str, Any]) -> str:
    from toolkit.report.characters import printable
    from toolkit.report.traces import difference

    heads = [(name, each["id"], _time(each["duration_us"])) for name, each in (("A", one), ("B", other))]
    rows: list[tuple[str, ...]] = [("", "A", "B", "B - A", "")]
    rows += [
        (
            printable(row["label"]),
            _time(row["a_us"]),
            _time(row["b_us"]),
            _change(row["a_us"], row["b_us"]),
            row["what"],
        )
        for row in difference.rows(one, other)
    ]
    whole = one["duration_us"], other["duration_us"]
    rows.append(("all of it", *map(_time, whole), _change(*whole), ""))
    return f"{arguments.table(heads)}\n\n{arguments.table(rows)}"


def _time(us: int | None) -> str:
    from toolkit.report.waterfall import short_time

    return "—".rjust(9) if us is None else short_time(us)


def _change(one: int | None, other: int | None) -> str:
    by = (other or 0) - (one or 0)
    return f"{'+' if by > 0 else '-' if by < 0 else '±'}{_time(abs(by)).strip()}".rjust(10)
