from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from toolkit import rows
from toolkit.columns import DTYPE, FIELDS, LOST, ROW
from toolkit.errors import UsageError
from toolkit.load.rowfile import BATCH, RowFile


def row(seq: int, status: int = 0) -> bytes:
    return ROW.pack(seq, seq * 10, seq * 10 + 1, seq * 10 + 2, seq * 10 + 3, 0, 5, 6, 0, status, 0, 0)


def write(path: Path, *each: bytes) -> Path:
    file = RowFile(path)
    for one in each:
        file.append(one)
    file.close()
    assert file.trouble is None
    return path


def test_a_packed_row_is_an_arrays_row() -> None:
    values = tuple(range(1, len(FIELDS) + 1))
    (found,) = np.frombuffer(ROW.pack(*values), DTYPE)
    assert tuple(found) == values


def test_rows_of_several_files_become_one_array_in_the_order_of_the_load(tmp_path: Path) -> None:
    first = write(tmp_path / "0", row(4), row(0), row(2, status=1))
    second = write(tmp_path / "1", row(1, status=1), row(3, status=LOST), row(5, status=2))
    parts = [rows.Part(first, ("OK", "ABORTED")), rows.Part(second, ("OK", "NOT_FOUND", "ABORTED"))]
    statuses = rows.merge(parts, tmp_path / "calls.npy")
    found = np.load(tmp_path / "calls.npy", mmap_mode="r")
    assert isinstance(found, np.memmap)
    assert found["seq"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found["due_ns"].tolist() == [0, 10, 20, 30, 40, 50]
    names = [statuses[code] if code != LOST else "LOST" for code in found["status"].tolist()]
    assert names == ["OK", "NOT_FOUND", "ABORTED", "LOST", "OK", "ABORTED"]
    assert rows.read(tmp_path / "calls.npy").tolist() == found.tolist()


def test_a_row_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "0"
    path.write_bytes(row(0) + row(1)[:40])
    assert rows.raw(path)["seq"].tolist() == [0]
    assert len(rows.raw(tmp_path / "nobody")) == 0


def test_no_rows_are_an_empty_array(tmp_path: Path) -> None:
    rows.merge([rows.Part(write(tmp_path / "0"))], tmp_path / "calls.npy")
    assert len(rows.read(tmp_path / "calls.npy")) == 0


@pytest.mark.parametrize("count", [0, 1, 7, 5_000_000, 10**15])
def test_the_header_is_numpys_own(count: int) -> None:
    data = rows.header(count)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(_after_magic(data))
    assert (shape, fortran, dtype) == ((count,), False, np.dtype(DTYPE))
    assert len(data) % 64 == 0


def _after_magic(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    assert np.lib.format.read_magic(file) == (1, 0)
    return file


@pytest.mark.parametrize("data", [b"", b"x", b"\x93NUMPY\x01\x00", rows.header(5) + b"short", "ä".encode() * 100])
def test_what_is_no_array_of_rows_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "calls.npy").write_bytes(data)
    with pytest.raises(UsageError, match="no rows of calls"):
        rows.read(tmp_path / "calls.npy")


def test_another_array_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.arange(5))
    with pytest.raises(UsageError, match="no rows of calls"):
        rows.read(tmp_path / "other.npy")
    with pytest.raises(UsageError, match="cannot be read"):
        rows.read(tmp_path / "nobody.npy")


def test_rows_that_wait_are_a_batch_at_most(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "0")
    for seq in range(3 * BATCH // ROW.size + 5):
        file.append(row(seq))
    file.close()
    assert (tmp_path / "0").stat().st_size == 3 * BATCH + 5 * ROW.size


def test_a_file_of_rows_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "0", row(0))
    with pytest.raises(FileExistsError):
        RowFile(tmp_path / "0")
