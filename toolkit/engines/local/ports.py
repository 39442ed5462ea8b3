"""Ports for a deployment on this machine, all different."""

from __future__ import annotations

from itertools import islice

from toolkit.errors import EngineError
from toolkit.sdk import ports


def free(count: int, *, host: str = "127.0.0.1") -> list[int]:
    """`count` different ports that nobody listens on now. Raises EngineError when there are not so many."""
    found = list(islice(ports.free(host), count))
    if len(found) < count:
        raise EngineError(
            f"only {len(found)} of {count} ports between {ports.FIRST} and {ports.LAST} are free on {host}",
            next_step="stop what listens there, or run a smaller chain",
        )
    return found
