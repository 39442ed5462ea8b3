"""How a command in another terminal finds the ledger of what runs on this machine.

A deployment leaves a note in its work folder, which nobody else may read (the URL holds the ledger's token), and which
goes with it however it ends. The folder for temporary files is everybody's: whatever is not ours there is passed over.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PREFIX, NOTE = "toolkit-", "ledger.json"
MOST_BYTES = 64 << 10
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would keep us waiting
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Announced:
    """A deployment of this user's with a ledger. `since_ns` is when it began (wall clock)."""

    chain: str
    run: str
    ledger: str
    since_ns: int


def announce(folder: Path, chain: str, run: str, ledger: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(folder / NOTE, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump({"chain": chain, "run": run, "ledger": ledger}, file)


def announced() -> list[Announced]:
    """The youngest first. A note that cannot be read is none."""
    found = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            text, since_ns = _note(folder)
            said = json.loads(text)
            chain, run, ledger = (str(said[each]) for each in ("chain", "run", "ledger"))
            if _is_here(ledger):
                found.append(Announced(chain, run, ledger, since_ns))
    return sorted(found, key=lambda each: each.since_ns, reverse=True)


def _note(folder: Path) -> tuple[bytes, int]:
    """What stands in a folder's note, and since when. What is looked at is what is read: no name is gone by twice.

    Raises OSError where folder or note are not ours, or not what they should be.
    """
    with _opened(folder, _FOLDER) as place, _opened(NOTE, _FILE, place) as file:
        status = os.fstat(file)
        if os.fstat(place).st_uid != os.getuid() or status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
            raise PermissionError(f"{folder}: not ours")
        return os.read(file, MOST_BYTES), status.st_mtime_ns


@contextlib.contextmanager
def _opened(path: Path | str, flags: int, folder: int | None = None) -> Iterator[int]:
    handle = os.open(path, flags, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port is not None and "@" not in parts.netloc
