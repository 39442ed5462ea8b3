"""Traces that do not change: those of a stored run or of a file, analysed once.

May live here: a `Source` over what was gathered. Reading files is the caller's.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import islice

from toolkit.analysis import Analysis
from toolkit.explorer.gathered import Gathered
from toolkit.explorer.source import Asked, Document, Found, ordered
from toolkit.measure.traces import change
from toolkit.report.traces import overview
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.overview import Subject
from toolkit.traces.model import Span


class Fixed:
    """What was gathered of `subject`; with `against`, that one stands beside."""

    def __init__(self, subject: Subject, gathered: Gathered, chain: Chain | None, against: Fixed | None = None) -> None:
        self.gathered = gathered
        window_s = overview.rate_window(gathered.lines)
        self.subject = replace(subject, window_s=window_s)
        self._overview = overview.document(
            self.subject,
            gathered.analysis,
            gathered.graph(chain, window_s),
            gathered.lines,
            gathered.counts.services,
            against=None if against is None else beside(against, gathered.analysis),
        )

    async def overview(self) -> Document:
        return self._overview

    async def trace(self, trace: str) -> list[Span]:
        return self.gathered.spans(trace)

    async def search(self, asked: Asked) -> Found:
        return await asyncio.to_thread(self._search, asked)

    def _search(self, asked: Asked) -> Found:
        wanted = asked.wanted
        lines = ordered([line for line in self.gathered.lines if wanted.is_met_by_line(line)], asked.sort)
        matching = (line for line in lines if not wanted.reads_spans or wanted.is_met_by(self.gathered.spans(line.id)))
        found = list(islice(matching, asked.limit + 1))
        return Found(found[: asked.limit], more=len(found) > asked.limit)


def beside(against: Fixed, analysis: Analysis) -> Document:
    """What `against` tells, and how it differs from this analysis."""
    return overview.against(against.subject.subject, change(analysis, against.gathered.analysis))
