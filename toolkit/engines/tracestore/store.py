"""The spans of a store: the newest in memory, all in its database, within bounds, each span as its normal text.

May live here: accepting, finding and forgetting. May not: HTTP, SQL, threads of its own. One thread at a time keeps and
forgets; any number may look. What is kept is in the database's log before anybody can see it; blocks of traces that
have come to rest are written as a whole, and leave the memory. Repetitions of a span are one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from toolkit.engines.tracestore import database as files
from toolkit.engines.tracestore import late as coming
from toolkit.engines.tracestore import normal, search
from toolkit.engines.tracestore.block import MOST_BYTES, Block, Directory, Trace, values
from toolkit.engines.tracestore.database import Database
from toolkit.engines.tracestore.forgetting import Bounds, Forgetting, Gone
from toolkit.engines.tracestore.normal import Stored
from toolkit.engines.tracestore.planning import SIZES, Plan, Planned, Sizes
from toolkit.engines.tracestore.query import Query
from toolkit.engines.tracestore.reading import Reader
from toolkit.errors import EngineError

_DIRECTORIES = 64


class Store:
    """All traces within `bounds`; the oldest whole traces are forgotten beyond them.

    `seconds` is a wall clock; `completed` names tags whose values can be asked for.
    """

    def __init__(
        self,
        database: Database,
        bounds: Bounds,
        seconds: Callable[[], float],
        completed: Collection[str] = (),
        on_warning: Callable[[str], None] = lambda _: None,
        sizes: Sizes = SIZES,
    ) -> None:
        self._sizes = sizes
        self._database, self._seconds, self.completed = database, seconds, tuple(completed)
        self._warn = on_warning
        self._reader = database.own()
        self._lock = threading.Lock()  # held while what is in memory changes
        self._traces: dict[str, Trace] = {}  # in memory
        self._held: dict[int, Block] = {}
        self._turn = 0
        self._troubled = False
        self.directory = lru_cache(maxsize=_DIRECTORIES)(_directory)
        self.forgetting = Forgetting(bounds, database, self._reader, self._held, on_warning)
        self._open = self._read()

    def _read(self) -> Block:
        """What the log has comes back to memory; the block in which new traces begin."""
        numbers = self._reader.numbers()
        for number in self._reader.logged():
            if (block := self._reader.block(number)) is not None:
                self._hold(block)
        self.forgetting.count(numbers)
        last = self._held.get(numbers[-1]) if numbers else None
        if last is not None and len(last.traces) < self._sizes.traces and last.size < MOST_BYTES:
            return last
        return self._begun(Block(numbers[-1] + 1 if numbers else 0))

    def _hold(self, block: Block) -> Block:
        self._held[block.number] = block
        for trace in block.living():
            self._traces[trace.id] = trace
        return block

    # Accepting

    def keep(self, spans: Iterable[Stored]) -> None:
        """Have these spans stored; they are when it returns. Raises EngineError when they cannot be."""
        groups: dict[str, dict[bytes, Stored]] = {}
        for span in spans:
            groups.setdefault(span.trace_id, {})[normal.text(span)] = span
        wanted, received = self._at_rest(groups), int(self._seconds())
        old = {each: groups.pop(each) for ids in wanted.values() for each in ids}
        logged: dict[int, int] = {}
        with self._database.writing() as connection:  # all of them or none
            late = coming.log(connection, self._reader, wanted, old, received)
            groups.update((each, old[each]) for each in late.strays)
            plan = self._planned(groups)
            for number, some in plan.entries(received).items():
                logged[number] = files.append(connection, number, some)
        with self._lock:
            self._apply(plan, received)
            for number, size in logged.items():
                self._held[number].logged += size
        with self._trying():
            self._bring_back(late)

    def _at_rest(self, groups: Collection[str]) -> dict[int, list[str]]:
        """Those of the traces that are not in memory, by their blocks."""
        found: dict[int, list[str]] = {}
        for each, place in self._reader.places(each for each in groups if each not in self._traces).items():
            if place.block not in self._held:
                found.setdefault(place.block, []).append(each)
        return found

    def _bring_back(self, late: coming.Late) -> None:
        """Blocks with late spans, a few at a time: others leave the memory for them."""
        self.forgetting.grown(0, late.spans, late.bytes)
        for number in list(late.blocks):
            block = late.blocks.pop(number) or self._reader.block(number)
            if block is not None:
                self._turn += 1
                block.touched = self._turn
                with self._lock:
                    self._hold(block)
            if len(late.blocks) % coming.AT_ONCE == 0:
                self.settle()

    def _planned(self, groups: dict[str, dict[bytes, Stored]]) -> Plan:
        plan = Plan(self._open, self._sizes.traces)
        for trace_id, spans in groups.items():
            if (trace := self._traces.get(trace_id)) is None:
                block, at = plan.place(sum(map(len, spans)))
            else:
                spans = {text: span for text, span in spans.items() if text not in trace.spans}
                block, at = trace.block, trace.at
            if spans:
                plan.changes.append(Planned(block, at, trace_id, trace, spans))
        return plan

    def _apply(self, plan: Plan, received: int) -> None:
        self._turn += 1
        for each in plan.changes:
            block = self._begun(each.block)
            block.touched = self._turn
            trace = each.trace or self._traces.setdefault(each.id, block.begin(each.id, received))
            before = trace.size
            block.add(trace, each.spans)
            self.forgetting.grown(1 if each.trace is None else 0, len(each.spans), trace.size - before)
        self._open = self._begun(plan.open)

    def _begun(self, block: Block) -> Block:
        if block.number not in self._held:
            self._held[block.number] = block
            self.forgetting.began(block.number)
        return block

    def forget(self) -> None:
        """Forget what is beyond the bounds."""
        with self._trying():
            while gone := self.forgetting.forget(int(self._seconds()), self._open.number):
                with self._lock:
                    self._forget(gone)
                    if not self._open.forgotten:
                        return
                    # Only a whole block leaves the file: this one takes no more traces that it would wait for.
                    self._open = self._begun(Block(self._open.number + 1))

    def settle(self) -> None:
        """Write what has come to rest."""
        with self._trying():
            while (block := self._due()) is not None:
                self._write(block)

    @contextmanager
    def _trying(self) -> Iterator[None]:
        """A disk that is full is said once, and tried again with the next spans: nothing is lost by it."""
        try:
            yield
        except EngineError as error:
            if not self._troubled:
                self._warn(f"{error}: what was accepted stays in the log")
            self._troubled = True
        else:
            self._troubled = False

    def _forget(self, gone: Sequence[Gone]) -> None:
        for each in gone:
            if (block := self._held.get(each.block)) is None:
                continue
            while block.forgotten < each.forgotten and (trace := block.forget()) is not None:
                if self._traces.get(trace.id) is trace:
                    del self._traces[trace.id]
            if each.whole:
                del self._held[each.block]

    def _due(self) -> Block | None:
        """The next block to write."""
        for block in self._held.values():
            if block.logged > max(self._sizes.logged, block.written):
                return block
        sizes = self._sizes
        if len(self._held) <= sizes.blocks and sum(each.size for each in self._held.values()) <= sizes.bytes:
            return None
        return min(self._resting(), key=lambda each: each.touched, default=None)

    def _resting(self) -> list[Block]:
        """Blocks in memory that the last spans were not for."""
        return [each for each in self._held.values() if each is not self._open and each.touched != self._turn]

    def _write(self, block: Block) -> None:
        with self._database.writing() as connection:
            if block.logged or block.changed:
                files.write(connection, block, self.completed)
                block.revision += 1
        with self._lock:
            block.logged, block.written = 0, block.size
            block.changed.clear()
            for terms in block.terms.values():
                terms.clear()
            if block in self._resting():
                del self._held[block.number]
                for trace in block.living():
                    self._traces.pop(trace.id, None)

    # Looking

    def __len__(self) -> int:
        return self.forgetting.traces

    def in_memory(self) -> tuple[list[Trace], set[int]]:
        """The traces in memory, and the numbers of their blocks."""
        with self._lock:
            return [trace for block in self._held.values() for trace in block.living()], set(self._held)

    def text(self, trace_id: str, reader: Reader) -> bytes | None:
        """A trace's spans, with commas between them; None when it is not here."""
        with self._lock:
            if (trace := self._traces.get(trace_id)) is not None:
                return trace.text()
        with reader.snapshot():
            if (place := reader.places([trace_id]).get(trace_id)) is None:
                return None
            read = self.directory(reader, place.block, place.revision)
            return None if read is None else search.text_of(read, place.at, place.block, reader, {})

    def search(self, asked: Query, reader: Reader) -> search.Best:
        with self._lock:
            held = dict(self._held)

        def look(number: int) -> list[tuple[search.Key, Trace]]:
            with self._lock:
                return search.in_memory(asked, held[number])

        newest = [(block.newest, number) for number, block in held.items()]
        return search.search(asked, newest, look, reader, self.directory)

    def services(self, reader: Reader) -> list[str]:
        return self._names("service", "", reader)

    def span_names(self, service: str, reader: Reader) -> list[str]:
        return self._names("span", service, reader)

    def remote_services(self, service: str, reader: Reader) -> list[str]:
        return self._names("remote", service, reader)

    def values(self, key: str, reader: Reader) -> list[str]:
        """Of a tag that is `completed`."""
        if key not in self.completed:
            return []
        with self._lock:
            whole = [block for block in self._held.values() if not block.forgotten]
            found = {value for block in whole for _, value in values(block.terms, {key})}
        with reader.snapshot():
            partial = reader.partial()
            block = reader.block(partial)
            found.update(reader.names("value", key, partial))
        texts = (trace.text() for trace in block.living()) if block is not None else ()
        spans = (span for text in texts for span in normal.stored(text))
        return sorted(found.union(span.tags[key] for span in spans if span.tags and key in span.tags))

    def _names(self, kind: str, service: str, reader: Reader) -> list[str]:
        with self._lock:
            found = {name for block in self._held.values() for name in _spoken(block, kind, service)}
        with reader.snapshot():
            partial = reader.partial()
            found.update(reader.names(kind, service, partial))
            if (block := reader.block(partial)) is not None:
                found.update(_spoken(block, kind, service))
        return sorted(found)


def _spoken(block: Block, kind: str, service: str) -> Iterator[str]:
    used: set[int] = set().union(*(trace.names for trace in block.living()))
    for number, (own, span, remote) in enumerate(block.names):
        told = own if kind == "service" else None if own != service else span if kind == "span" else remote
        if told and number in used:
            yield told


def _directory(reader: Reader, number: int, revision: int) -> Directory | None:
    """Blocks of one revision are the same for ever."""
    return reader.directory(number)
