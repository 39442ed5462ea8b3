"""`toolkit trace diff`: two traces beside each other, by what their critical paths were spent on."""

from __future__ import annotations

import argparse
import json
from typing import Any

from toolkit.cli import one_trace, sources
from toolkit.cli import options as arguments
from toolkit.cli.output import say
from toolkit.errors import Exit

SCHEMA = 1


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("one", metavar="ID", help="a trace's id, or its beginning")
    parser.add_argument("other", metavar="ID", help="the trace to hold beside it")
    sources.configure(parser)
    parser.add_argument("--against", metavar="RUN", help="the run that the other trace is of, when it is another one")
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.report.traces import difference, one

    sources.settle(options)
    first = one_trace.find(options, options.one)
    if options.against is not None:
        elsewhere = argparse.Namespace(run=options.against, file=None, store=None, zipkin=None, out=options.out)
    second = one_trace.find(options if options.against is None else elsewhere, options.other)
    documents = [one.document(spans[0].trace, spans) for spans in (first, second)]
    if options.output == "json":
        say(json.dumps({"schema": SCHEMA, **difference.document(*documents)}, indent=2, allow_nan=False))
    else:
        say(_text(*documents))
    return Exit.OK


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
