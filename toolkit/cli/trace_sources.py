"""Where the traces that `toolkit trace analyze` takes come from, and what became of taking them."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from toolkit import catalog, runs, spanfile
from toolkit.analysis import Analysis
from toolkit.cli.output import note, progress_wanted
from toolkit.contract import CALLER
from toolkit.engines import zipkin_client
from toolkit.engines.zipkin_slices import Slices
from toolkit.errors import Exit, UsageError
from toolkit.measure.traces import Analysing
from toolkit.spec.model import ChainSpec
from toolkit.traces.hops import Edge
from toolkit.traces.model import Span

LOOKBACK_S = 3600.0
TOLD_EVERY = 10_000  # traces
_NO_TRACE = "a run has traces when --sample is above 0"
Source = Literal["run", "file", "store", "zipkin"]


@dataclass(frozen=True, slots=True)
class Taken:
    """An analysis, of what, and how whole it is.

    `show` are the arguments of `toolkit trace show` behind a trace's id, None where it cannot show one; `partial` says
    why there is no more, and `exit` what that is for a script.
    """

    subject: str
    source: Source
    analysis: Analysis
    show: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    partial: str | None = None
    exit: Exit = Exit.OK


def edges_of(name: str) -> Collection[Edge]:
    """All edges of a chain, the caller's own call among them. Raises UsageError or SpecError."""
    return _edges(catalog.load(name))


def _edges(chain: ChainSpec) -> Collection[Edge]:
    return {(CALLER, chain.entry, "call"), *((edge.source, edge.to, edge.via) for edge in chain.edges)}


async def named(
    name: str | None, out: Path, edges: Collection[Edge] | None, limit: int | None, stop: asyncio.Event
) -> Taken:
    """A run, the newest one without a name; or a file of spans. Raises UsageError."""
    if name is not None and (path := Path(name)).is_file() and path.name != runs.REPORT:
        return await _file(path, Taking(str(path), "file", edges, limit, stop))
    folder = runs.newest(out) if name is None else runs.find(name, out)
    report = runs.load(str(folder), out)
    if edges is None and report.entry is not None:
        told = [(source, to, "event" if via == "event" else "call") for source, to, via in report.edges]
        edges = {(CALLER, report.entry, "call"), *told}  # type: ignore[arg-type]  # the literal is lost in the list
    where = ("--out", str(out)) if out != Path("runs") else ()
    taking = Taking(report.run, "run", edges, limit, stop, ("--run", report.run, *where))
    if 0 < report.load.sample < 1:
        taking.notes.append(f"one call in {1 / report.load.sample:,.4g} was traced")
    return await _file(folder / runs.SPANS, taking)


async def store(path: Path, edges: Collection[Edge] | None, limit: int | None, stop: asyncio.Event) -> Taken:
    """The file that a store of ours keeps its spans in."""
    return await _file(path, Taking(str(path), "store", edges, limit, stop))


async def _file(path: Path, taking: Taking) -> Taken:
    try:
        await asyncio.to_thread(taking.take, spanfile.traces(path))
    except spanfile.CutOff as error:
        if not len(taking.analysing):
            raise
        taking.partial, taking.exit = str(error), Exit.USAGE
    return taking.taken(next_step=_NO_TRACE)


async def zipkin(options: argparse.Namespace, edges: Collection[Edge] | None, stop: asyncio.Event) -> Taken:
    """The traces of the last hour, or of `--lookback`. Raises EngineError."""
    lookback_s = options.lookback or LOOKBACK_S
    search = partial(zipkin_client.search, options.zipkin)
    slices = Slices(search, round(time.time() * 1000), max(1, round(lookback_s * 1000)), options.service)
    taking = Taking(options.zipkin, "zipkin", edges, options.limit, stop, ("--zipkin", options.zipkin))
    async for spans in slices.traces():
        if not taking.one(spans):
            break
    if slices.crowded:
        taking.notes.append(
            f"{slices.crowded} moments (1 ms each) have {slices.at_once} traces or more; "
            "what is beyond these is left out"
        )
    return taking.taken(next_step="look further back with --lookback, or leave --service away")


class Taking:
    """Takes traces until there are no more, there are enough, or somebody wants it to end."""

    def __init__(
        self,
        subject: str,
        source: Source,
        edges: Collection[Edge] | None,
        limit: int | None,
        stop: asyncio.Event,
        show: tuple[str, ...] | None = None,
    ) -> None:
        self.subject, self.source, self.show = subject, source, show
        self.analysing = Analysing(edges)
        self.notes: list[str] = []
        self.partial: str | None = None
        self.exit = Exit.OK
        self._limit, self._stop = limit, stop

    def take(self, traces: Iterable[Sequence[Span]]) -> None:
        for spans in traces:
            if not self.one(spans):
                return

    def one(self, spans: Sequence[Span]) -> bool:
        """Whether more are wanted."""
        taken = len(self.analysing)
        if self._stop.is_set():
            self.partial, self.exit = f"interrupted after {taken:,} traces", Exit.INTERRUPTED
            return False
        if taken == self._limit:
            self.notes.append(f"there are more traces than the {taken:,} of --limit")
            return False
        self.analysing.add(spans)
        if progress_wanted() and taken and taken % TOLD_EVERY == 0:
            note(f"{self.subject}: {taken:,} traces so far")
        return True

    def taken(self, *, next_step: str) -> Taken:
        """Raises UsageError when there was nothing to take."""
        if not len(self.analysing) and self.partial is None:
            raise UsageError(f"{self.subject} holds no trace", next_step=next_step)
        found = self.analysing.result()
        return Taken(
            self.subject, self.source, found, self.show, tuple(self.notes), partial=self.partial, exit=self.exit
        )
