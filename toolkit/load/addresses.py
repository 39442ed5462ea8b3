"""Where an entry's gRPC target leads: its addresses, and the authority that calls ask for (grpc/doc/naming.md).

May live here: reading such names. May not: resolving them, connecting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from toolkit.errors import UsageError

PORT = 443  # what gRPC takes where a name has none


@dataclass(frozen=True, slots=True)
class Addresses:
    """Each gets its share of the calls."""

    all: Sequence[tuple[str, int]]
    authority: str


def of(target: str, authority: str | None = None) -> Addresses:
    """`host:port`, `dns:///host:port`, `ipv4:a:port,b:port`, `ipv6:[a]:port,…`. Raises UsageError for other names."""
    scheme, colon, rest = target.partition(":")
    if not colon or scheme not in ("dns", "ipv4", "ipv6") or (scheme == "dns" and rest.isdecimal()):
        scheme, rest = "", target
    if scheme == "dns" and rest.startswith("//"):
        rest = rest[2:].partition("/")[2]
    names = rest.split(",") if scheme in ("ipv4", "ipv6") else [rest]
    found = [_address(target, each) for each in names]
    return Addresses(found, authority or _written(*found[0]))


def _address(target: str, name: str) -> tuple[str, int]:
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(target, str(error)) from error
    if not host or parts.netloc != name or parts.username is not None:
        raise _refused(target, f"{name or 'nothing'} is no HOST:PORT")
    return host, PORT if port is None else port


def _written(host: str, port: int) -> str:
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def _refused(target: str, why: str) -> UsageError:
    return UsageError(f"the target {target!r} cannot be called: {why}", next_step="name it HOST:PORT")
