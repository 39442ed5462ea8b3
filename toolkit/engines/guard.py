"""Who may ask a server of ours: nobody's page but its own.

May live here: judging a request by its Host and Origin. A page in somebody's browser may neither read nor write what a
server has: a foreign Origin is refused, and so is a host name that could be anybody's (DNS rebinding: a page of
evil.example has that name lead to the server's address, and asks as if it came from there). An address may always stand
as Host, since no page comes from there but the server's own; so may this machine's names. Where the server listens on
more than loopback, names that nobody can buy may, too: others reach it by those (in a cluster, or on a home network).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from toolkit.sdk.http1 import Request

# Names that are never given out for the Internet (RFC 6761, RFC 6762, RFC 8375, ICANN's .internal), and a cluster's.
_PRIVATE = (".local", ".internal", ".home.arpa", ".test", ".svc")


def refusal(request: Request, *, loopback: bool, what: str, names: Collection[str] = ()) -> str | None:
    """Why `what` (such as "store") does not answer this request; None when it may. `loopback`: it listens there.
    `names` are hosts, in lower case, by which it may be asked as well."""
    host = (request.header(b"host") or b"").decode("latin-1").lower()
    if host and not is_local(host) and (name := _name(host)) not in names:
        if loopback:
            return f"this {what} answers for this machine's own names only"
        if not _is_private(name):
            return f"this {what} answers for addresses and for names that it was told, not for any name that leads here"
    origin = request.header(b"origin")
    if origin is not None and origin.decode("latin-1").lower() != f"http://{host}":
        return f"pages of other origins may not use this {what}"
    return None


def is_loopback(listening: str) -> bool:
    """Whether who listens on this host is reached from this machine alone."""
    try:
        return ipaddress.ip_address(listening).is_loopback
    except ValueError:
        return _is_localhost(listening.lower())


def is_local(host: str) -> bool:
    """`Host` names this machine: localhost, or an address as such (a rebound name would stand there as a name)."""
    name = _name(host)
    if _is_localhost(name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """Without the port, brackets, and the dot that may end a name."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return name.removesuffix(".")


def _is_localhost(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def _is_private(name: str) -> bool:
    return "." not in name or name.endswith(_PRIVATE) or name == socket.gethostname().lower()
