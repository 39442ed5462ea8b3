"""`toolkit trace`: serve a trace store, or show one trace."""

from __future__ import annotations

import argparse
import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.cli.output import colour, note, say
from toolkit.errors import EngineError, Exit, UsageError

if TYPE_CHECKING:
    from toolkit.traces.model import Span

LISTEN = "127.0.0.1:9411"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="serve|show")
    serve = commands.add_parser(
        "serve", help="run a trace store that speaks Zipkin's API v2 and takes OTLP, until Ctrl-C"
    )
    serve.add_argument("--listen", type=_place, default=LISTEN, metavar="HOST:PORT", help=f"default {LISTEN}")
    serve.add_argument("--store", type=Path, metavar="FILE", help="keep spans in this file, and start with it")
    show = commands.add_parser("show", help="one trace as a waterfall")
    show.add_argument("id", nargs="?", metavar="ID", help="a trace's id (default: the slowest trace of the run)")
    show.add_argument("--run", metavar="RUN", help="a stored run: its id, or its folder (default: the newest)")
    show.add_argument(
        "--zipkin",
        type=arguments.web_address,
        metavar="URL",
        help="ask this Zipkin, or a 'toolkit trace serve', in place of a run",
    )
    show.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    show.add_argument(
        "--unfold", action="store_true", help="show every span of Knative's own components, not one line a component"
    )
    arguments.output(show, "text", "json")


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, for example {LISTEN}")
    return host.strip("[]"), int(port)


def execute(options: argparse.Namespace) -> int:
    return _serve(options) if options.action == "serve" else _show(options)


def _serve(options: argparse.Namespace) -> int:
    from toolkit.cli.running import interruptible

    interruptible(lambda stop: _keep_serving(options, stop))
    return Exit.OK


async def _keep_serving(options: argparse.Namespace, stop: asyncio.Event) -> None:
    from toolkit.engines import tracestore

    host, port = options.listen
    try:
        store = await tracestore.serve(host, port, options.store, on_warning=lambda text: note(f"warning: {text}"))
    except OSError as error:
        raise EngineError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", next_step="choose another port with --listen"
        ) from error
    say(f"spans are taken at {store.url}/api/v2/spans")
    note(f"and, as OTLP over HTTP, at {store.url}/v1/traces")
    note("Ctrl-C ends it")
    try:
        await stop.wait()
    finally:
        await store.close()


def _show(options: argparse.Namespace) -> int:
    from toolkit.report import folding, waterfall
    from toolkit.traces import tree, zipkin

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
    from toolkit import runs

    folder = runs.find(options.run, options.out) if options.run else runs.newest(options.out)
    traces = _by_trace(runs.spans(folder))
    if not traces:
        raise UsageError(f"{folder} holds no trace", next_step="run again with --sample 1")
    if options.id is None:
        return max(traces.values(), key=_longest)
    chosen = [spans for trace, spans in traces.items() if trace.startswith(options.id.lower())]
    if len(chosen) != 1:
        some = ", ".join(list(traces)[:3])
        raise UsageError(f"{folder}: {len(chosen)} traces begin with {options.id!r}", next_step=f"for example: {some}")
    return chosen[0]


def _by_trace(spans: Sequence[Span]) -> dict[str, list[Span]]:
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.trace, []).append(span)
    return traces


def _longest(spans: Sequence[Span]) -> int:
    return max(span.duration or 0 for span in spans)
