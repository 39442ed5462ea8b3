"""Traces that keep coming: the newest of a Zipkin, or of a store of ours that speaks like one.

May live here: asking it, at most so often, and what to tell while it does not answer. However often and by however many
the page is looked at, the store is asked once in a while, and the analysis takes a fifth of one processor at most: a
load may run beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from toolkit.engines import zipkin_client
from toolkit.errors import EngineError
from toolkit.explorer.source import Asked, Document, Found, ordered
from toolkit.gathered import Gathered, gather
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.lines import Wanted, line
from toolkit.report.traces.overview import Subject, rate_window
from toolkit.traced import Traced
from toolkit.traces.model import Span

MOST = 500  # traces that are asked for at once
EVERY_MS = 2000
IDLE = 4  # parts of the time that asking and analysing are followed by, at least
LOOKBACK_MS = 24 * 3600 * 1000  # of a search


class Live:
    """The newest traces of the last `window_s` seconds at `url`."""

    def __init__(self, url: str, chain: Chain | None, window_s: float = 60.0, against: Traced | None = None) -> None:
        self.url, self._chain, self._window_s, self._against = url, chain, window_s, against
        self._subject = Subject(
            title=f"traces of {chain.name}" if chain else "traces",
            source="zipkin",
            subject=url,
            chain=chain.name if chain else None,
            every_ms=EVERY_MS,
            window_s=window_s,
        )
        self._known: Document | None = None
        self._next = 0.0  # monotonic: when to ask again
        self._asking = asyncio.Lock()

    async def overview(self) -> Document:
        async with self._asking:
            if self._known is None or time.monotonic() >= self._next:
                await self._refresh()
            if self._known is None:
                raise EngineError(f"{self.url} told nothing")
            return self._known

    async def _refresh(self) -> None:
        began = time.process_time()  # what it costs a load that runs beside it, however busy the machine is
        try:
            traces = await zipkin_client.search(
                self.url, {"limit": MOST, "lookback": max(1, round(self._window_s * 1000))}
            )
        except EngineError as error:
            self._known = self._stale(error)
            self._next = time.monotonic() + EVERY_MS / 1000
            return
        gathered = await asyncio.to_thread(gather, map(with_root, traces), self._chain, keep=False)
        if early := sum(not has_root(spans) for spans in traces):  # they are under way, and lack nothing yet
            gathered.analysis = replace(gathered.analysis, completeness=None)
        took = time.process_time() - began
        self._next = time.monotonic() + max(EVERY_MS / 1000 * 0.9, IDLE * took)
        self._known = self._told(gathered, max(EVERY_MS, round((1 + IDLE) * took * 1000)), early)

    def _told(self, gathered: Gathered, every_ms: int, early: int = 0) -> Document:
        cut = len(gathered.lines) >= MOST
        subject = replace(
            self._subject,
            every_ms=every_ms,
            window_s=rate_window(gathered.lines),
            note="; ".join(_notes(cut=cut, early=early)) or None,
        )
        return Traced(subject, self._chain, gathered).overview(self._against, more=cut)

    def _stale(self, error: EngineError) -> Document:
        """What was known, with the reason why it is no longer new."""
        known = self._known or self._told(gather([], self._chain), EVERY_MS)
        return {**known, "every_ms": EVERY_MS, "note": f"not up to date: {_why(error)}"}

    async def trace(self, trace: str) -> list[Span]:
        return with_root(await zipkin_client.spans(self.url, [trace]))

    async def search(self, asked: Asked) -> Found:
        looked_at = asked.limit if _says_all(asked) else max(asked.limit, MOST)
        traces = await zipkin_client.search(self.url, parameters(asked.wanted, looked_at))
        lines = [line(spans[0].trace, with_root(spans)) for spans in traces if spans]
        found = ordered([each for each in lines if asked.wanted.is_met_by_line(each)], asked.sort)
        cut = len(traces) >= looked_at
        note = None if _says_all(asked) or not cut else f"of the newest {len(traces):,} that the store found"
        return Found(found[: asked.limit], more=cut or len(found) > asked.limit, note=note)


def _says_all(asked: Asked) -> bool:
    """Whether the store can be asked for exactly this. It knows spans' durations, and no trace's; and no order."""
    return asked.wanted.min_us is None and asked.wanted.max_us is None and asked.sort == "newest"


def parameters(wanted: Wanted, limit: int) -> dict[str, str | int]:
    """The search in Zipkin's words, as far as it has words for it."""
    found: dict[str, str | int] = {"limit": limit, "lookback": LOOKBACK_MS}
    notes = ["error"] if wanted.failed else []
    if wanted.tag is not None:
        name, value = wanted.tag
        notes.append(name if value is None else f"{name}={value}")
    if wanted.service is not None:
        found["serviceName"] = wanted.service
    if wanted.span is not None:
        found["spanName"] = wanted.span
    if notes:
        found["annotationQuery"] = " and ".join(notes)
    return found


def _notes(*, cut: bool, early: int) -> Iterator[str]:
    if cut:
        yield f"the newest {MOST:,} of more traces"
    if early:
        yield f"{early:,} have no root yet, and begin here with their first span: callers tell of themselves last"


def has_root(spans: Sequence[Span]) -> bool:
    return any(span.parent is None and not span.shared for span in spans)


def with_root(spans: list[Span]) -> list[Span]:
    """The same spans; where none is a root, the first whose parent is not there becomes one. It is for looking while a
    load runs: whoever calls tells of its calls when it has time for that."""
    if has_root(spans):
        return spans
    known = {span.id for span in spans}
    orphans = [span for span in spans if span.parent not in known and span.timestamp]
    if not orphans:
        return spans
    first = min(orphans, key=lambda span: (span.timestamp, span.id))
    return [replace(span, parent=None) if span is first else span for span in spans]


def _why(error: EngineError) -> str:
    """Without the numbers of the system's errors, which say nothing to whoever looks at a page."""
    told = str(error)
    return "the store cannot be reached" if "cannot be reached" in told else told
