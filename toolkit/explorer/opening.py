"""Opens what the command line names: a run, a file of spans, a Zipkin; and the chain that its traces are of.

May live here: finding and reading, once. May not: serving (`server`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from toolkit import catalog, runs, spanfile
from toolkit.errors import UsageError
from toolkit.explorer.fixed import Fixed
from toolkit.explorer.gathered import gather
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.overview import Subject

Telling = Callable[[str, int], None]  # the file, and how many of its traces were read; may raise to end it


async def of_run(folder: Path, tell: Telling, *, chain: Chain | None = None, against: Fixed | None = None) -> Fixed:
    """The traces of the stored run in `folder`. Raises UsageError when it has none."""
    report = runs.load(str(folder), folder.parent)
    known = chain or (Chain(report.chain, report.entry, report.edges) if report.edges or report.entry else None)
    sample = report.load.sample
    subject = Subject(
        title=report.chain,
        source="run",
        subject=report.run,
        chain=report.chain,
        emulated=report.emulated,
        note=f"one call in {1 / sample:,.0f} was traced" if 0 < sample < 1 else None,
    )
    return await asyncio.to_thread(_read, folder / runs.SPANS, subject, tell, known, against)


async def of_file(path: Path, tell: Telling, *, chain: Chain | None = None, against: Fixed | None = None) -> Fixed:
    """The traces of a file of Zipkin v2 spans. Raises UsageError when it has none."""
    subject = Subject(title=path.name, source="file", subject=str(path), chain=chain.name if chain else None)
    return await asyncio.to_thread(_read, path, subject, tell, chain, against)


def chain_of(name: str) -> Chain:
    """Raises UsageError or SpecError when there is none of that name."""
    found = catalog.load(name)
    edges = tuple((edge.source, edge.to, edge.via) for edge in found.edges)
    return Chain(found.name, found.entry, edges, tuple(each.name for each in found.functions))


def _read(path: Path, subject: Subject, tell: Telling, chain: Chain | None, against: Fixed | None) -> Fixed:
    told = gather(spanfile.traces(path), chain, tell=lambda traces: tell(str(path), traces))
    if not told.lines:
        raise UsageError(f"{path} holds no trace", next_step="run again with --sample 1, or name another file")
    return Fixed(subject, told, chain, against)
