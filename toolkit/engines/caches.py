"""Folders of the user's cache out of which code is run: made for this user alone, and refused where others could write.

A cache may be shared (`XDG_CACHE_HOME`), and whoever may write there decides what the next run executes. May not live
here: what a folder holds (`requirements`, `programs`).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from toolkit.errors import EngineError

_OURS_ALONE = 0o700
_LEVELS = 3  # `kn-bench`, what it is a cache of, and one folder of that


def made(folder: Path) -> None:
    """Makes `…/kn-bench/KIND` where it is not there. Raises EngineError and OSError."""
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        each.mkdir(mode=_OURS_ALONE, exist_ok=True)
        _see_that_it_is_ours(each)


def holds(place: Path) -> bool:
    """Whether `…/kn-bench/KIND/NAME` is there. Raises EngineError where somebody else may have written it."""
    try:
        for each in reversed((place, *place.parents[: _LEVELS - 1])):
            _see_that_it_is_ours(each)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise EngineError(f"{place} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return True


def _see_that_it_is_ours(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        problem, cure = "is no folder" + (" but a link" if stat.S_ISLNK(found.st_mode) else ""), f"move {folder} away"
    elif found.st_uid != os.getuid():
        problem, cure = f"belongs to another user (uid {found.st_uid})", "have its owner take it away"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem, cure = "can be written by others", f"delete it if somebody may have, else run 'chmod go-w {folder}'"
    else:
        return
    raise EngineError(
        f"{folder} {problem}, and nothing that somebody else may have put there is run",
        next_step=f"{cure}; or name a folder of your own in XDG_CACHE_HOME",
    )
