"""Traces that do not change: those of a stored run or of a file, analysed once.

May live here: a `Source` over what was gathered. Reading files is `opening`'s.
"""

from __future__ import annotations

import asyncio
from itertools import islice

from toolkit.explorer.source import Asked, Document, Found, ordered
from toolkit.traced import Traced
from toolkit.traces.model import Span


class Fixed:
    """With `against`, that one stands beside."""

    def __init__(self, traced: Traced, against: Traced | None = None) -> None:
        self.traced = traced
        self._overview = traced.overview(against)

    async def overview(self) -> Document:
        return self._overview

    async def trace(self, trace: str) -> list[Span]:
        return self.traced.gathered.spans(trace)

    async def search(self, asked: Asked) -> Found:
        return await asyncio.to_thread(self._search, asked)

    def _search(self, asked: Asked) -> Found:
        wanted, gathered = asked.wanted, self.traced.gathered
        lines = ordered([line for line in gathered.lines if wanted.is_met_by_line(line)], asked.sort)
        matching = (line for line in lines if not wanted.reads_spans or wanted.is_met_by(gathered.spans(line.id)))
        found = list(islice(matching, asked.limit + 1))
        return Found(found[: asked.limit], more=len(found) > asked.limit)
