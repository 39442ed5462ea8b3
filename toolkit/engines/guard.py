"""Who may ask a server of ours that listens on this machine: nobody's page but its own.

May live here: judging a request by its Host and Origin. A page in somebody's browser may neither read nor write what a
server on loopback has: a foreign Origin is refused, and so is a host name that is not this machine's (DNS rebinding).
"""

from __future__ import annotations

import ipaddress

from toolkit.sdk.http1 import Request

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def refusal(request: Request, *, loopback: bool, what: str) -> str | None:
    """Why `what` (such as "store") does not answer this request; None when it may. `loopback`: it listens there."""
    host = (request.header(b"host") or b"").decode("latin-1").lower()
    if loopback and host and not is_local(host):
        return f"this {what} answers for this machine's own names only"
    origin = request.header(b"origin")
    if origin is not None and origin.decode("latin-1").lower() != f"http://{host}":
        return f"pages of other origins may not use this {what}"
    return None


def is_local(host: str) -> bool:
    """`Host` names this machine: localhost, or an address as such (a rebound name would stand there as a name)."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
