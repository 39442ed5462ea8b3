"""What a number was measured on: the conditions a report carries, read from this machine."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

LIBRARIES = ("grpcio", "protobuf", "opentelemetry-sdk")


def describe() -> dict[str, Any]:
    """Python, libraries, kernel and processors. No host name, no user: a report is passed around."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }


def toolkit_version() -> str:
    return metadata.version("kn-bench")


def wall_clock(monotonic_ns: int) -> str:
    """A moment of this process's monotonic clock on the wall's: RFC 3339, UTC, to the microsecond.

    The two are held against each other now: ask soon after the moment, before somebody moves the wall clock.
    """
    seconds, rest_ns = divmod(time.time_ns() - time.monotonic_ns() + monotonic_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"


def git_commit(folder: str) -> str | None:
    """The commit that `folder` is checked out from (`-dirty` when files differ), None outside a repository."""
    command = ("git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
