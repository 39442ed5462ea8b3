"""Rows on their way to a disk that may be slow or full, while a load runs that must not wait for it.

May live here: writing packed rows behind the load's back. May not: what a row means (`toolkit.columns`), reading them.

A thread of its own writes, so that a disk that makes it wait makes nobody else wait: the interpreter's lock is released
meanwhile. What waits to be written is bounded: beyond that the load waits, is late, and says so.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from pathlib import Path

from toolkit.columns import ROW

BATCH = 1024 * ROW.size  # bytes that are written at once
WAITING = 1024  # batches at most: 64 MiB


class RowFile:
    """Rows that are appended to a new file at `path`. To be closed; then `trouble` says why some are missing, if so."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.trouble: str | None = None
        self._rows = bytearray()
        self._waiting: queue.Queue[bytearray | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._write_all, name="rows", daemon=True)
        self._thread.start()

    def append(self, row: bytes) -> None:
        self._rows += row
        if len(self._rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Whatever is there is on its way to the file. Does not wait for it."""
        if self._rows:
            self._waiting.put(self._rows)
            self._rows = bytearray()

    def close(self) -> None:
        """Returns once everything is in the file, or cannot be."""
        self.flush()
        self._waiting.put(None)
        self._thread.join()
        with contextlib.suppress(OSError):  # what was written is told by `trouble`; nothing depends on this
            os.close(self._file)

    def _write_all(self) -> None:
        while (rows := self._waiting.get()) is not None:
            if self.trouble is None:
                self._write(rows)

    def _write(self, rows: bytearray) -> None:
        left = memoryview(rows)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            self.trouble = error.strerror or str(error)
