"""When this process came up, by its own clock.

May live here: the moments of a start. May not: what is done between them, or where they are told (`Receipt`).
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from toolkit.contract import Boot

SECOND_NS = 1_000_000_000


def told(loaded_ns: int, listening_ns: int) -> Boot:
    """`platform.node` is the host's own name, which Kubernetes makes that of the pod."""
    return Boot(platform.node(), process_started_ns(), loaded_ns, listening_ns)


def process_started_ns() -> int | None:
    """When the kernel started this process, on the wall clock, to its clock tick; None where it does not say."""
    try:
        stat = Path("/proc/self/stat").read_text("ascii", "replace")
        ticks = int(stat.rpartition(")")[2].split()[19])  # proc(5): starttime, since the machine was started
        age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * SECOND_NS // os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return time.time_ns() - age_ns if age_ns >= 0 else None
