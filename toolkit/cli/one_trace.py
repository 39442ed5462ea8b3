"""One trace of a run, a file, a store's file or a Zipkin: by its id, by the beginning of it, or the slowest of all."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import UsageError

if TYPE_CHECKING:
    from toolkit.traces.model import Span

SOME = 3  # ids that are named where it is not clear which one is meant


def find(options: argparse.Namespace, trace: str | None) -> list[Span]:
    """The spans of one trace; of the slowest where none is named. `options` are settled (`sources`).

    Raises UsageError when there is no such trace, or several begin so; EngineError when a store cannot be read.
    """
    if trace is not None and not re.fullmatch(r"[0-9a-fA-F]{1,32}", trace):
        raise UsageError(
            f"{trace[:80]!r} is no id of a trace, which is 1 to 32 hex digits{_perhaps_a_run(trace, options.out)}",
            next_step="'toolkit trace analyze' names some, and 'toolkit trace ui' shows a list",
        )
    if options.zipkin is not None:
        return _of_zipkin(options.zipkin, trace)
    where, traces = _traces(options)
    return _slowest(where, traces, options) if trace is None else _named(where, traces, trace.lower(), options)


def _perhaps_a_run(word: str, out: Path) -> str:
    from toolkit import runs

    is_run = word and ((out / word / runs.REPORT).is_file() or (Path(word) / runs.REPORT).is_file())
    return f" — it is a run: did you mean '--run {word}'?" if is_run else ""


def _traces(options: argparse.Namespace) -> tuple[str, Iterator[list[Span]]]:
    from toolkit import runs, spanfile

    if options.store is not None:
        return str(options.store), _stored(options.store)
    if options.file is not None:
        return str(options.file), spanfile.traces(options.file)
    path = runs.spans_of(runs.find(options.run, options.out) if options.run else runs.newest(options.out))
    return str(path), spanfile.traces(path)


def _stored(path: Path) -> Iterator[list[Span]]:
    from toolkit.explorer import opening

    with opening.store(path) as file:
        yield from file.traces()


def _of_zipkin(url: str, trace: str | None) -> list[Span]:
    from toolkit.engines import zipkin_client
    from toolkit.traces import wire

    if trace is None:
        raise UsageError(
            "a Zipkin is not searched for its slowest trace",
            next_step=f"name the trace's ID; 'toolkit trace analyze --zipkin {url}' tells some",
        )
    try:
        found = asyncio.run(zipkin_client.spans(url, [wire.trace_id(trace.lower())]))
    except wire.Refused as refused:
        raise UsageError(f"{trace!r} is no id of a trace: {refused}", next_step="give its 16 or 32 digits") from refused
    if not found:
        raise UsageError(f"{url} has no trace {trace}", next_step="give the whole id; look at its list of traces")
    return found


def _slowest(where: str, traces: Iterator[list[Span]], options: argparse.Namespace) -> list[Span]:
    found = max(traces, key=duration_us, default=None)
    if found is None:
        raise _none(where, options)
    return found


def duration_us(spans: Sequence[Span]) -> int:
    """From the root's start to the end of all that followed from it, as an analysis has it; -1 without a root."""
    from toolkit.traces.critical import critical_path

    path = critical_path(spans)
    return path[-1].end - path[0].start if path else -1


def _named(where: str, traces: Iterator[list[Span]], wanted: str, options: argparse.Namespace) -> list[Span]:
    """Zeros before an id say nothing: it may be padded to 16 or 32 digits, or not."""
    some: list[str] = []
    begin: list[list[Span]] = []
    others = 0
    for spans in traces:
        trace = spans[0].trace
        if trace.lstrip("0") == wanted.lstrip("0"):
            return spans
        if not trace.startswith(wanted):
            some += [trace][: SOME - len(some)]
        elif len(begin) <= SOME:
            begin.append(spans)
        else:
            others += 1
    if len(begin) == 1:
        return begin[0]
    if begin:
        named = ", ".join(spans[0].trace for spans in begin)
        more = f" and {others:,} more" if others else ""
        raise UsageError(
            f"{where}: {len(begin) + others:,} traces begin with {wanted!r}: {named}{more}",
            next_step="give more digits",
        )
    if not some:
        raise _none(where, options)
    raise UsageError(f"{where}: no trace begins with {wanted!r}", next_step=f"for example: {', '.join(some)}")


def _none(where: str, options: argparse.Namespace) -> UsageError:
    from toolkit import runs

    return runs.no_traces(where, "store" if options.store else "file" if options.file else "run")
