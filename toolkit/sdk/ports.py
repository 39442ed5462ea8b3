"""Ports that nobody shares in silence. May live here: which port is free now; not who listens on it in the end.

They come from below the range the kernel takes for outgoing connections, so that the port of a process which is
being (re)started is not lent to somebody's client meanwhile. Each is tried by binding it without SO_REUSEPORT.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

FIRST, LAST = 20000, 31999


def free(host: str) -> Iterator[int]:
    """The ports that nobody listens on now, in random order."""
    candidates = random.SystemRandom().sample(range(FIRST, LAST + 1), LAST - FIRST + 1)
    return (port for port in candidates if is_free(host, port))


def is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
