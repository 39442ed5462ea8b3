"""Who called whom in a span of time: `toolkit.traces.links` over the traces of a store, block by block.

May live here: which traces count, and keeping the links of blocks at rest, so that the next question reads the new
ones only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from toolkit.engines.tracestore import normal, search
from toolkit.engines.tracestore.block import Row, Trace
from toolkit.engines.tracestore.reading import Reader
from toolkit.engines.tracestore.store import Store
from toolkit.traces.links import Counting, Link

_KEPT = 4096  # blocks whose links are remembered


class Dependencies:
    """The links of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[tuple[int, int, int], list[Link]] = {}  # by block, revision and how many are forgotten

    def links(self, begin: int, end: int, reader: Reader) -> list[Link]:
        """Links of all traces that go on after `begin` and begin before `end`, in microseconds."""
        calls: Counter[tuple[str, str]] = Counter()
        errors: Counter[tuple[str, str]] = Counter()
        traces, held = self._store.in_memory()
        found = [_counted(each.text() for each in traces if _within(each, begin, end))]
        found += [
            self._block(each.block, begin, end, reader) for each in reader.by_time(begin, end) if each.block not in held
        ]
        for link in (link for some in found for link in some):
            calls[link.parent, link.child] += link.calls
            errors[link.parent, link.child] += link.errors
        return [Link(*pair, count, errors[pair]) for pair, count in sorted(calls.items())]

    def _block(self, number: int, begin: int, end: int, reader: Reader) -> list[Link]:
        with reader.snapshot():
            if (state := reader.revision(number)) is None:
                return []
            revision, forgotten = state
            if (read := self._store.directory(reader, number, revision)) is None:
                return []
            rows = [(at, row) for at, row in enumerate(read.rows) if at >= forgotten and row.spans]
            wanted = [at for at, row in rows if _within(row, begin, end)]
            whole = len(wanted) == len(rows)
            if whole and (kept := self._kept.get((number, *state))) is not None:
                return kept
            chunks: dict[int, bytes] = {}
            texts = [search.text_of(read, at, number, reader, chunks) for at in wanted]
        links = _counted(texts)
        if whole:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[number, revision, forgotten] = links
        return links


def _within(trace: Row | Trace, begin: int, end: int) -> bool:
    return trace.last >= begin and 0 < trace.first <= end


def _counted(texts: Iterable[bytes]) -> list[Link]:
    counting = Counting()
    for text in texts:
        counting.add([normal.span(each) for each in normal.stored(text)])
    return counting.links()
