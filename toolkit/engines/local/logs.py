"""What is kept of the processes' logs once their folder goes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LOG_KEPT = 8 << 20  # bytes of each log's end


def keep(folder: Path, logs: Path | None) -> None:
    """Copies the end of every log in `folder` to the folder `logs`, if that is wanted."""
    if logs is None or not folder.exists():
        return
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.glob("*.log"):
        with contextlib.suppress(OSError), path.open("rb") as file:  # a full disk must not cost the run its numbers
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_KEPT))
            (logs / path.name).write_bytes(file.read())
