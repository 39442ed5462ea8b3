"""What the page can ask of wherever traces are, and what a search asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from toolkit.report.traces.lines import Line, Wanted
from toolkit.traces.model import Span

Document = dict[str, Any]
Sort = Literal["newest", "slowest"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search: at most `limit` of the traces that are wanted, in this order."""

    wanted: Wanted = field(default_factory=Wanted)
    sort: Sort = "newest"
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """`more`: there are, or may be, others. `note` is what a reader must know of what was looked at."""

    lines: Sequence[Line]
    more: bool = False
    note: str | None = None

    def document(self) -> Document:
        return {"traces": [line.document() for line in self.lines], "more": self.more, "note": self.note}


class Source(Protocol):
    """Where traces are. Each raises EngineError when that cannot be reached now."""

    async def overview(self) -> Document: ...

    async def trace(self, trace: str) -> list[Span]:
        """All its spans; none when it is not known."""

    async def search(self, asked: Asked) -> Found: ...


def ordered(lines: Sequence[Line], sort: Sort) -> list[Line]:
    if sort == "slowest":
        return sorted(lines, key=lambda line: (-line.duration_us, line.id))
    return sorted(lines, key=lambda line: (-line.start_us, line.id))
