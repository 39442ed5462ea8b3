"""`toolkit trace import`: spans out of files into a Zipkin-speaking store; all of them, or none when one is bad."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import MOST_PRINTED, EngineError, Exit, UsageError

if TYPE_CHECKING:
    from toolkit.traces.streams import Bad

STORE = "http://127.0.0.1:9411"
_CHUNK = 1 << 18  # bytes
_ANY = 1 << 62  # spans, or bytes: nothing is forgotten before the store is served
_IN_MEMORY = 16 << 20  # bytes of standard input that are kept without a file
_RUNNING = "send them to the store that is up, with --zipkin URL"
_FORMS = "Zipkin v2 spans: a JSON list, a list of traces, a span a line, or protobuf; gzipped or not"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help=f"{_FORMS}; a run's folder; '-' is standard input")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--zipkin",
        type=arguments.web_address,
        metavar="URL",
        help=f"a Zipkin, or a 'toolkit trace serve' (default: {STORE})",
    )
    target.add_argument("--store", type=Path, metavar="FILE", help="the file of a 'toolkit trace serve' that is not up")


def execute(options: argparse.Namespace) -> int:
    with contextlib.ExitStack() as open_files:
        inputs = [(name, open_files.enter_context(_opened(name))) for name in options.files]
        _check(inputs)
        taken = asyncio.run(_send(options, (span for name, file in inputs for span in _good(name, file))))
    if not taken:
        note("warning: there was no span to import")
    say(f"{taken:,} {'span' if taken == 1 else 'spans'} imported into {options.store or options.zipkin or STORE}")
    return Exit.OK


async def _send(options: argparse.Namespace, spans: Iterable[dict[str, Any]]) -> int:
    from toolkit.engines import tracestore, zipkin_transfer

    if options.store is None:
        return await zipkin_transfer.send(options.zipkin or STORE, spans)
    async with contextlib.AsyncExitStack() as ending:
        try:
            store = await tracestore.serve("127.0.0.1", 0, options.store, max_spans=_ANY, max_bytes=_ANY)
        except EngineError as error:
            raise EngineError(
                str(error), next_step=_RUNNING if "is running" in str(error) else error.next_step
            ) from error
        ending.push_async_callback(store.close)
        return await zipkin_transfer.send(store.url, spans)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    """The file, which can be read twice. A run's folder means its spans."""
    from toolkit import runs

    path = Path(name)
    if name != "-" and path.is_dir():
        path = path / runs.SPANS
    try:
        if name == "-":
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as kept:
                shutil.copyfileobj(sys.stdin.buffer, kept, _CHUNK)
                yield kept
        else:
            with path.open("rb") as file:
                yield file
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", next_step="name a file of spans, the folder of a run, or '-'"
        ) from error


def _check(inputs: Iterable[tuple[str, IO[bytes]]]) -> None:
    """Raises UsageError with everything that is wrong with any of the files."""
    from toolkit.traces.streams import Bad
    from toolkit.traces.zipkin import ZipkinError

    wrong: list[str] = []
    bad = 0
    for name, file in inputs:
        try:
            for each in _spans(file):
                if isinstance(each, Bad):
                    bad += 1
                    if bad <= MOST_PRINTED:
                        wrong.append(f"{name}: span {each.index}: {each.reason}")
        except ZipkinError as error:
            wrong.append(f"{name}: {error}")
    if bad > MOST_PRINTED:
        wrong.append(f"… and {bad - MOST_PRINTED:,} more spans")
    if wrong:
        raise UsageError("\n".join(wrong), next_step=f"nothing was imported; what is taken: {_FORMS}")


def _good(name: str, file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The spans once more, which were all good a moment ago."""
    from toolkit.traces.streams import Bad

    for each in _spans(file):
        if isinstance(each, Bad):
            raise EngineError(f"{name} was changed while it was read", next_step="import it once more")
        yield each


def _spans(file: IO[bytes]) -> Iterator[dict[str, Any] | Bad]:
    from toolkit.traces import streams

    file.seek(0)
    return streams.spans(iter(lambda: file.read(_CHUNK), b""))
