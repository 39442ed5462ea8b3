"""The file behind a store: one accepted span a line (Zipkin v2 JSON), appended as spans come, read back at the start.

May live here: that one file. It is NDJSON, so `jq` and `grep` read it. One store has it at a time; a line that was torn
by a crash is dropped, and said; a file that is something else is never written to.
"""

from __future__ import annotations

import contextlib
import fcntl
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import FileIO
from itertools import islice
from pathlib import Path

from toolkit.engines.tracestore.memory import Fields, Memory
from toolkit.errors import EngineError
from toolkit.traces import zipkin

_LINES_AT_ONCE = 1000
_LONGEST = 256 << 20  # bytes of one line; a request has 16 MiB, of which JSON makes seven times as many at most
_NEXT = "give --store a path of its own"


class Journal:
    """The open file; made by `open_journal`. `size` is where its last whole line ends."""

    def __init__(self, file: FileIO, path: Path, size: int) -> None:
        self._file, self._path, self._size = file, path, size

    def append(self, texts: Iterable[str]) -> None:
        """Write these spans to the file, all or none; raises EngineError when the disk does not take them."""
        data = memoryview("".join(f"{text}\n" for text in texts).encode())
        written = 0
        try:
            while written < len(data):
                written += self._file.write(data[written:]) or 0
        except OSError as error:
            with contextlib.suppress(OSError):  # a line that stays torn is dropped by whoever reads it
                self._file.truncate(self._size)
            raise EngineError(f"{self._path} cannot be written: {error.strerror}", next_step="make room") from error
        self._size += written

    def close(self) -> None:
        self._file.close()


def open_journal(path: Path, memory: Memory, on_warning: Callable[[str], None]) -> Journal:
    """Open or make the file at `path`, put its spans into `memory`, and stand at its end.

    Raises EngineError when the file cannot be had, another store has it, or it holds something else than spans.
    """
    try:
        file = FileIO(path, "a+")
    except OSError as error:
        raise EngineError(f"{path} cannot be opened: {error.strerror}", next_step=_NEXT) from error
    try:
        _take(file, path)
        return Journal(file, path, _read(file, path, memory, on_warning))
    except BaseException:
        file.close()
        raise


def _take(file: FileIO, path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise EngineError(f"{path} is no regular file", next_step=_NEXT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise EngineError(f"{path} belongs to a store that is running", next_step=_NEXT) from error


def _read(file: FileIO, path: Path, memory: Memory, on_warning: Callable[[str], None]) -> int:
    """The size of the file's whole lines, which `memory` has now; what is torn behind them is cut off."""
    size = count = 0
    with path.open("rb") as reading:
        lines = iter(lambda: reading.readline(_LONGEST), b"")
        while chunk := list(islice(lines, _LINES_AT_ONCE)):
            torn = b"" if chunk[-1].endswith(b"\n") else chunk.pop()
            memory.add(memory.unknown(_spans(path, count, chunk)))
            size, count = size + sum(map(len, chunk)), count + len(chunk)
            if torn:
                _drop(file, path, size, count, torn)
                on_warning(
                    f"{path}: the last line ({len(torn)} bytes) was torn and is dropped; {count} spans were read"
                )
    return size


def _drop(file: FileIO, path: Path, size: int, count: int, torn: bytes) -> None:
    if len(torn) == _LONGEST or not (count or torn.startswith(b'{"traceId":"')):
        raise EngineError(f"{path} holds no spans: it is not the file of a trace store", next_step=_NEXT)
    file.truncate(size)


def _spans(path: Path, before: int, lines: Sequence[bytes]) -> Iterator[Fields]:
    for number, line in enumerate(lines, before + 1):
        try:
            (span,) = zipkin.normalised(b"[" + line + b"]")
        except zipkin.ZipkinError as error:
            raise EngineError(f"{path}:{number}: not a span: {error.reason}", next_step=_NEXT) from error
        except ValueError as error:  # none, or several
            raise EngineError(f"{path}:{number}: not one span a line", next_step=_NEXT) from error
        yield span
