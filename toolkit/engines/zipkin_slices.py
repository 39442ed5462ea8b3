"""All traces of a stretch of time out of a Zipkin, however many: asked for in slices, each small enough.

May live here: which slices to ask for. A store answers with so many traces at most and does not say whether there were
more; so an answer that is full is not believed, and each half of its time is asked for instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.traces.model import Span

AT_ONCE = 500  # traces in one answer: some megabytes
LEAST_MS = 1  # Zipkin's own resolution
Search = Callable[[Mapping[str, str | int]], Awaitable[Sequence[Sequence[Span]]]]


@dataclass(slots=True)
class Slices:
    """`search` asks `/api/v2/traces`. `crowded` are milliseconds that hold more traces than one answer: of these, some
    are left out, and nobody knows how many."""

    search: Search
    end_ms: int
    lookback_ms: int
    service: str | None = None
    at_once: int = AT_ONCE
    crowded: int = 0
    _seen: set[str] = field(default_factory=set)

    async def traces(self) -> AsyncIterator[Sequence[Span]]:
        """Each trace once, roughly from the newest to the oldest. Raises what `search` raises."""
        waiting = [(self.end_ms - self.lookback_ms, self.end_ms)]
        while waiting:
            begin, end = waiting.pop()
            found = await self.search(self._asked(begin, end))
            if len(found) >= self.at_once and end - begin > LEAST_MS:
                middle = (begin + end) // 2
                waiting += [(begin, middle), (middle, end)]
                continue
            self.crowded += len(found) >= self.at_once
            for spans in found:
                if spans and spans[0].trace not in self._seen:  # a trace may lie in two slices
                    self._seen.add(spans[0].trace)
                    yield spans

    def _asked(self, begin: int, end: int) -> Mapping[str, str | int]:
        asked: dict[str, str | int] = {"endTs": end, "lookback": end - begin, "limit": self.at_once}
        return asked if self.service is None else {**asked, "serviceName": self.service}
