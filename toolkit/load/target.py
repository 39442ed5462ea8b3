"""Where a load goes that is not a chain's: any unary gRPC method.

May live here: reading such an address. May not: connecting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from toolkit.errors import UsageError

PORT = 80
_METHOD = re.compile(r"/[A-Za-z_][\w.]*/[A-Za-z_]\w*", re.ASCII)
_NEXT = "write h2c://HOST:PORT/package.Service/Method"


@dataclass(frozen=True, slots=True)
class Target:
    """A unary method of a gRPC server that speaks HTTP/2 in the clear. `method` as the path of a request has it."""

    host: str
    port: int
    method: str

    @property
    def authority(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __str__(self) -> str:
        return f"h2c://{self.authority}{self.method}"


def parse(text: str) -> Target:
    """Raises UsageError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"--target {text}: {error}", next_step=_NEXT) from error
    if parts.scheme != "h2c":
        known = "only h2c (gRPC in the clear) is spoken so far"
        raise UsageError(f"--target {text}: {parts.scheme or 'no'} scheme; {known}", next_step=_NEXT)
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise UsageError(f"--target {text}: not HOST:PORT/package.Service/Method", next_step=_NEXT)
    if not _METHOD.fullmatch(parts.path):
        raise UsageError(f"--target {text}: {parts.path or 'nothing'} names no method", next_step=_NEXT)
    if port == 0:
        raise UsageError(f"--target {text}: nobody listens on port 0", next_step=_NEXT)
    return Target(host, PORT if port is None else port, parts.path)
