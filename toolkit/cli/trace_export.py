"""`toolkit trace export`: the spans of a run or of a store as a file that Zipkin, or `trace import`, takes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import os
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from toolkit.cli import options as arguments
from toolkit.cli import sources
from toolkit.cli.output import forget, note
from toolkit.contract import units
from toolkit.errors import EngineError, Exit, UsageError

if TYPE_CHECKING:
    from toolkit.engines.span_order import Order

LOOKBACK = "24h"  # as Zipkin's own
_FILE = "name a file of Zipkin v2 spans, such as a run's spans.json"
_AHEAD_MS = 60_000  # by which others' clocks may be ahead of ours
Pieces = Callable[[Iterable[str]], Iterator[bytes]]


def configure(parser: argparse.ArgumentParser) -> None:
    sources.configure(parser)
    parser.add_argument("--service", metavar="NAME", help="only traces of this service (with --zipkin, --store)")
    parser.add_argument(
        "--lookback",
        type=_milliseconds,
        metavar="TIME",
        help=f"only traces that began within this time, such as 1h (with --zipkin; default {LOOKBACK})",
    )
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="write there, gzipped where it ends in .gz (default: standard output)"
    )
    arguments.output(parser, *_FORMS)


def _milliseconds(text: str) -> int:
    try:
        found = int(units.seconds(text) * 1000)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no time to look back")
    return found


def execute(options: argparse.Namespace) -> int:
    from toolkit.engines import span_order

    if options.output == "protobuf" and options.to is None and sys.stdout.isatty():
        raise UsageError("protobuf is nothing for a terminal", next_step="name a file with --to")
    sources.settle(options)
    sources.only_of(options, ("zipkin", "store"), "service")
    sources.only_of(options, ("zipkin",), "lookback")
    with span_order.ordered() as order:
        if options.zipkin:
            asyncio.run(_from_zipkin(options.zipkin, options, order))
        elif options.store:
            _from_store(options, order)
        else:
            _from_file(options, order)
        written = _write(options, order.texts())
    if not written:
        note("warning: there was no span to export")
    note(f"{written:,} {'span' if written == 1 else 'spans'} exported" + (f" to {options.to}" if options.to else ""))
    return Exit.OK


async def _from_zipkin(url: str, options: argparse.Namespace, order: Order) -> None:
    from toolkit.engines import zipkin_transfer
    from toolkit.traces import wire

    end_ms = time.time_ns() // 1_000_000 + _AHEAD_MS
    asked = zipkin_transfer.Asked(
        end_ms, min((options.lookback or _milliseconds(LOOKBACK)) + _AHEAD_MS, end_ms), options.service
    )
    async for trace in zipkin_transfer.traces(url, asked):
        try:
            order.add(map(wire.normal, trace))
        except wire.Refused as refused:
            raise EngineError(f"{url} answered with a span that is none: {refused}") from refused


def _from_store(options: argparse.Namespace, order: Order) -> None:
    from toolkit.engines.tracestore import walking

    if not options.store.exists():
        raise UsageError(f"{options.store} is not there", next_step="name the file of a 'toolkit trace serve --store'")
    wanted = options.service and options.service.lower()
    for trace in walking.traces(options.store):
        if not wanted or any(span.get("localEndpoint", {}).get("serviceName") == wanted for span in trace):
            order.add(trace)


def _from_file(options: argparse.Namespace, order: Order) -> None:
    from toolkit import runs
    from toolkit.traces import streams, zipkin

    path = options.file
    if path is None:
        path = runs.spans_of(runs.find(options.run, options.out) if options.run else runs.newest(options.out))
    try:
        with path.open("rb") as file:
            for each in streams.spans(iter(lambda: file.read(1 << 18), b"")):
                if isinstance(each, streams.Bad):
                    raise UsageError(f"{path}: span {each.index}: {each.reason}", next_step=_FILE)
                order.add((each,))
    except zipkin.ZipkinError as error:
        raise UsageError(f"{path}: {error}", next_step=_FILE) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", next_step=_FILE) from error


def _write(options: argparse.Namespace, texts: Iterator[str]) -> int:
    """How many spans were written. A file is there whole or not at all."""
    count = 0

    def counted() -> Iterator[str]:
        nonlocal count
        for text in texts:
            count += 1
            yield text

    with _target(options.to) as file:
        for piece in _FORMS[options.output](counted()):
            file.write(piece)
    return count


@contextlib.contextmanager
def _target(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            forget()
        return
    try:
        target = _whole(Path(os.path.realpath(path))) if _is_file(path) else path.open("wb")
        with target as raw, _packing(raw, path) as file:
            yield file
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", next_step="name a file in a folder that is there"
        ) from error


def _is_file(path: Path) -> bool:
    """A file, through links, or nothing yet. What else is there (a pipe, a device, `/dev/stdout`) is written to."""
    if path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",)):  # another's file, which is open there
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place once it has been written."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as building:
        try:
            yield building.file
            building.flush()
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(building.fileno(), 0o666 & ~umask)  # a temporary file's own are for secrets
            Path(building.name).replace(path)
        except BaseException:
            Path(building.name).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _packing(file: Any, path: Path) -> Iterator[IO[bytes]]:
    if path.suffix == ".gz":
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
            yield packed  # type: ignore[misc]  # a file of bytes in all but its type
    else:
        yield file
    file.flush()


def _json(texts: Iterable[str]) -> Iterator[bytes]:
    between = b"["
    for text in texts:
        yield between + text.encode()
        between = b",\n"
    yield b"]\n" if between != b"[" else b"[]\n"


def _ndjson(texts: Iterable[str]) -> Iterator[bytes]:
    return (text.encode() + b"\n" for text in texts)


def _protobuf(texts: Iterable[str]) -> Iterator[bytes]:
    from toolkit.traces import zipkinproto

    return (zipkinproto.encoded((json.loads(text),)) for text in texts)


_FORMS: dict[str, Pieces] = {"json": _json, "ndjson": _ndjson, "protobuf": _protobuf}
