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
_MAGIC = b"SQLite format 3\0"


def check(path: Path, *, must_exist: bool = False) -> None:
    """Refuses what is no store's file, and only looks at it. Raises EngineError."""
    if not path.exists() and not must_exist and path.parent.is_dir():
        return
    try:
        if path.exists() and not path.is_file():
            raise EngineError(f"{path} is no regular file", next_step=NEXT)
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise EngineError(f"{path} cannot be opened: {error.strerror}", next_step=NEXT) from error
    if not head:
        return
    if not head.startswith(_MAGIC):
        raise EngineError(
            f"{path} is no trace store: it holds something else",
            next_step=f"{NEXT}; spans that an earlier version kept as lines of JSON come in by 'toolkit trace import'",
        )
    _check_owner(path, application=int.from_bytes(head[68:72]), version=int.from_bytes(head[60:64]))


def _check_owner(path: Path, *, application: int, version: int) -> None:
    """`application` and `version` are what the head of the file says; while it says nothing, the log may."""
    if application == 0:
        with contextlib.closing(connect(path, read_only=True)) as connection:
            try:
                application = connection.execute("PRAGMA application_id").fetchone()[0]
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
            except sqlite3.Error as error:
                raise EngineError(f"{path} cannot be used: {error}", next_step=NEXT) from error
        if application == 0 and empty:  # whoever began to make it was killed
            return
    if application != APPLICATION:
        raise EngineError(f"{path} is no trace store: it is a database of another program", next_step=NEXT)
    if version > VERSION:
        raise EngineError(
            f"{path} was written by a newer version (its form is {version}, this one knows {VERSION})",
            next_step=f"use that version, or {NEXT}",
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
