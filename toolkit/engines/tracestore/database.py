"""The SQLite database behind a store: a file in WAL mode, or a private temporary one that nobody else sees.

May live here: opening, refusing what is no store, and every SQL statement. What a block is, is `block`'s.
A commit is in the file when it returns and survives the death of the process; with `synchronous=NORMAL` the last ones
before a loss of power may be missing, but nothing is torn. A file that holds anything else is never written to.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from toolkit.engines.tracestore import block as blocks
from toolkit.engines.tracestore import fingerprints
from toolkit.engines.tracestore.block import Block, Entry
from toolkit.engines.tracestore.owning import APPLICATION, CACHE_KIB, VERSION, check, connect, lock_path, resolved, take
from toolkit.engines.tracestore.reading import CHUNKS, NEXT, Reader
from toolkit.errors import EngineError

_PAGE = 16 << 10  # blocks are large: half the work of SQLite's usual 4 KiB
_CHECKPOINT_PAGES = 2048  # of the write-ahead log, before it goes into the file
_SCHEMA = f"""
CREATE TABLE blocks (number INTEGER PRIMARY KEY, revision INTEGER NOT NULL, forgotten INTEGER NOT NULL,
    traces INTEGER NOT NULL, spans INTEGER NOT NULL, bytes INTEGER NOT NULL,
    oldest INTEGER NOT NULL, newest INTEGER NOT NULL);
CREATE INDEX blocks_newest ON blocks (newest, number);
CREATE TABLE directories (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE texts (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE ids (id TEXT PRIMARY KEY, block INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE names (kind TEXT NOT NULL, service TEXT NOT NULL, name TEXT NOT NULL, newest INTEGER NOT NULL,
    block INTEGER NOT NULL, longest INTEGER NOT NULL, lengths BLOB NOT NULL,
    PRIMARY KEY (kind, service, name, newest, block)) WITHOUT ROWID;
CREATE INDEX names_block ON names (block);
CREATE TABLE terms (block INTEGER NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (block, part));
CREATE TABLE log (number INTEGER PRIMARY KEY, block INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX log_block ON log (block);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
_packed = msgspec.msgpack.Encoder().encode


class Database:
    """The database. One thread writes; readers have connections of their own where there is a file."""

    def __init__(self, path: Path | None, connection: sqlite3.Connection, lock: IO[bytes] | None) -> None:
        self.path, self._connection, self._lock = path, connection, lock
        self.name = str(path) if path else "the store's temporary file"
        self._shared = threading.RLock() if path is None else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, all or nothing. Raises EngineError when the disk does not take it."""
        with self._shared or contextlib.nullcontext():
            yield from self._transaction()

    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise EngineError(f"{self.name} cannot be written: {error}", next_step="make room") from error

    def reader(self) -> Reader:
        """Something to read with, for one thread."""
        if self.path is None:
            return self.own()
        return Reader(connect(self.path, read_only=True), self.name)

    def own(self) -> Reader:
        """The same for the thread that writes."""
        return Reader(self._connection, self.name, self._shared)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # what was committed is in the write-ahead log anyway
            self._connection.close()
        if self._lock is not None and self.path is not None:
            lock_path(self.path).unlink(missing_ok=True)
            self._lock.close()


def open_database(path: Path | None) -> Database:
    """The store's file at `path`, made if it is not there; None: a temporary one.

    Raises EngineError when it cannot be had, another store has it, or it holds something else.
    """
    if path is None:
        connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        connection.executescript(
            f"PRAGMA page_size={_PAGE}; PRAGMA journal_mode=MEMORY; PRAGMA cache_size=-{CACHE_KIB}; {_SCHEMA}"
        )
        return Database(None, connection, None)
    path = resolved(path)
    check(path)
    lock = take(path)
    try:
        connection = connect(path)
        try:
            _prepare(connection, path)
        except sqlite3.Error as error:
            connection.close()
            raise EngineError(f"{path} cannot be used: {error}", next_step=NEXT) from error
        except BaseException:
            connection.close()
            raise
        return Database(path, connection, lock)
    except BaseException:
        lock.close()
        raise


def open_reader(path: Path) -> Reader:
    """To read the store's file at `path`, beside its store or without. Raises EngineError."""
    path = resolved(path)
    check(path, must_exist=True)
    return Reader(connect(path, read_only=True), str(path))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA page_size={_PAGE}")
    if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        raise EngineError(f"{path} cannot have a write-ahead log where it lies", next_step=NEXT)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={_CHECKPOINT_PAGES * _PAGE}")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        connection.executescript(f"BEGIN; {_SCHEMA}; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")
    else:  # whether it may be written
        connection.executescript("BEGIN IMMEDIATE; ROLLBACK;")


def append(connection: sqlite3.Connection, number: int, entries: Sequence[Entry]) -> int:
    """Put accepted spans of one block into the log; how many bytes."""
    body = _packed(entries)
    connection.execute("INSERT INTO log (block, body) VALUES (?, ?)", (number, body))
    return len(body)


def write(connection: sqlite3.Connection, block: Block, completed: Collection[str] = ()) -> None:
    """Put a block into the file as it is, and what the log has of it out of the log.

    `completed` are names of tags whose values can be asked for.
    """
    directory, number, living = block.directory(), block.number, list(block.living())
    began = [trace.first for trace in living if trace.first]
    last = max((trace.last for trace in living), default=0)
    spans = sum(len(trace.spans) for trace in living)
    row = (number, block.revision + 1, block.forgotten, len(living), spans, block.size, min(began, default=0), last)
    connection.execute("INSERT OR REPLACE INTO blocks VALUES (?,?,?,?,?,?,?,?)", row)
    connection.execute("INSERT OR REPLACE INTO directories VALUES (?,?)", (number, _packed(directory)))
    connection.executemany(
        "INSERT OR REPLACE INTO texts VALUES (?,?)",
        [(number * CHUNKS + chunk, block.chunk(chunk)) for chunk in sorted(block.changed)],
    )
    changed = (trace for trace in living if trace.at // blocks.CHUNK in block.changed)
    connection.executemany(
        "INSERT OR REPLACE INTO ids VALUES (?,?,?)", sorted((each.id, number, each.at) for each in changed)
    )
    connection.execute("DELETE FROM names WHERE block=? AND kind<>'value'", (number,))
    connection.executemany("INSERT OR REPLACE INTO names VALUES (?,?,?,?,?,?,?)", _names(block, completed))
    _write_terms(connection, block)
    connection.execute("DELETE FROM log WHERE block=?", (number,))


def _write_terms(connection: sqlite3.Connection, block: Block) -> None:
    """Each fingerprint once, however often late spans say the same."""
    for part, body in sorted(blocks.fingerprints(block.terms).items()):
        found = connection.execute("SELECT body FROM terms WHERE block=? AND part=?", (block.number, part)).fetchone()
        before = found[0] if found else b""
        if len(both := fingerprints.united(before, body)) > len(before):
            connection.execute("INSERT OR REPLACE INTO terms VALUES (?,?,?)", (block.number, part, both))


def _names(block: Block, completed: Collection[str]) -> Iterator[tuple[str, str, str, int, int, int, bytes]]:
    spoken = blocks.spoken(block.names, block.said, blocks.newest(block.living()))
    for (kind, service, name), (newest, longest, lengths) in spoken.items():
        yield kind, service, name, newest, block.number, longest, lengths.to_bytes(8, "little")
    for key, value in blocks.values(block.terms, completed):
        yield "value", key, value, 0, block.number, 0, b""


def forget(
    connection: sqlite3.Connection, number: int, forgotten: int, ids: Sequence[str], spans: int, size: int
) -> None:
    """The first `forgotten` traces of a block are no more; of them `ids`, with so many spans and bytes, are new."""
    connection.execute(
        "INSERT INTO blocks VALUES (?1,0,?2,0,0,0,0,0) ON CONFLICT (number) DO UPDATE "
        "SET forgotten=?2, traces=traces-?3, spans=spans-?4, bytes=bytes-?5",
        (number, forgotten, len(ids), spans, size),
    )
    _drop_ids(connection, number, ids)


def _drop_ids(connection: sqlite3.Connection, number: int, ids: Iterable[str]) -> None:
    connection.executemany("DELETE FROM ids WHERE id=? AND block=?", [(each, number) for each in ids])


def drop(connection: sqlite3.Connection, number: int, ids: Iterable[str]) -> None:
    """A block is no more; `ids` are those that it still had."""
    for table, key in (("blocks", "number"), ("directories", "number"), ("names", "block"), ("terms", "block")):
        connection.execute(f"DELETE FROM {table} WHERE {key}=?", (number,))  # noqa: S608  # names of ours
    connection.execute("DELETE FROM log WHERE block=?", (number,))
    connection.execute("DELETE FROM texts WHERE number BETWEEN ? AND ?", _chunks(number))
    _drop_ids(connection, number, ids)


def _chunks(number: int) -> tuple[int, int]:
    return number * CHUNKS, (number + 1) * CHUNKS - 1
