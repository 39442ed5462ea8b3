"""Late spans: those of traces that have left the memory.

May live here: putting them into the log, in a transaction that somebody else begins and ends. Nothing of what is in
memory changes by it: a block that is brought back here is nobody else's until that transaction is over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.engines.tracestore import block as blocks
from toolkit.engines.tracestore import database as files
from toolkit.engines.tracestore.block import Block, Entry, Trace
from toolkit.engines.tracestore.normal import Stored
from toolkit.engines.tracestore.reading import Reader

AT_ONCE = 8  # blocks that are brought back to memory

Groups = Mapping[str, Mapping[bytes, Stored]]  # spans by their texts, by trace


@dataclass(slots=True)
class Late:
    """What the log has now: blocks that are to come back (None: to be read again), and how much was new in them.
    `strays` are of traces that are not where they were said to be: they begin anew."""

    blocks: dict[int, Block | None] = field(default_factory=dict)
    spans: int = 0
    bytes: int = 0
    strays: list[str] = field(default_factory=list)


def log(
    connection: sqlite3.Connection, reader: Reader, wanted: Mapping[int, Sequence[str]], groups: Groups, received: int
) -> Late:
    """Put into the log what is new; `wanted` are the ids of traces by the blocks where they lie."""
    late = Late()
    for number, ids in sorted(wanted.items()):
        block = reader.block(number)
        there = {} if block is None else {trace.id: trace for trace in block.living()}
        late.strays += [each for each in ids if each not in there]
        entries = [each for each in (_entry(there[one], groups[one], received) for one in ids if one in there) if each]
        if block is None or not entries:
            continue
        files.append(connection, number, entries)
        spans, size = _counted(block)
        blocks.replay(block, entries)
        more, larger = _counted(block)
        late.spans, late.bytes = late.spans + more - spans, late.bytes + larger - size
        late.blocks[number] = block if len(late.blocks) < AT_ONCE else None
    return late


def _entry(trace: Trace, spans: Mapping[bytes, Stored], received: int) -> Entry | None:
    new = [text for text in spans if text not in trace.spans]
    return Entry(trace.at, trace.id, received, b",".join(new)) if new else None


def _counted(block: Block) -> tuple[int, int]:
    return sum(len(trace.spans) for trace in block.living()), block.size
