"""Layers as tars: the same entries, the same bytes, whatever the machine thinks of times, owners and umasks."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Protocol, cast

from toolkit.images.entries import Entry
from toolkit.images.model import AT_ONCE, ImageError

COMPRESSION = 6
_TYPES = {"folder": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "same": tarfile.LNKTYPE}


class Sink(Protocol):
    """Whatever takes bytes."""

    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> object: ...


class Digest:
    """A sink that keeps of what is written the hash and the length, and hands it on to `behind`, if any."""

    def __init__(self, behind: Sink | None = None) -> None:
        self._hash, self._behind, self.size = hashlib.sha256(), behind, 0

    def write(self, data: bytes, /) -> int:
        self._hash.update(data)
        self.size += len(data)
        if self._behind is not None:
            self._behind.write(data)
        return len(data)

    def flush(self) -> None: ...

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def write_tar(entries: Iterable[Entry], out: Sink, epoch: int) -> None:
    """Writes the entries to `out` in their order, each owned by root and as old as `epoch` (seconds since 1970)."""
    # PAX: the one format that every reader takes and that has no limit on names and sizes.
    options: dict[str, Any] = {"format": tarfile.PAX_FORMAT, "encoding": "utf-8", "errors": "surrogateescape"}
    with tarfile.open(fileobj=cast(IO[bytes], out), mode="w|", bufsize=AT_ONCE, **options) as tar:
        for entry in entries:
            _add(tar, entry, epoch)


def compressed(out: Sink) -> gzip.GzipFile:
    """A gzip stream into `out` without a name and a time."""
    return gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=out, mtime=0)


def _add(tar: tarfile.TarFile, entry: Entry, epoch: int) -> None:
    info = tarfile.TarInfo(_text(entry.path))
    info.type, info.mode, info.mtime, info.linkname = _TYPES[entry.kind], entry.mode, epoch, _text(entry.target)
    if entry.kind != "file":
        tar.addfile(info)
    elif isinstance(entry.content, Path):
        _add_file(tar, info, entry.content)
    else:
        data = entry.content if isinstance(entry.content, bytes) else entry.content()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _text(name: str) -> str:
    """A name of this machine's as one of UTF-8, whatever the locale thinks its bytes are."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _add_file(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    try:
        with path.open("rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            tar.addfile(info, file)
    except PermissionError as error:
        raise ImageError(f"{path} cannot be read: permission denied", next_step="run it as a user who can") from error
    except FileNotFoundError as error:
        raise ImageError(f"{path} went away while it was read", next_step="run it again") from error
