"""Finding traces, newest first, without looking at more blocks than it takes.

May live here: which blocks to open for a query, and when enough is found. What matches is told by `query`.
Blocks in memory are looked at whole; those at rest come from an index, newest first, and are opened only when name,
durations and terms say that there may be something: work grows with what is found, not with the store.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from toolkit.engines.tracestore import block as blocks
from toolkit.engines.tracestore import fingerprints, normal, query
from toolkit.engines.tracestore.block import Block, Directory, Row, Trace
from toolkit.engines.tracestore.query import Query
from toolkit.engines.tracestore.reading import Found, Reader

Key = tuple[int, str]  # the newest millisecond first, then by id, as the order of answers is


def key(last: int, trace_id: str) -> Key:
    return -(last // 1000), trace_id


@dataclass
class Best:
    """The first `limit` of what is found, in order; `opened` counts the blocks at rest that were looked into."""

    limit: int
    found: list[tuple[Key, bytes]] = field(default_factory=list)
    opened: int = 0

    def wants(self, at: Key) -> bool:
        return len(self.found) < self.limit or at < self.found[-1][0]

    def add(self, at: Key, text: bytes) -> None:
        insort(self.found, (at, text))
        del self.found[self.limit :]


def in_memory(asked: Query, block: Block) -> list[tuple[Key, Trace]]:
    """Traces of a block in memory that may be asked for, in order; to be called while nobody changes it."""
    if not _may_be_in(asked, block):
        return []
    names, found = list(block.names), []
    for trace in block.living():
        began = trace.root or trace.first
        if asked.begin <= began <= asked.end and began and query.named(asked, [names[each] for each in trace.names]):
            found.append((key(trace.last, trace.id), trace))
    found.sort(key=lambda each: each[0])
    return found


def _may_be_in(asked: Query, block: Block) -> bool:
    """Told by what the block's spans have said together."""
    if not query.named(asked, block.names):
        return False
    if asked.min_duration is not None and not any(
        asked.service in (None, name[0]) and query.may_last(asked, each.longest, each.lengths)
        for name, each in zip(block.names, block.said, strict=True)
    ):
        return False
    if block.revision:  # its terms are in the file
        return True
    said = [terms for service, terms in block.terms.items() if asked.service in (None, service)]
    return all(any(blocks.says(terms, term) for terms in said) for term in query.terms(asked))


def search(
    asked: Query,
    held: Sequence[tuple[int, int]],
    look: Callable[[int], list[tuple[Key, Trace]]],
    reader: Reader,
    directory: Callable[[Reader, int, int], Directory | None],
) -> Best:
    """The traces asked for. `held` are the blocks in memory (newest start and number), into which one can `look`; all
    others are at rest."""
    best, matches = Best(asked.limit), _matching(asked)
    for newest, number in sorted(held, reverse=True):
        if not best.wants((-(newest // 1000), "")):
            break
        for at, trace in look(number):
            if not best.wants(at):
                break
            if matches(text := trace.text()):
                best.add(at, text)
    skipped = {number for _, number in held}
    for found in _candidates(asked, reader):
        if found.block in skipped:
            continue
        if not best.wants((-(found.newest // 1000), "")):
            break
        with reader.snapshot():
            _look(asked, found.block, reader, directory, matches, best)
    return best


def _matching(asked: Query) -> Callable[[bytes], bool]:
    """Whether a trace's text is what is asked for; what cannot be is told without reading it."""
    if not query.reads_spans(asked):
        return lambda text: True
    needles = query.needles(asked)
    return lambda text: all(each in text for each in needles) and query.matches(asked, normal.stored(text))


def _candidates(asked: Query, reader: Reader) -> Iterator[Found]:
    if asked.service is None:
        return reader.by_time(asked.begin, asked.end)
    if asked.span is not None:
        return reader.by_name(("span", asked.service, asked.span), asked.begin, 0)
    if asked.remote is not None:
        return reader.by_name(("remote", asked.service, asked.remote), asked.begin, 0)
    return reader.by_name(("service", "", asked.service), asked.begin, asked.min_duration or 0)


def _look(
    asked: Query,
    number: int,
    reader: Reader,
    directory: Callable[[Reader, int, int], Directory | None],
    matches: Callable[[bytes], bool],
    best: Best,
) -> None:
    """Look into one block at rest."""
    if (state := reader.revision(number)) is None or not _may_hold_of_service(asked, number, reader):
        return
    revision, forgotten = state
    if (read := directory(reader, number, revision)) is None or not _may_hold(asked, number, read, reader):
        return
    best.opened += 1
    chunks: dict[int, bytes] = {}
    for at, place in _rows(asked, read, forgotten):
        if not best.wants(at):
            break
        if matches(text := _text(read, place, number, reader, chunks)):
            best.add(at, text)


def _may_hold_of_service(asked: Query, number: int, reader: Reader) -> bool:
    """Told by the indexes alone, without reading who is in the block."""
    if asked.service is None:
        return True
    if asked.min_duration is not None:
        said = reader.said(number, ("service", "", asked.service))
        if said is None or not query.may_last(asked, said.longest, said.lengths):
            return False
    if asked.remote is not None and reader.said(number, ("remote", asked.service, asked.remote)) is None:
        return False
    return _say(asked, number, (asked.service,), reader)


def _may_hold(asked: Query, number: int, read: Directory, reader: Reader) -> bool:
    if asked.service is not None:
        return True
    if asked.min_duration is not None and not any(
        query.may_last(asked, each.longest, each.lengths) for each in read.said
    ):
        return False
    return _say(asked, number, {name[0] or "" for name in read.names}, reader)


def _say(asked: Query, number: int, services: Iterable[str], reader: Reader) -> bool:
    """Whether every tag and annotation asked for may be said by one of the services in this block."""
    for term in query.terms(asked):
        body = reader.fingerprints(number, blocks.part(term))
        if not any(fingerprints.holds(body, blocks.fingerprint(service, term)) for service in services):
            return False
    return True


def _rows(asked: Query, read: Directory, forgotten: int) -> list[tuple[Key, int]]:
    """Where the block's traces are that may be asked for, in order."""
    suitable = query.named(asked, read.names)
    found = [
        (key(row.last, row.id), at)
        for at, row in enumerate(read.rows[forgotten:] if suitable else (), forgotten)
        if row.spans and _begins(asked, row) and query.named(asked, (read.names[number] for number in row.names))
    ]
    found.sort()
    return found


def _begins(asked: Query, row: Row) -> bool:
    started = row.root or row.first
    return started > 0 and asked.begin <= started <= asked.end


def _text(read: Directory, at: int, number: int, reader: Reader, chunks: dict[int, bytes]) -> bytes:
    chunk = at // blocks.CHUNK
    if chunk not in chunks:
        chunks[chunk] = reader.chunk(number, chunk)
    begin = sum(row.size for row in read.rows[chunk * blocks.CHUNK : at])
    return chunks[chunk][begin : begin + read.rows[at].size]


text_of = _text
