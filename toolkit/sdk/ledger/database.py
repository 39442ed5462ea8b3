"""The ledger's memory: an SQLite file that survives the process. One method is one transaction.

May live here: tables, and what may become of their rows. May not: sockets, threads, processes.

WAL with `synchronous = NORMAL`: a commit outlives the process, not the machine's power; so a commit costs no fsync, and
each method takes some tens of microseconds. Counts of a call are kept beside its tasks, so that no method grows with
how many there are.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.sdk.ledger.words import (
    MOST_RESULT,
    MOST_RESULTS,
    OPEN,
    PAGE_BYTES,
    PAGE_TASKS,
    Begun,
    Ended,
    Ending,
    Refusal,
    State,
)

MOST_BYTES = 4 << 30  # of the file; SQLite refuses to grow beyond it
PAGE = 4096
SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  call TEXT PRIMARY KEY, tasks INT NOT NULL DEFAULT 0, open INT NOT NULL DEFAULT 0, failed INT NOT NULL DEFAULT 0,
  cancelled INT NOT NULL DEFAULT 0, bytes INT NOT NULL DEFAULT 0, stopped INT NOT NULL DEFAULT 0,
  last TEXT, told INT NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edges (
  call TEXT, function TEXT, receiver TEXT, tasks INT NOT NULL, PRIMARY KEY (call, function, receiver)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
  position INTEGER PRIMARY KEY, call TEXT NOT NULL, task TEXT NOT NULL, parent TEXT NOT NULL, function TEXT NOT NULL,
  receiver TEXT NOT NULL, state TEXT NOT NULL, depth INT NOT NULL, attempts INT NOT NULL DEFAULT 0,
  spawned_ns INT NOT NULL, ended_ns INT, handling TEXT, error TEXT, version INT NOT NULL, kind TEXT, result BLOB,
  UNIQUE (call, task)
);
CREATE UNIQUE INDEX IF NOT EXISTS changes ON tasks (version);
CREATE TABLE IF NOT EXISTS joins (
  call TEXT, function TEXT, grp TEXT, round INT, wanted INT NOT NULL, parts INT NOT NULL DEFAULT 0,
  bytes INT NOT NULL DEFAULT 0, last TEXT, handled INT NOT NULL DEFAULT 0, PRIMARY KEY (call, function, grp, round)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (
  call TEXT, function TEXT, message TEXT, grp TEXT NOT NULL, round INT NOT NULL, slot TEXT NOT NULL,
  head TEXT NOT NULL, data BLOB, PRIMARY KEY (call, function, message)
);
CREATE INDEX IF NOT EXISTS seats ON parts (call, function, grp, slot);
CREATE INDEX IF NOT EXISTS rounds ON parts (call, function, grp, round);
"""
COLUMNS = "call, task, parent, function, receiver, state, depth, attempts, spawned_ns, ended_ns, error, version"


class Database:
    """`path` None: in memory. `clock` tells wall-clock nanoseconds. Raises sqlite3.Error if the file cannot be had."""

    def __init__(
        self, path: Path | None = None, *, clock: Callable[[], int] = time.time_ns, most_bytes: int = MOST_BYTES
    ) -> None:
        self._clock = clock
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, cached_statements=256)
        for pragma in (f"page_size = {PAGE}", "journal_mode = WAL", "synchronous = NORMAL", "temp_store = MEMORY"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(f"PRAGMA max_page_count = {max(64, most_bytes // PAGE)}")
        self._db.executescript(SCHEMA)
        self._version: int = self._one("SELECT COALESCE(MAX(version), 0) FROM tasks")[0]

    def close(self) -> None:
        self._db.close()

    # --- tasks --------------------------------------------------------------------------------------------------------

    def spawn(self, call: str, task: str, parent: str, function: str, to: str, depth: int, most: int) -> State:
        """Remember a task; what it is by now, if it was known before. Raises Refusal when `most` are there already
        (of this call, from `function` to `to`), and when all tasks of the call had ended.
        """
        with self.transaction():
            if known := self._maybe("SELECT state FROM tasks WHERE call = ? AND task = ?", call, task):
                return known[0]  # type: ignore[no-any-return]
            stopped = self._admit(call, function, to, most)
            state: State = "cancelled" if stopped else "waiting"
            now = self._clock()
            self._db.execute(
                "INSERT INTO tasks"
                " (call, task, parent, function, receiver, state, depth, spawned_ns, ended_ns, version)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (call, task, parent, function, to, state, depth, now, now if stopped else None, self._next()),
            )
            self._db.execute(
                "UPDATE calls SET tasks = tasks + 1, open = open + ?, cancelled = cancelled + ? WHERE call = ?",
                (not stopped, stopped, call),
            )
            return state

    def begin(self, call: str, task: str, function: str, handling: str) -> Begun:
        """A handler is about to run: whether it should. The same `handling` asked twice is one attempt."""
        with self.transaction():
            found = self._maybe(
                "SELECT state, attempts, parent, depth, handling FROM tasks WHERE call = ? AND task = ?"
                " AND receiver = ?",
                *(call, task, function),
            )
            if found is None:
                return Begun(None)
            state, attempts, parent, depth, known = found
            if state not in OPEN:
                return Begun(state, attempts, parent, depth, self._ending(call, task))
            if handling != known:
                attempts += 1
                self._db.execute(
                    "UPDATE tasks SET state = 'running', attempts = ?, handling = ?, version = ?"
                    " WHERE call = ? AND task = ?",
                    (attempts, handling, self._next(), call, task),
                )
            return Begun("running", attempts, parent, depth)

    def finish(self, call: str, task: str, kind: str | None, result: bytes | None) -> Ended:
        """It is done. Raises Refusal for a result that is too large, or would be with those of the others."""
        size = len(result or b"")
        if size > MOST_RESULT:
            raise Refusal(f"a task's result has {size:,} bytes; {MOST_RESULT:,} are allowed")
        with self.transaction():
            held = self._maybe("SELECT bytes FROM calls WHERE call = ?", call)
            if held is not None and held[0] + size > MOST_RESULTS:
                raise Refusal(f"the results of a call's tasks may have {MOST_RESULTS:,} bytes together, and no more")
            return self._end(call, task, "done", kind=kind, result=result)

    def fail(self, call: str, task: str, error: str) -> Ended:
        """It will never be done."""
        with self.transaction():
            return self._end(call, task, "failed", error=error)

    def told(self, call: str) -> None:
        """The end of the call's tasks was said."""
        with self.transaction():
            self._db.execute("UPDATE calls SET told = 1 WHERE call = ? AND last IS NOT NULL", (call,))

    def cancel(self, call: str) -> int:
        """Of the call's tasks none begins any more; how many that were. Those that run may ask (`stopped`)."""
        with self.transaction():
            waiting = self._all("SELECT position FROM tasks WHERE call = ? AND state = 'waiting'", call)
            for (position,) in waiting:
                self._db.execute(
                    "UPDATE tasks SET state = 'cancelled', ended_ns = ?, version = ? WHERE position = ?",
                    (self._clock(), self._next(), position),
                )
            self._db.execute("INSERT OR IGNORE INTO calls (call) VALUES (?)", (call,))
            self._db.execute(
                "UPDATE calls SET stopped = 1, open = open - ?, cancelled = cancelled + ? WHERE call = ?",
                (len(waiting), len(waiting), call),
            )
            return len(waiting)

    # --- questions ----------------------------------------------------------------------------------------------------

    def stopped(self, call: str) -> bool:
        """Whether somebody cancelled the call."""
        found = self._maybe("SELECT stopped FROM calls WHERE call = ?", call)
        return bool(found and found[0])

    def state(self) -> dict[str, int]:
        """Of all calls together."""
        names = ("calls", "tasks", "open", "failed", "cancelled")
        sums = "COUNT(*), " + ", ".join(f"COALESCE(SUM({name}), 0)" for name in names[1:])
        return dict(zip(names, self._one(f"SELECT {sums} FROM calls"), strict=True))  # noqa: S608 - names of ours

    def changes(self, since: int, call: str | None = None, limit: int = PAGE_TASKS) -> list[dict[str, Any]]:
        """Tasks as they are, in the order in which they became so, after version `since` (0: from the beginning)."""
        which, values = ("call = ? AND ", (call,)) if call is not None else ("", ())
        rows = self._all(
            f"SELECT {COLUMNS} FROM tasks WHERE {which}version > ? ORDER BY version LIMIT ?",  # noqa: S608
            *(*values, since, max(1, min(limit, PAGE_TASKS))),
        )
        return [dict(zip(COLUMNS.split(", "), row, strict=True)) for row in rows]

    def results(self, call: str, after: int = 0) -> tuple[list[tuple[int, str, str | None]], list[bytes]]:
        """(position, task, content type) and data of what the call's tasks left, in the order in which they were
        spawned: as many after that position as fit into one answer.
        """
        rows = self._db.execute(
            "SELECT position, task, kind, result FROM tasks WHERE call = ? AND position > ? AND result IS NOT NULL"
            " ORDER BY position",
            (call, after),
        )
        heads: list[tuple[int, str, str | None]] = []
        data: list[bytes] = []
        size = 0
        for position, task, kind, result in rows:
            if heads and (size + len(result) > PAGE_BYTES or len(heads) == PAGE_TASKS):
                break
            heads.append((position, task, kind))
            data.append(result)
            size += len(result)
        return heads, data

    def forget(self, call: str) -> None:
        """Everything of a call."""
        with self.transaction():
            for table in ("calls", "edges", "tasks", "joins", "parts"):
                self._db.execute(f"DELETE FROM {table} WHERE call = ?", (call,))  # noqa: S608 - names of ours

    # --- inside -------------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled back by itself where the file is full
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _admit(self, call: str, function: str, to: str, most: int) -> bool:
        """Count one more task of an edge; whether the call was cancelled. Raises Refusal."""
        self._db.execute("INSERT OR IGNORE INTO calls (call) VALUES (?)", (call,))
        stopped, last = self._one("SELECT stopped, last FROM calls WHERE call = ?", call)
        if last is not None and not stopped:
            raise Refusal("all tasks of this call have ended; another one cannot be spawned")
        known = self._maybe(
            "SELECT tasks FROM edges WHERE call = ? AND function = ? AND receiver = ?", call, function, to
        )
        if known is not None and known[0] >= most:
            raise Refusal(
                f"the edge from {function} to {to} allows {most:,} tasks of a call (`tasks: {most}`), and that many"
                " were spawned"
            )
        self._db.execute(
            "INSERT INTO edges VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET tasks = tasks + 1", (call, function, to)
        )
        return bool(stopped)

    def _end(
        self,
        call: str,
        task: str,
        state: State,
        *,
        kind: str | None = None,
        result: bytes | None = None,
        error: str | None = None,
    ) -> Ended:
        found = self._maybe("SELECT state FROM tasks WHERE call = ? AND task = ?", call, task)
        if found is None:
            raise Refusal(f"no task {task} of call {call} is known")
        if found[0] not in OPEN:
            return Ended(found[0], False, self._ending(call, task))
        self._db.execute(
            "UPDATE tasks SET state = ?, ended_ns = ?, kind = ?, result = ?, error = ?, version = ?"
            " WHERE call = ? AND task = ?",
            (state, self._clock(), kind, result, error, self._next(), call, task),
        )
        self._db.execute(
            "UPDATE calls SET open = open - 1, failed = failed + ?, bytes = bytes + ? WHERE call = ?",
            (state == "failed", len(result or b""), call),
        )
        return Ended(state, True, self._ending(call, task))

    def _ending(self, call: str, task: str) -> Ending | None:
        """That no task is left, if it is this one's to say: the last one's, or the first that asks where all were
        cancelled."""
        opened, last, told, tasks, failed, cancelled = self._one(
            "SELECT open, last, told, tasks, failed, cancelled FROM calls WHERE call = ?", call
        )
        if opened or told or last not in (None, task):
            return None
        if last is None:
            self._db.execute("UPDATE calls SET last = ? WHERE call = ?", (task, call))
        return Ending(tasks, failed, cancelled)

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _one(self, query: str, *values: Any) -> Any:
        return self._db.execute(query, values).fetchone()

    _maybe = _one  # None where there is no such row

    def _all(self, query: str, *values: Any) -> Sequence[Any]:
        return self._db.execute(query, values).fetchall()
