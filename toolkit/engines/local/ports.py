"""Ports on loopback, chosen so that nobody shares one in silence.

They come from below the range the kernel takes for outgoing connections, so that the port of a function which is
being restarted is not lent to somebody's client meanwhile. Each is tried by binding it without SO_REUSEPORT.
"""

from __future__ import annotations

import random
import socket

from toolkit.errors import EngineError

FIRST, LAST = 20000, 31999


def free(count: int, *, host: str = "127.0.0.1") -> list[int]:
    """`count` different ports that nobody listens on now. Raises EngineError when there are not so many."""
    found: list[int] = []
    candidates = random.SystemRandom().sample(range(FIRST, LAST + 1), LAST - FIRST + 1)
    for port in candidates:
        if len(found) == count:
            break
        if is_free(host, port):
            found.append(port)
    if len(found) < count:
        raise EngineError(
            f"only {len(found)} of {count} ports between {FIRST} and {LAST} are free on {host}",
            next_step="stop what listens there, or run a smaller chain",
        )
    return found


def is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
