"""Names of hosts, looked up: what sockets connect to.

May live here: asking the resolver, before a load. May not: reading names of targets, connecting.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Address = tuple[str, int]
"""A host and a port."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address that was looked up, as sockets want it."""

    family: int
    address: Any

    def __str__(self) -> str:
        host, port = self.address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def look_up(addresses: Sequence[Address]) -> list[Place]:
    """Every place that these addresses mean, in their order. It may wait for a name server. Raises OSError."""
    places: list[Place] = []
    for host, port in addresses:
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if (found := Place(family, address)) not in places:
                places.append(found)
    return places
