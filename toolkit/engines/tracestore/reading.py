"""Questions to a store's database, one thread's at a time.

May live here: SELECTs. Blocks come newest first and a page at a time, so that who has found enough stops early.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from toolkit.engines.tracestore import block as blocks
from toolkit.engines.tracestore.block import Block, Directory, Entry, Said
from toolkit.errors import EngineError

CHUNKS = -(-blocks.MOST_TRACES // blocks.CHUNK)  # of a block
NEXT = "give --store a path of its own"
_IDS_AT_ONCE = 500
_PAGE = 32  # blocks
_directory = msgspec.msgpack.Decoder(Directory)
_entries = msgspec.msgpack.Decoder(list[Entry])


class Place(NamedTuple):
    """Where a trace lies; a block whose `revision` is the same is the same."""

    block: int
    at: int
    revision: int


class Found(NamedTuple):
    """A block that may hold what is searched for; `newest` is when the newest such trace has its last start."""

    newest: int
    block: int


class Reader:
    """Every method raises EngineError when the database cannot be read."""

    def __init__(self, connection: sqlite3.Connection, name: str, shared: threading.RLock | None = None) -> None:
        """`shared` is held by whoever writes with the same connection."""
        self._connection, self._name, self._shared = connection, name, shared

    def close(self) -> None:
        if self._shared is None:
            self._connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is asked in the block is answered of one moment."""
        if self._shared is not None:
            with self._shared:
                yield
            return
        self._ask("BEGIN")
        try:
            yield
        finally:
            self._ask("ROLLBACK")

    def _ask(self, question: str, *values: object) -> list[Any]:
        try:
            with self._shared or contextlib.nullcontext():
                return self._connection.execute(question, values).fetchall()
        except sqlite3.Error as error:
            raise EngineError(f"{self._name} cannot be read: {error}", next_step=NEXT) from error

    def places(self, ids: Iterable[str]) -> dict[str, Place]:
        """Where those of these traces lie that are here."""
        wanted, found = list(ids), {}
        for begin in range(0, len(wanted), _IDS_AT_ONCE):
            some = wanted[begin : begin + _IDS_AT_ONCE]
            question = (
                "SELECT id, block, at, revision FROM ids JOIN blocks ON number = block "  # noqa: S608  # marks only
                f"WHERE id IN ({','.join('?' * len(some))}) AND at >= forgotten"
            )
            for each, *place in self._ask(question, *some):
                found[each] = Place(*place)
        return found

    def numbers(self) -> list[int]:
        """All blocks', the oldest first."""
        return [each for (each,) in self._ask("SELECT number FROM blocks UNION SELECT block FROM log ORDER BY 1")]

    def logged(self) -> list[int]:
        """Those of blocks that the log knows more of than what is written."""
        return [each for (each,) in self._ask("SELECT DISTINCT block FROM log ORDER BY block")]

    def totals(self) -> dict[int, tuple[int, int, int]]:
        """How many traces, spans and bytes each block has that is written."""
        asked = self._ask("SELECT number, traces, spans, bytes FROM blocks ORDER BY number")
        return {number: (traces, spans, size) for number, traces, spans, size in asked}

    def revision(self, number: int) -> tuple[int, int] | None:
        """A block's revision and how many of its traces are forgotten; None when it is no more."""
        found = self._ask("SELECT revision, forgotten FROM blocks WHERE number=?", number)
        return found[0] if found else None

    def directory(self, number: int) -> Directory | None:
        found = self._ask("SELECT body FROM directories WHERE number=?", number)
        return self._read(_directory.decode, found[0][0]) if found else None

    def chunk(self, number: int, chunk: int) -> bytes:
        found = self._ask("SELECT body FROM texts WHERE number=?", number * CHUNKS + chunk)
        return found[0][0] if found else b""

    def block(self, number: int) -> Block | None:
        """A block as it is, log and all; None when it is no more."""
        revision, forgotten = self.revision(number) or (0, 0)
        directory = self.directory(number)
        entries = self._ask("SELECT body FROM log WHERE block=? ORDER BY number", number)
        if directory is None:
            found = Block(number, forgotten=forgotten)
            found.traces.extend([None] * forgotten)
        else:
            chunks = self._ask(
                "SELECT body FROM texts WHERE number BETWEEN ? AND ? ORDER BY number",
                *(number * CHUNKS, (number + 1) * CHUNKS - 1),
            )
            found = blocks.thawed(number, revision, forgotten, directory, (each for (each,) in chunks))
        for (body,) in entries:
            self._read(lambda body: blocks.replay(found, _entries.decode(body)), body)
        return found if found.traces else None

    def _read(self, decode: Callable[[bytes], Any], body: bytes) -> Any:
        try:
            return decode(body)
        except (msgspec.MsgspecError, ValueError) as error:
            raise EngineError(f"{self._name} is damaged: {error}", next_step=NEXT) from error

    def by_time(self, begin: int, end: int) -> Iterator[Found]:
        """Blocks with a trace that may have begun from `begin` to `end`, in microseconds."""
        question = (
            "SELECT newest, number FROM blocks WHERE revision > 0 AND newest >= ? AND oldest <= ? "
            "AND (newest, number) < (?, ?) ORDER BY newest DESC, number DESC LIMIT ?"
        )
        yield from self._pages(question, begin, end)

    def by_name(self, key: tuple[str, str, str], begin: int, longest: int) -> Iterator[Found]:
        """Blocks with a span of that name (`block.spoken`), in traces that go on after `begin`; and one of that name
        that took `longest` microseconds or more."""
        question = (
            "SELECT newest, block FROM names "
            "WHERE kind=? AND service=? AND name=? AND newest >= ? AND longest >= ? "
            "AND (newest, block) < (?, ?) ORDER BY newest DESC, block DESC LIMIT ?"
        )
        yield from self._pages(question, *key, begin, longest)

    def _pages(self, question: str, *values: object) -> Iterator[Found]:
        last: tuple[int, int] = (_END, _END)
        while page := self._ask(question, *values, *last, _PAGE):
            yield from map(Found._make, page)
            if len(page) < _PAGE:
                return
            last = page[-1]

    def said(self, number: int, key: tuple[str, str, str]) -> Said | None:
        """How long a block's spans of that name took; None when it has none."""
        found = self._ask(
            "SELECT longest, lengths FROM names WHERE block=? AND kind=? AND service=? AND name=?", number, *key
        )
        return Said(found[0][0], int.from_bytes(found[0][1], "little")) if found else None

    def fingerprints(self, number: int, part: int) -> bytes:
        """Those of one part of a block's terms."""
        found = self._ask("SELECT body FROM terms WHERE block=? AND part=?", number, part)
        return found[0][0] if found else b""

    def partial(self) -> int:
        """The last block of which traces are forgotten, -1 when there is none: `names` of it would tell of them."""
        return int(self._ask("SELECT coalesce(max(number), -1) FROM blocks WHERE forgotten > 0")[0][0])

    def names(self, kind: str, service: str, after: int = -1) -> list[str]:
        """Every name of that kind in blocks after that one: each step leaps over all blocks that have the same."""
        found = self._ask(
            "WITH RECURSIVE each(name) AS ("
            "SELECT min(name) FROM names WHERE kind=?1 AND service=?2 AND block > ?3 UNION ALL "
            "SELECT (SELECT min(name) FROM names WHERE kind=?1 AND service=?2 AND block > ?3 AND name > each.name) "
            "FROM each WHERE each.name IS NOT NULL) SELECT name FROM each WHERE name IS NOT NULL",
            *(kind, service, after),
        )
        return [each for (each,) in found]


_END = (1 << 63) - 1
