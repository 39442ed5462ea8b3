"""Rows of a load that a test looks at, as they were packed."""

from __future__ import annotations

from typing import NamedTuple

from toolkit.columns import ROW


class Row(NamedTuple):
    seq: int
    due: int
    sent: int
    first: int
    done: int
    completed: int
    size: int
    reply_size: int
    instance: int
    status: int
    flags: int
    messages: int


class Kept:
    """Takes rows, as `rowfile.RowFile` does, and shows them in the order of the load."""

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, row: bytes) -> None:
        self._data += row

    def flush(self) -> None:
        """Nothing waits here."""

    def rows(self) -> list[Row]:
        return sorted(Row(*each) for each in ROW.iter_unpack(self._data))
