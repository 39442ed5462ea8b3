"""A few hundred traces that came after one another: what the store writes, finds and forgets together.

May live here: a block in memory, and the form in which one that is at rest lies in the file: a directory (who is in it,
and when), chunks of text, and the terms it can be searched by. May not: SQL, threads, clocks.
Times are microseconds since the epoch, 0 while no span told one; `received` is in seconds of the store's own clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from toolkit.engines.tracestore import normal
from toolkit.engines.tracestore.normal import Stored

MOST_TRACES = 512
MOST_BYTES = 8 << 20  # of text, after which no trace begins in the block
CHUNK = 16  # traces whose texts lie together
PARTS = 64  # of a block's terms, so that a search reads one of them


Name = tuple[str | None, str | None, str | None]  # of a span: its service, its own, and the other side's service


class Row(msgspec.Struct, array_like=True, gc=False):
    """One trace of a directory. `size` is its text with the commas; a trace that was forgotten has none."""

    id: str
    root: int
    first: int
    last: int
    received: int
    size: int
    spans: int
    names: list[int]

    @property
    def started(self) -> int:
        return self.root or self.first


class Said(msgspec.Struct, array_like=True, gc=False):
    """How long the spans of one name in one block took: the longest, and a bit for each power of two."""

    longest: int = 0
    lengths: int = 0

    def add(self, duration: int) -> None:
        if duration > self.longest:
            self.longest = duration
        self.lengths |= 1 << duration.bit_length()


class Directory(msgspec.Struct, array_like=True, gc=False):
    """What a block holds, without the spans' texts. `names[n]` and `said[n]` are those of name number n."""

    names: list[Name]
    said: list[Said]
    rows: list[Row]


class Entry(msgspec.Struct, array_like=True, gc=False):
    """Spans that were accepted for the trace at position `at` of a block, as the log has them."""

    at: int
    id: str
    received: int
    text: bytes


@dataclass(slots=True)
class Trace:
    """One trace in memory. `spans` are texts, each once; `names` are numbers of its block's."""

    id: str
    block: Block
    at: int
    received: int
    spans: dict[bytes, None] = field(default_factory=dict)
    names: set[int] = field(default_factory=set)
    size: int = 0
    root: int = 0  # start of the first root that came
    first: int = 0
    last: int = 0  # start of the last span

    @property
    def started(self) -> int:
        return self.root or self.first

    def text(self) -> bytes:
        return b",".join(self.spans)


Terms = set["tuple[str, str] | str"]  # of one service: tags by name and value, and annotations


@dataclass(slots=True)
class Block:
    """A block in memory. `traces` before `forgotten` are None. What is `changed` (chunks) and the `terms` have come
    since it was written last; `logged` bytes of it are in the log, and `revision` counts the writings."""

    number: int
    traces: list[Trace | None] = field(default_factory=list)
    forgotten: int = 0
    names: dict[Name, int] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    terms: dict[str, Terms] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    size: int = 0
    newest: int = 0  # last start of any trace it has had
    logged: int = 0
    written: int = 0  # bytes of text when it was written last
    revision: int = 0
    touched: int = 0

    def living(self) -> Iterator[Trace]:
        return (trace for trace in self.traces if trace is not None)

    def begin(self, trace_id: str, received: int) -> Trace:
        trace = Trace(trace_id, self, len(self.traces), received)
        self.traces.append(trace)
        return trace

    def add(self, trace: Trace, spans: Mapping[bytes, Stored]) -> None:
        """Keep spans that are not there yet, by their texts."""
        kept = trace.spans
        for text, span in spans.items():
            kept[text] = None
            local, remote, start = span.local_endpoint, span.remote_endpoint, span.timestamp
            service = None if local is None else local.service_name
            name = (service, span.name, None if remote is None else remote.service_name)
            if (number := self.names.get(name)) is None:
                number = self._name(name)
            trace.names.add(number)
            if (duration := span.duration) is not None:
                self.said[number].add(duration)
            if start is not None:
                if start > trace.last:
                    trace.last = start
                if start < trace.first or not trace.first:
                    trace.first = start
                if not trace.root and span.parent_id is None:
                    trace.root = start
            if span.tags is not None:
                self.terms[service or ""].update(span.tags.items())
            if span.annotations is not None:
                self.terms[service or ""].update([note.value for note in span.annotations])
        if trace.last > self.newest:
            self.newest = trace.last
        size = sum(map(len, spans))
        trace.size += size
        self.size += size
        self.changed.add(trace.at // CHUNK)

    def _name(self, name: Name) -> int:
        self.names[name] = len(self.said)
        self.said.append(Said())
        self.terms.setdefault(name[0] or "", set())
        return len(self.said) - 1

    def forget(self) -> Trace | None:
        """Drop the oldest trace; None when there is none."""
        while self.forgotten < len(self.traces):
            at, self.forgotten = self.forgotten, self.forgotten + 1
            trace, self.traces[at] = self.traces[at], None
            if trace is not None:
                self.size -= trace.size
                self.changed.add(at // CHUNK)
                return trace
        return None

    def directory(self) -> Directory:
        return Directory(list(self.names), self.said, [_row(trace) for trace in self.traces])

    def chunk(self, number: int) -> bytes:
        """The texts of the chunk's traces, one behind the other."""
        return b"".join(each.text() for each in self.traces[number * CHUNK : (number + 1) * CHUNK] if each is not None)


def _row(trace: Trace | None) -> Row:
    if trace is None:
        return Row("", 0, 0, 0, 0, 0, 0, [])
    size = trace.size + max(len(trace.spans) - 1, 0)
    return Row(
        trace.id, trace.root, trace.first, trace.last, trace.received, size, len(trace.spans), sorted(trace.names)
    )


def thawed(number: int, revision: int, forgotten: int, directory: Directory, chunks: Iterable[bytes]) -> Block:
    """The block that was written so, to be added to."""
    block = Block(number, revision=revision, forgotten=forgotten, said=directory.said)
    block.terms = {name[0] or "": set() for name in directory.names}
    block.names = {each: at for at, each in enumerate(directory.names)}
    rest = memoryview(b"".join(chunks))
    for at, row in enumerate(directory.rows):
        text, rest = rest[: row.size], rest[row.size :]
        if at < forgotten or not row.spans:
            block.traces.append(None)
            if row.size:  # its text is still there
                block.changed.add(at // CHUNK)
            continue
        spans = dict.fromkeys(normal.texts(bytes(text)))
        size = row.size - len(spans) + 1
        trace = Trace(row.id, block, at, row.received, spans, set(row.names), size, row.root, row.first, row.last)
        block.traces.append(trace)
        block.size += size
        block.newest = max(block.newest, row.last)
    block.written = block.size
    return block


def replay(block: Block, entries: Iterable[Entry]) -> None:
    """Add what the log has of it. Raises ValueError when that is of other traces."""
    for entry in entries:
        while len(block.traces) <= entry.at:
            block.traces.append(None)
        if entry.at < block.forgotten:
            continue
        if (trace := block.traces[entry.at]) is None:
            trace = block.traces[entry.at] = Trace(entry.id, block, entry.at, entry.received)
        elif trace.id != entry.id:
            raise ValueError(f"the log has spans of {entry.id} where trace {trace.id} lies")
        spans = zip(normal.texts(entry.text), normal.stored(entry.text), strict=True)
        block.add(trace, {text: span for text, span in spans if text not in trace.spans})
        block.logged += len(entry.text)


def part(term: tuple[str, str] | str) -> int:
    """In which part of a block's terms this one is."""
    return _digest(term) % PARTS


def fingerprint(service: str, term: tuple[str, str] | str) -> bytes:
    """Four bytes that stand for the term said by a service. Others may have the same: who finds them has to look."""
    return (crc32(service.encode(), _digest(term))).to_bytes(4, "little")


def _digest(term: tuple[str, str] | str) -> int:
    return crc32(term.encode()) if type(term) is str else crc32(term[1].encode(), crc32(b"\0", crc32(term[0].encode())))


def fingerprints(terms: Mapping[str, Terms]) -> dict[int, bytes]:
    """All of a block's new terms, by their part; the names of its tags are terms too."""
    found: dict[int, list[bytes]] = {}
    for service, said in terms.items():
        told = service.encode()
        for term in said.union([each[0] for each in said if type(each) is tuple]):
            digest = _digest(term)
            found.setdefault(digest % PARTS, []).append(crc32(told, digest).to_bytes(4, "little"))
    return {number: b"".join(each) for number, each in found.items()}


def spoken(
    names: Iterable[Name], said: Sequence[Said], newest: Mapping[int, int]
) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """By which names a block is found, and when its newest trace of that name ends and how long its spans took.

    Keys are ("service", "", SERVICE), ("span", SERVICE, SPAN) and ("remote", SERVICE, REMOTE); values are newest,
    longest and lengths. `newest` is by number of the name.
    """
    found: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for number, (service, span, remote) in enumerate(names):
        if number not in newest or not service:
            continue
        for key in (("service", "", service), ("span", service, span or ""), ("remote", service, remote or "")):
            if key[2]:
                last, longest, lengths = found.get(key, (0, 0, 0))
                took = said[number]
                found[key] = (max(last, newest[number]), max(longest, took.longest), lengths | took.lengths)
    return found


def says(terms: Terms, term: tuple[str, str] | str) -> bool:
    """Whether it is among what a service has said: a tag with its value, or an annotation or a tag's name."""
    return term in terms or (type(term) is str and any(type(each) is tuple and each[0] == term for each in terms))


def values(terms: Mapping[str, Terms], keys: Collection[str]) -> set[tuple[str, str]]:
    """The tags of these names that have been said, with their values."""
    if not keys:
        return set()
    return {each for said in terms.values() for each in said if type(each) is tuple and each[0] in keys}


def newest(traces: Iterable[Row | Trace]) -> dict[int, int]:
    """By number of name: when the last trace with a span of that name had its last start."""
    found: dict[int, int] = {}
    for trace in traces:
        for number in trace.names:
            if trace.last > found.get(number, -1):
                found[number] = trace.last
    return found
