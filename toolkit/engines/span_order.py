"""Any number of spans in one order: trace by trace, each span once. What does not fit in memory waits on disk.

May live here: that order, so that the same spans give the same bytes wherever they come from. May not: reading and
writing spans.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from toolkit.traces import zipkin

_CACHE_KIB = 32 << 10
_ROWS_AT_ONCE = 1000


@contextlib.contextmanager
def ordered() -> Iterator[Order]:
    """A place to put spans in, whose file has no name and ends with it."""
    with contextlib.closing(sqlite3.connect("")) as database:
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE spans (trace TEXT, at INTEGER, id TEXT, text TEXT)")
        yield Order(database)


class Order:
    """Spans in Zipkin's normal form go in in any order, and come out by trace, time, id and text."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._waiting: list[tuple[str, int, str, str]] = []

    def add(self, spans: Iterable[dict[str, Any]]) -> None:
        for span in spans:
            self._waiting.append((span["traceId"], span.get("timestamp", 0), span["id"], zipkin.text(span)))
            if len(self._waiting) >= _ROWS_AT_ONCE:
                self._write()

    def _write(self) -> None:
        self._database.executemany("INSERT INTO spans VALUES (?, ?, ?, ?)", self._waiting)
        self._waiting.clear()

    def texts(self) -> Iterator[str]:
        """Each span once, as JSON."""
        self._write()
        rows = self._database.execute("SELECT text FROM spans ORDER BY trace, at, id, text")
        before = ""
        for (text,) in rows:
            if text != before:
                yield text
            before = text
