"""Opens what the command line names: a run, a file of spans, a Zipkin; and the chain that its traces are of.

May live here: finding and reading, once. May not: serving (`server`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from toolkit import catalog, plan, runs, spanfile, traced
from toolkit.engines.tracestore import TraceFile
from toolkit.errors import EngineError, UsageError
from toolkit.gathered import gather
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.overview import Subject
from toolkit.traced import Traced

Telling = Callable[[str, int], None]  # the file, and how many of its traces were read; may raise to end it


async def of_run(folder: Path, tell: Telling, chain: Chain | None = None) -> Traced:
    """The traces of the stored run in `folder`. Raises UsageError when it has none."""
    return await asyncio.to_thread(_run, folder, tell, chain)


async def of_file(path: Path, tell: Telling, chain: Chain | None = None) -> Traced:
    """The traces of a file of Zipkin v2 spans. Raises UsageError when it has none."""
    return await asyncio.to_thread(_file, path, tell, chain)


async def of_store(path: Path, tell: Telling, chain: Chain | None = None) -> Traced:
    """What the file of a store of ours holds now, whether it runs or not. Raises UsageError or EngineError."""
    return await asyncio.to_thread(_store, path, tell, chain)


def chain_of(name: str) -> Chain:
    """Raises UsageError or SpecError when there is none of that name."""
    found = catalog.load(name)
    edges = tuple((edge.source, edge.to, edge.via) for edge in found.edges)
    return Chain(found.name, found.entry, edges, tuple(each.name for each in found.functions), plan.optional(found))


def _run(folder: Path, tell: Telling, chain: Chain | None) -> Traced:
    path = runs.spans_of(folder)
    report = runs.load(str(folder), folder.parent)
    return _some(path, "run", traced.of_run(report, spanfile.traces(path), chain, partial(tell, str(path))))


def _file(path: Path, tell: Telling, chain: Chain | None) -> Traced:
    subject = Subject(title=path.name, source="file", subject=str(path), chain=chain.name if chain else None)
    found = gather(spanfile.traces(path), chain, tell=partial(tell, str(path)))
    return _some(path, "file", traced.timed(subject, chain, found))


def _store(path: Path, tell: Telling, chain: Chain | None) -> Traced:
    subject = Subject(title=path.name, source="store", subject=str(path), chain=chain.name if chain else None)
    with store(path) as file:
        found = gather(file.traces(), chain, tell=partial(tell, str(path)))
    return _some(path, "store", traced.timed(subject, chain, found))


def _some(path: Path, kind: Literal["run", "file", "store"], found: Traced) -> Traced:
    if not found.gathered.lines:
        raise runs.no_traces(str(path), kind)
    return found


@contextlib.contextmanager
def store(path: Path) -> Iterator[TraceFile]:
    """The open file of a store. Raises UsageError when it is not there, or is something else."""
    if not path.exists():
        raise UsageError(f"{path} is not there", next_step=_STORE)
    if path.is_file() and path.stat().st_size == 0:
        raise UsageError(f"{path} is no trace store: it is empty", next_step=_STORE)
    try:
        file = TraceFile.open(path)
    except EngineError as error:
        raise UsageError(str(error), next_step=_STORE) from error
    with file:
        try:
            yield file
        except EngineError as error:
            if "no such table" not in str(error):
                raise
            raise UsageError(f"{path} is no trace store: it lacks its tables", next_step=_STORE) from error


_STORE = "name the file of a 'toolkit trace serve --store'"
