"""A folder as a store: for functions of one machine, and replicas that share a volume.

May live here: files. May not: where the folder is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from toolkit.sdk.transfers.store import TransferFailed, missing, parts, resized

NAME = "file"
P = ParamSpec("P")
T = TypeVar("T")


class FileStore:
    """Files that only their owner reads, whole as soon as they have their name. Not synced: a run outlives no crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, data: bytes) -> None:
        await _in_thread(key, _write, self._folder, self._path(key), data)

    async def get(self, key: str, size: int) -> bytes:
        return await _in_thread(key, _read, self._path(key), key, size)

    async def delete(self, key: str) -> None:
        await _in_thread(key, self._path(key).unlink, missing_ok=True)

    async def delete_prefix(self, prefix: str) -> int:
        return await _in_thread(prefix, _remove, self._path(prefix))

    async def close(self) -> None: ...

    def _path(self, key: str) -> Path:
        segments = parts(key)
        if segments is None:
            raise TransferFailed("INVALID_ARGUMENT", NAME, key, "this is no key")
        return self._folder.joinpath(*segments)


async def _in_thread(key: str, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(work, *arguments, **named)
    except FileNotFoundError:
        raise missing(NAME, key) from None
    except OSError as error:
        code = "RESOURCE_EXHAUSTED" if error.errno in _FULL else "UNAVAILABLE"
        raise TransferFailed(code, NAME, key, error.strerror or type(error).__name__) from error


_FULL = (28, 122)  # ENOSPC, EDQUOT


def _write(folder: Path, path: Path, data: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".")  # 0600
    try:
        with open(number, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
        os.replace(unfinished, path)  # noqa: PTH105 - of a name
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)  # noqa: PTH108 - of a name
        raise


def _read(path: Path, key: str, size: int) -> bytes:
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(number, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        if (there := os.fstat(number).st_size) != size:
            raise resized(NAME, key, there, size)
        return file.read()


def _remove(folder: Path) -> int:
    count = sum(1 for path in folder.rglob("*") if path.is_file())
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    return count
