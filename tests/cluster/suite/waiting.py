"""Waiting for what no watch tells of: a connection, a log line, several objects at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tests.cluster.suite.cluster import NotInTime

T = TypeVar("T")
PAUSE_S = 0.1


def until(found: Callable[[], T | None], wanted: str, within_s: float, *, otherwise: Callable[[], str] = str) -> T:
    """What `found` returns as soon as that is true. Raises NotInTime, which ends with what `otherwise` tells."""
    deadline = time.monotonic() + within_s
    while not (result := found()):
        if time.monotonic() >= deadline:
            raise NotInTime(f"waited {within_s:.0f} s in vain for {wanted}\n{otherwise()}")
        time.sleep(PAUSE_S)
    return result
