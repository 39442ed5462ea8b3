"""Who called whom in a span of time: `toolkit.traces.links` over the traces of a store, block by block.

May live here: which traces count, and not doing work twice: links of blocks at rest are remembered, and traces of one
shape have the same links, which are drawn once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from operator import attrgetter

import msgspec

from toolkit.engines.tracestore import normal, search
from toolkit.engines.tracestore.block import Row, Trace
from toolkit.engines.tracestore.reading import Reader
from toolkit.engines.tracestore.store import Store
from toolkit.traces.links import Counting, Link

_KEPT = 4096  # blocks whose links are remembered
_SHAPES = 4096  # of traces, whose links are remembered


class _Side(msgspec.Struct, rename="camel", frozen=True, gc=False):
    service_name: str | None = None


class _Tags(msgspec.Struct, frozen=True, gc=False):
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Slim(msgspec.Struct, rename="camel", gc=False):
    """What of a span its links depend on."""

    id: str
    parent_id: str | None = None
    kind: str | None = None
    local_endpoint: _Side = _Side()
    remote_endpoint: _Side = _Side()
    tags: _Tags = _Tags()
    shared: bool = False


Shape = tuple[tuple[str | None, str | None, str | None, bool, int], ...]
_slim = msgspec.json.Decoder(list[_Slim])
_by_id = attrgetter("id")


def shape(text: bytes) -> Shape | None:
    """What a trace has in common with all that have the same links; None when ids do not tell its spans apart.

    Of each span, in the order of their ids: kind, service, remote service, whether it failed, and where its parent is
    (-1: it has none, -2: it is not there). `links` looks at nothing else when there are no halves to be joined.
    """
    spans = sorted(_slim.decode(b"[%b]" % text), key=_by_id)
    places = {span.id: at for at, span in enumerate(spans)}
    if len(places) < len(spans) or any(span.shared for span in spans):
        return None
    return tuple(
        (
            span.kind,
            span.local_endpoint.service_name,
            span.remote_endpoint.service_name,
            span.tags.error is not msgspec.UNSET,
            -1 if span.parent_id is None else places.get(span.parent_id, -2),
        )
        for span in spans
    )


class Dependencies:
    """The links of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._drawn: dict[Shape, list[Link]] = {}
        self._kept: dict[tuple[int, int, int], list[Link]] = {}  # by block, revision and how many are forgotten

    def links(self, begin: int, end: int, reader: Reader) -> list[Link]:
        """Links of all traces that go on after `begin` and begin before `end`, in microseconds."""
        traces, held = self._store.in_memory()
        found = [self._counted(each.text() for each in traces if _within(each, begin, end))]
        found += [
            self._block(each.block, begin, end, reader) for each in reader.by_time(begin, end) if each.block not in held
        ]
        return _sum((link, 1) for some in found for link in some)

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
        links = self._counted(texts)
        if whole:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[number, revision, forgotten] = links
        return links

    def _counted(self, texts: Iterable[bytes]) -> list[Link]:
        """The links of these traces together."""
        shapes: Counter[Shape] = Counter()
        odd: list[Link] = []
        drawn = self._drawn  # another thread may begin a new one
        for text in texts:
            if (found := shape(text)) is None:
                odd += _drawn(text)
                continue
            shapes[found] += 1
            if found not in drawn:
                if len(drawn) >= _SHAPES:
                    drawn = self._drawn = {each: drawn[each] for each in shapes if each in drawn}
                drawn[found] = _drawn(text)
        several = ((link, times) for found, times in shapes.items() for link in drawn[found])
        return _sum(chain(several, ((link, 1) for link in odd)))


def _sum(found: Iterable[tuple[Link, int]]) -> list[Link]:
    calls: Counter[tuple[str, str]] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    for link, times in found:
        calls[link.parent, link.child] += link.calls * times
        errors[link.parent, link.child] += link.errors * times
    return [Link(*pair, count, errors[pair]) for pair, count in sorted(calls.items())]


def _within(trace: Row | Trace, begin: int, end: int) -> bool:
    return trace.last >= begin and 0 < trace.first <= end


def _drawn(text: bytes) -> list[Link]:
    counting = Counting()
    counting.add([normal.span(each) for each in normal.stored(text)])
    return counting.links()
