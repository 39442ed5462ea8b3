"""Whose file it is: nothing but a store's own is opened to be written, and by one store at a time.

May live here: looking at a file before it is touched, locking it, and connections to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO

from toolkit.engines.tracestore.reading import NEXT
from toolkit.errors import EngineError

APPLICATION = 0x6B6E7473  # `PRAGMA application_id` of our files
VERSION = 1
CACHE_KIB = 32 << 10
_LEAST = 512  # bytes of any SQLite database: one page


def resolved(path: Path) -> Path:
    """The file itself: a lock and a log beside a link to it would be another store's. Raises EngineError."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise EngineError(f"{path} cannot be opened: {error}", next_step=NEXT) from error


def check(path: Path, *, must_exist: bool = False) -> None:
    """Refuses what is no store's file, and only looks at it. Raises EngineError.

    SQLite does the looking: were the file opened and closed beside it, a store of this very process would lose its
    locks (POSIX drops all locks of a process when it closes any descriptor of the file).
    """
    if not path.exists() and not must_exist and path.parent.is_dir():
        return
    try:
        told = path.stat()
    except OSError as error:
        raise EngineError(f"{path} cannot be opened: {error.strerror}", next_step=NEXT) from error
    if not path.is_file():
        raise EngineError(f"{path} is no regular file", next_step=NEXT)
    if told.st_nlink > 1:
        raise EngineError(
            f"{path} has {told.st_nlink} names (hard links): the log of a store lies beside one of them",
            next_step=f"keep one of the names, or {NEXT}",
        )
    if told.st_size:
        _check_owner(path, told.st_size)


def _check_owner(path: Path, size: int) -> None:
    if size < _LEAST:
        raise _something_else(path)
    said = _said(path, "immutable=1")  # what the head of the file says, without a look at the log
    if said is None or said[0] == 0:
        said = _said(path, "mode=ro")
    if said is None:
        raise EngineError(f"{path} cannot be read", next_step=NEXT)
    application, version, empty = said
    if application == 0 and empty:  # whoever began to make it was killed
        return
    if application != APPLICATION:
        raise EngineError(f"{path} is no trace store: it is a database of another program", next_step=NEXT)
    if version > VERSION:
        raise EngineError(
            f"{path} was written by a newer version (its form is {version}, this one knows {VERSION})",
            next_step=f"use that version, or {NEXT}",
        )


def _said(path: Path, how: str) -> tuple[int, int, bool] | None:
    """Whose the file is, its version, and whether nothing is in it; None when that cannot be told so."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if application:
                return application, version, False
            return 0, version, connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise _something_else(path) from error
        if how == "immutable=1":  # a store may be writing it at this moment
            return None
        raise EngineError(f"{path} cannot be used: {error}", next_step=NEXT) from error


def _something_else(path: Path) -> EngineError:
    return EngineError(
        f"{path} is no trace store: it holds something else",
        next_step=f"{NEXT}; spans that an earlier version kept as lines of JSON come in by 'toolkit trace import'",
    )


def lock_path(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def take(path: Path) -> IO[bytes]:
    """A file beside it is locked: closing a descriptor of the database itself would drop SQLite's own locks."""
    beside = lock_path(path)
    try:
        while True:
            file = beside.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if beside.exists() and beside.stat().st_ino == _inode(file):
                    return file
            except BaseException:
                file.close()
                raise
            file.close()  # whoever had it has just left, and took it away
    except BlockingIOError as error:
        raise EngineError(f"{path} belongs to a store that is running", next_step=NEXT) from error
    except OSError as error:
        raise EngineError(f"{path} cannot be opened: {error.strerror}", next_step=NEXT) from error


def _inode(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_ino


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise EngineError(f"{path} cannot be used: {error}", next_step=NEXT) from error
    return connection
