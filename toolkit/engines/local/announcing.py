"""How a command in another terminal finds the ledger of what runs on this machine.

A deployment leaves a note in its work folder, which nobody else may read, and which goes with it however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

PREFIX, NOTE = "toolkit-", "ledger.json"


@dataclass(frozen=True, slots=True)
class Announced:
    """A deployment of this user's with a ledger. `since_ns` is when it began (wall clock)."""

    chain: str
    run: str
    ledger: str
    since_ns: int


def announce(folder: Path, chain: str, run: str, ledger: str) -> None:
    (folder / NOTE).write_text(json.dumps({"chain": chain, "run": run, "ledger": ledger}), "utf-8")


def announced() -> list[Announced]:
    """The youngest first. A note that cannot be read is none."""
    found = []
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{NOTE}"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            status = path.stat()
            if status.st_uid == os.getuid():  # another user's note could lead anywhere
                said = json.loads(path.read_text("utf-8"))
                chain, run, ledger = (str(said[each]) for each in ("chain", "run", "ledger"))
                found.append(Announced(chain, run, ledger, status.st_mtime_ns))
    return sorted(found, key=lambda each: each.since_ns, reverse=True)
