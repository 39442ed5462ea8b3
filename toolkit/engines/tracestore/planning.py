"""Where spans will go, before they are committed: nothing of what is in memory changes by it.

May live here: plans, and the sizes that they keep to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from toolkit.engines.tracestore.block import MOST_BYTES, MOST_TRACES, Block, Entry, Trace
from toolkit.engines.tracestore.normal import Stored


@dataclass(frozen=True, slots=True)
class Sizes:
    """When a block is full, how many of them and of their bytes of text stay in memory, and how many bytes of one the
    log may have before it is written although it has not come to rest."""

    traces: int = MOST_TRACES
    blocks: int = 8
    bytes: int = 32 << 20
    logged: int = 32 << 20


SIZES = Sizes()


@dataclass(slots=True)
class Planned:
    """New spans of one trace, and where they will be; `trace` is None when it will begin with them."""

    block: Block
    at: int
    id: str
    trace: Trace | None
    spans: dict[bytes, Stored]


@dataclass(slots=True)
class Plan:
    open: Block
    most: int  # traces of a block
    changes: list[Planned] = field(default_factory=list)
    begun: dict[int, list[int]] = field(default_factory=dict)  # traces and bytes to come, by block

    def place(self, size: int) -> tuple[Block, int]:
        """Where the next new trace goes."""
        to_come = self.begun.setdefault(self.open.number, [0, 0])
        if len(self.open.traces) + to_come[0] >= self.most or self.open.size + to_come[1] >= MOST_BYTES:
            self.open = Block(self.open.number + 1)
            to_come = self.begun.setdefault(self.open.number, [0, 0])
        to_come[0] += 1
        to_come[1] += size
        return self.open, len(self.open.traces) + to_come[0] - 1

    def entries(self, received: int) -> dict[int, list[Entry]]:
        """What the log is to have, by block."""
        found: dict[int, list[Entry]] = {}
        for each in self.changes:
            entry = Entry(each.at, each.id, received, b",".join(each.spans))
            found.setdefault(each.block.number, []).append(entry)
        return found
