"""A base that is a folder: the root file system as one layer. Owners and times are dropped, modes are kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.images.entries import Entry, listed
from toolkit.images.model import ImageError, Note
from toolkit.images.tree import Node, Tree

_PYC_HEADER = 16  # magic, flags, then the source's time and size (PEP 552)


def entries(root: Path, epoch: int, note: Note) -> list[Entry]:
    """Everything below `root`, in an order that names decide. Devices, sockets and what is mounted there are left out,
    and told.

    Raises UsageError when `root` is the machine's own root, ImageError when something cannot be read.
    """
    if root.resolve() == Path("/"):
        raise UsageError(f"{root} is this machine's own root, no base", next_step="name the folder of a small rootfs")
    try:
        return list(_below(root, "", root.stat().st_dev, epoch, note, {}))
    except OSError as error:
        raise ImageError(
            f"{error.filename} cannot be read: {error.strerror}", next_step="run it as its owner"
        ) from error


def tree_of(found: list[Entry]) -> Tree:
    """The same entries as names to look Python up in."""
    return Tree({entry.path: _node(entry) for entry in found})


def _node(entry: Entry) -> Node:
    if entry.kind == "folder":
        return Node("folder")
    if entry.kind == "file":
        return Node("file", read=partial(_first, entry))
    return Node("link", entry.target if entry.kind == "link" else f"/{entry.target}")


def _first(entry: Entry, limit: int) -> bytes:
    if not isinstance(entry.content, Path):
        return entry.content[:limit] if isinstance(entry.content, bytes) else entry.content()[:limit]
    with entry.content.open("rb") as file:
        return file.read(limit)


def _below(
    folder: Path, below: str, device: int, epoch: int, note: Note, seen: dict[tuple[int, int], str]
) -> Iterator[Entry]:
    for each in listed(folder):
        found, path = each.stat(follow_symlinks=False), f"{below}{each.name}"
        mode = stat.S_IMODE(found.st_mode)
        if each.is_symlink():
            yield Entry(path, "link", 0o777, target=str(Path(each.path).readlink()))
        elif each.is_dir():
            yield Entry(path, "folder", mode)
            if found.st_dev == device:
                yield from _below(Path(each.path), f"{path}/", device, epoch, note, seen)
            else:
                note(f"base: /{path} is another file system, left empty")
        elif each.is_file():
            yield _file(Path(each.path), path, mode, found, epoch, seen)
        else:
            note(f"base: /{path} is a device, a pipe or a socket, left out")


def _file(
    source: Path, path: str, mode: int, found: os.stat_result, epoch: int, seen: dict[tuple[int, int], str]
) -> Entry:
    if found.st_nlink > 1:
        first = seen.setdefault((found.st_dev, found.st_ino), path)
        if first != path:
            return Entry(path, "same", mode, target=first)
    if source.suffix == ".pyc":
        return Entry(path, "file", mode, partial(_timeless, source, epoch))
    return Entry(path, "file", mode, source)


def _timeless(pyc: Path, epoch: int) -> bytes:
    """Byte code that names its source's time, told the time its source has in the layer.

    Without it no cached byte code of the base would be used: a read-only container would compile Python's library anew
    at every start.
    """
    data = pyc.read_bytes()
    source = pyc.parent.parent / f"{pyc.name.partition('.')[0]}.py"
    if len(data) < _PYC_HEADER or data[4:8] != bytes(4) or not source.is_file():
        return data
    current = int(source.stat().st_mtime) & 0xFFFFFFFF
    if int.from_bytes(data[8:12], "little") != current:
        return data  # it was out of date before
    return data[:8] + (epoch & 0xFFFFFFFF).to_bytes(4, "little") + data[12:]
