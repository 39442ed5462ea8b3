"""Byte code for what goes into an image: a read-only container cannot keep any, and would compile at every start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from toolkit.images.model import ImageError


def fits(version: tuple[int, int]) -> bool:
    """Whether this process's Python writes the byte code that Python `version` reads."""
    return sys.version_info[:2] == version and sys.implementation.name == "cpython"


def add(folder: Path, at: str) -> None:
    """Puts byte code beside every source below `folder`, which will lie at the absolute path `at`.

    It is not checked against the source at run time (PEP 552, unchecked hash). Sources that do not compile stay as
    they are: whoever imports one is told then. A process of its own: what is loaded already changes the bytes.
    """
    modes = ("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", at)
    command = (sys.executable, "-B", "-P", "-s", "-S", "-m", "compileall", "-q", "-q", *modes, str(folder))
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    environment |= {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - no shell, own arguments
    if done.returncode not in (0, 1):  # 1: a source that does not compile
        raise ImageError(f"compiling failed: {(done.stderr or done.stdout).strip()[-500:]}")
