"""What goes into a layer: entries, and how they are gathered from a folder. Reads names and modes, no contents."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Kind = Literal["folder", "file", "link", "same"]  # `link` is a symbolic one, `same` a hard one
FOLDER_MODE, FILE_MODE, PROGRAM_MODE = 0o755, 0o644, 0o755


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a layer. `path` is relative to the root, with slashes and no dots; `target` is where links point.

    The content of a file is a path to read it from, the bytes themselves, or what makes them when they are needed.
    There is no owner and no time: every entry belongs to root, and all have the one time of the build.
    """

    path: str
    kind: Kind
    mode: int
    content: Path | bytes | Callable[[], bytes] = b""
    target: str = ""


def of_folder(folder: Path, into: str, wanted: Callable[[str], bool]) -> Iterator[Entry]:
    """The files below `folder` as entries below `into`, modes reduced to 0644 and 0755; `wanted` judges relative paths.

    Symbolic links are followed for files; folders come with the first file they hold.
    """
    for path in _files(folder, "", wanted):
        found = folder / path
        mode = PROGRAM_MODE if found.stat().st_mode & stat.S_IXUSR else FILE_MODE
        yield Entry(f"{into}/{path}", "file", mode, found)


def _files(folder: Path, below: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    for each in listed(folder):
        path = f"{below}{each.name}"
        if not wanted(path):
            continue
        if each.is_dir(follow_symlinks=False):
            yield from _files(folder / each.name, f"{path}/", wanted)
        elif each.is_file():
            yield path


def listed(folder: str | Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, in the order of the names' bytes, which no locale changes."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: os.fsencode(entry.name))


def with_folders(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, sorted, with an entry for each folder above them that has none."""
    found = {entry.path: entry for entry in entries}
    for path in list(found):
        for above in list(PurePosixPath(path).parents)[:-1]:
            found.setdefault(str(above), Entry(str(above), "folder", FOLDER_MODE))
    return [found[path] for path in sorted(found, key=os.fsencode)]
