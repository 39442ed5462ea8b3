"""A store's file for those who analyse it, whether its store is running or not.

May live here: reading it trace by trace. Nothing is written, and no more than one block of traces is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toolkit.engines.tracestore import normal
from toolkit.engines.tracestore.database import open_reader
from toolkit.engines.tracestore.reading import Reader
from toolkit.traces.model import Span


class TraceFile:
    """An open file; made by `open`, and a context manager that closes it. Its methods raise EngineError when the file
    cannot be read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @classmethod
    def open(cls, path: Path) -> TraceFile:
        """The store's file at `path`. Raises EngineError when it is not there, or is something else."""
        return cls(open_reader(path))

    def __enter__(self) -> TraceFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()

    def traces(self) -> Iterator[list[Span]]:
        """Every trace that is there now, the oldest first; what a running store takes meanwhile may be missing."""
        for joined in self.texts():
            yield [normal.span(each) for each in normal.stored(joined)]

    def texts(self) -> Iterator[bytes]:
        """The same as JSON: a trace's spans in Zipkin's normal form, with commas between them."""
        for number in self._reader.numbers():
            with self._reader.snapshot():
                block = self._reader.block(number)
            for trace in block.living() if block is not None else ():
                yield trace.text()
