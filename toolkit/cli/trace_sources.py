"""Where the traces that `toolkit trace analyze` takes come from, and what became of taking them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from toolkit import catalog, plan, runs, spanfile
from toolkit.analysis import Analysis, Apart
from toolkit.cli.output import note, progress_wanted
from toolkit.contract import CALLER
from toolkit.engines import tracestore, zipkin_transfer
from toolkit.engines.zipkin_transfer import Asked
from toolkit.errors import EngineError, Exit, UsageError
from toolkit.measure.traces import Analysing
from toolkit.spanread import span_of
from toolkit.spec.model import ChainSpec
from toolkit.traces.model import Edge, Span
from toolkit.traces.wire import Refused

LOOKBACK_S = 3600.0
_AHEAD_MS = 60_000  # a function's clock may be ahead of ours
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


def edges_of(name: str) -> Mapping[Edge, int]:
    """All edges of a chain, the caller's own call among them, and how often a trace has each at least. Raises
    UsageError or SpecError."""
    return _edges(catalog.load(name))


def _edges(chain: ChainSpec) -> Mapping[Edge, int]:
    optional = plan.optional(chain)
    edges: dict[Edge, int] = {(CALLER, chain.entry, "call"): 1}
    for each in chain.edges:
        edge: Edge = (each.source, each.to, each.via)
        edges[edge] = int(edge not in optional)
    return edges


async def named(
    name: str | None, out: Path, edges: Mapping[Edge, int] | None, limit: int | None, stop: asyncio.Event,
    pool: Collection[Apart] = (),
) -> Taken:  # fmt: skip
    """A run, the newest one without a name; or a file of spans. Raises UsageError."""
    if name is not None and (path := Path(name)).is_file() and path.name != runs.REPORT:
        return await _file(path, Taking(str(path), "file", edges, limit, stop, ("--file", str(path)), pool))
    folder = runs.newest(out) if name is None else runs.find(name, out)
    report = runs.load(str(folder), out)
    if edges is None and report.entry is not None:
        told = [(source, to, "event" if via == "event" else "call") for source, to, via in report.edges]
        needed = {edge: int(edge not in report.optional) for edge in told}
        edges = {(CALLER, report.entry, "call"): 1} | needed  # type: ignore[assignment]  # the literal is lost
    where = ("--out", str(out)) if out != Path("runs") else ()
    taking = Taking(report.run, "run", edges, limit, stop, ("--run", report.run, *where), pool)
    if 0 < report.load.sample < 1:
        taking.notes.append(f"one call in {1 / report.load.sample:,.4g} was traced")
    return await _file(folder / runs.SPANS, taking)


async def store(
    path: Path, edges: Mapping[Edge, int] | None, limit: int | None, stop: asyncio.Event, pool: Collection[Apart] = ()
) -> Taken:
    """All that is in the file of a store of ours that is not up."""
    if not await asyncio.to_thread(path.is_file):
        raise UsageError(f"{path} is not there", next_step="name the file of a 'toolkit trace serve --store'")
    up = await tracestore.serve("127.0.0.1", 0, path, on_warning=lambda text: note(f"warning: {text}"))
    try:
        taking = Taking(str(path), "store", edges, limit, stop, None, pool)
        now_ms = time.time_ns() // 1_000_000
        await _walk(up.url, Asked(now_ms + _AHEAD_MS, now_ms + _AHEAD_MS), taking)
        return taking.taken(next_step="name a store that was sent spans")
    finally:
        await up.close()


async def _file(path: Path, taking: Taking) -> Taken:
    try:
        await asyncio.to_thread(taking.take, spanfile.traces(path))
    except spanfile.CutOff as error:
        if not len(taking.analysing):
            raise
        taking.partial, taking.exit = str(error), Exit.USAGE
    return taking.taken(next_step=_NO_TRACE)


async def zipkin(options: argparse.Namespace, edges: Mapping[Edge, int] | None, stop: asyncio.Event) -> Taken:
    """The traces of the last hour, or of `--lookback`. Raises EngineError."""
    lookback_ms = round((options.lookback or LOOKBACK_S) * 1000)
    end_ms = time.time_ns() // 1_000_000 + _AHEAD_MS
    taking = Taking(options.zipkin, "zipkin", edges, options.limit, stop, ("--zipkin", options.zipkin), options.include)
    await _walk(options.zipkin, Asked(end_ms, min(lookback_ms + _AHEAD_MS, end_ms), options.service), taking)
    return taking.taken(next_step="look further back with --lookback, or leave --service away")


async def _walk(url: str, asked: Asked, taking: Taking) -> None:
    walking = cast(AsyncGenerator[list[Any], None], zipkin_transfer.traces(url, asked))
    async with contextlib.aclosing(walking) as traces:
        async for raw in traces:
            try:
                spans = [span_of(each) for each in raw]
            except Refused as refused:
                raise EngineError(f"{url} answered with a span that is none: {refused}") from refused
            if not taking.one(spans):
                return


class Taking:
    """Takes traces until there are no more, there are enough, or somebody wants it to end."""

    def __init__(
        self,
        subject: str,
        source: Source,
        edges: Mapping[Edge, int] | None,
        limit: int | None,
        stop: asyncio.Event,
        show: tuple[str, ...] | None = None,
        pool: Collection[Apart] = (),
    ) -> None:
        self.subject, self.source, self.show = subject, source, show
        self.analysing = Analysing(edges, pool)
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
