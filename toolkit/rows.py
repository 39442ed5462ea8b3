"""Rows of calls (`toolkit.columns`) as files: what generators leave, and the one `calls.npy` of a run.

May live here: reading them as memory maps, putting them together. May not: what is computed from them (`measure`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.columns import DTYPE, LOST, ROW
from toolkit.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.void]

PIECE = 1 << 18  # rows that are copied at once: 16 MiB
_MAGIC = b"\x93NUMPY\x01\x00"  # numpy's own format, version 1.0 (numpy.lib.format)


@dataclass(frozen=True, slots=True)
class Part:
    """A generator's rows, in the order in which calls ended, and the table that their `status` points into."""

    path: Path
    statuses: Sequence[str] = ("OK",)


def raw(path: Path) -> Rows:
    """The rows of a generator's file; one that was cut off in the middle of a row ends before it."""
    import numpy as np

    count = path.stat().st_size // ROW.size if path.exists() else 0
    if count == 0:
        return np.empty(0, DTYPE)
    return np.memmap(path, DTYPE, "r", shape=(count,))


def read(path: Path) -> Rows:
    """The rows of a `calls.npy`, as a memory map. Raises UsageError when the file is missing or something else."""
    import numpy as np

    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise UsageError(f"{path}: no rows of calls: {error}", next_step="give the folder of a run") from error
    if found.dtype != np.dtype(DTYPE) or found.ndim != 1:
        raise UsageError(f"{path}: no rows of calls", next_step="give the folder of a run")
    rows: Rows = found
    return rows


def merge(parts: Sequence[Part], into: Path) -> Sequence[str]:
    """Writes all rows into a new `.npy` file, in the order of the load; the statuses that its rows point into."""
    import numpy as np

    statuses = together([part.statuses for part in parts])
    files = [raw(part.path) for part in parts]
    codes = [_codes(part.statuses, statuses) for part in parts]
    whose = np.repeat(np.arange(len(files), dtype=np.uint8), [len(each) for each in files])
    where = np.concatenate([np.arange(len(each), dtype=np.int32) for each in files] or [np.empty(0, np.int32)])
    order = np.argsort(np.concatenate([each["seq"] for each in files] or [np.empty(0, np.int64)]), kind="stable")
    with into.open("xb") as file:
        file.write(header(len(order)))
        for piece in _pieces(order):
            rows = np.empty(len(piece), DTYPE)
            for at, each in enumerate(files):
                mine = whose[piece] == at
                taken = np.asarray(each[where[piece[mine]]])
                taken["status"] = codes[at][taken["status"]]
                rows[mine] = taken
            file.write(rows.tobytes())
    return statuses


def together(tables: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """One table of statuses for rows of several."""
    return tuple(dict.fromkeys(["OK", *(name for table in tables for name in table)]))[:LOST]


def _codes(own: Sequence[str], all_of_them: Sequence[str]) -> NDArray[np.uint8]:
    """The common place of each own place; what is in no table stays LOST."""
    import numpy as np

    codes = np.full(256, LOST, np.uint8)
    for at, name in enumerate(own[:LOST]):
        codes[at] = all_of_them.index(name) if name in all_of_them else len(all_of_them) - 1
    return codes


def _pieces(order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(order), PIECE):
        yield order[start : start + PIECE]


def header(count: int) -> bytes:
    """What stands before so many rows in a `.npy` file."""
    text = f"{{'descr': {DTYPE!r}, 'fortran_order': False, 'shape': ({count},), }}"
    padding = -(len(_MAGIC) + 2 + len(text) + 1) % 64
    told = text.encode() + b" " * padding + b"\n"
    return _MAGIC + len(told).to_bytes(2, "little") + told
