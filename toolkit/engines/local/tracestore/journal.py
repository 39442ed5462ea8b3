"""The file behind a store: one accepted span a line (Zipkin v2 JSON), appended as spans come, read back at the start.

May live here: that one file. It is NDJSON, so `jq` and `grep` read it. One store has it at a time; a line that was torn
by a crash is dropped, and said; a file that is something else is never written to.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.engines.local.tracestore.memory import Memory
from toolkit.errors import EngineError
from toolkit.traces import zipkin

_LINES_AT_ONCE = 1000
_NEXT = "give --store a path of its own"


class Journal:
    """The open file; made by `open_journal`."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path

    def append(self, texts: Sequence[str]) -> None:
        """Write these spans to the file; raises EngineError when the disk does not take them."""
        try:
            self._file.write("".join(f"{text}\n" for text in texts).encode())
            self._file.flush()
        except OSError as error:
            raise EngineError(f"{self._path} cannot be written: {error.strerror}", next_step=_NEXT) from error

    def close(self) -> None:
        self._file.close()


def open_journal(path: Path, memory: Memory, on_warning: Callable[[str], None]) -> Journal:
    """Open or make the file at `path`, put its spans into `memory`, and stand at its end.

    Raises EngineError when the file cannot be had, another store has it, or it holds something else than spans.
    """
    try:
        file = path.open("a+b")
    except OSError as error:
        raise EngineError(f"{path} cannot be opened: {error.strerror}", next_step=_NEXT) from error
    try:
        _lock(file, path)
        _read(file, path, memory, on_warning)
    except BaseException:
        file.close()
        raise
    return Journal(file, path)


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise EngineError(f"{path} belongs to a store that is running", next_step=_NEXT) from error


def _read(file: BinaryIO, path: Path, memory: Memory, on_warning: Callable[[str], None]) -> None:
    file.seek(0)
    at = line = 0
    while lines := list(islice(file, _LINES_AT_ONCE)):
        torn = b"" if lines[-1].endswith(b"\n") else lines.pop()
        memory.add(_spans(path, line, lines))
        at, line = at + sum(map(len, lines)), line + len(lines)
        if torn:
            if not line and not torn.startswith(b'{"traceId":"'):
                raise EngineError(f"{path} holds no spans: it is not the file of a trace store", next_step=_NEXT)
            file.truncate(at)
            on_warning(f"{path}: the last line ({len(torn)} bytes) was torn and is dropped; {line} spans were read")


def _spans(path: Path, before: int, lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, before + 1):
        try:
            yield from zipkin.normalised(b"[" + line + b"]")
        except zipkin.ZipkinError as error:
            raise EngineError(f"{path}:{number}: not a span: {error.reason}", next_step=_NEXT) from error
