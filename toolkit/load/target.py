"""Where a load goes that is not a chain's: a method of a gRPC server, or whatever an HTTP URL names.

May live here: reading such an address. May not: connecting.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from toolkit.errors import UsageError

PORT = 80
MOST_PORT = 65_535
MOST_CHARACTERS = 8192
_METHOD = re.compile(r"/[A-Za-z_][\w.]*/[A-Za-z_]\w*", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NEXT_GRPC, _NEXT_HTTP = "write h2c://HOST:PORT/package.Service/Method", "write http://HOST:PORT/PATH"
_NEXT = f"{_NEXT_GRPC}, or {_NEXT_HTTP.removeprefix('write ')}"
_NOT_SPOKEN = {
    "https": "TLS is not spoken: only http, in the clear",
    "grpcs": "TLS is not spoken: only h2c, gRPC in the clear",
    "h2": "TLS is not spoken: only h2c, gRPC in the clear",
    "grpc": "gRPC in the clear is called h2c here",
    "http2": "gRPC in the clear is called h2c here",
    "unix": "no Unix sockets: only addresses of TCP",
    "unix-abstract": "no Unix sockets: only addresses of TCP",
    "dns": "a name is written as it is, without dns:",
    "ws": "WebSockets are not driven",
    "wss": "WebSockets are not driven",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A method of a gRPC server that speaks HTTP/2 in the clear. `method` as the path of a request has it."""

    host: str
    port: int
    method: str

    @property
    def authority(self) -> str:
        return f"{_written(self.host)}:{self.port}"

    def __str__(self) -> str:
        return f"h2c://{self.authority}{self.method}"


@dataclass(frozen=True, slots=True)
class Url:
    """What an HTTP/1.1 server serves in the clear. `path` as the request's first line has it, with its query."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As a Host header has it: without the port where that goes without saying."""
        return _written(self.host) if self.port == PORT else f"{_written(self.host)}:{self.port}"

    def __str__(self) -> str:
        return f"http://{_written(self.host)}:{self.port}{self.path}"


def parse(text: str) -> Target | Url:
    """Raises UsageError."""
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"--target {text[:60]}…: more than {MOST_CHARACTERS:,} characters", next_step=_NEXT)
    if not text.isprintable() or " " in text:
        raise _refused(text, "blanks and control characters are written as %20 and the like", _NEXT)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(text, _why(text, error), _NEXT) from error
    if parts.scheme not in ("h2c", "http"):
        raise _refused(text, _NOT_SPOKEN.get(parts.scheme) or _no_scheme(parts, text), _NEXT)
    wanted = _NEXT_GRPC if parts.scheme == "h2c" else _NEXT_HTTP
    if not host:
        raise _refused(text, "it names no host", wanted)
    if parts.username is not None:
        raise _refused(text, "no user and password in it", 'write --header "authorization=Basic …"')
    if port == 0:
        raise _refused(text, "nobody listens on port 0", wanted)
    if "#" in text:
        raise _refused(text, "what follows # is never sent", "leave it away, or write %23")
    read = _method if parts.scheme == "h2c" else _url
    return read(text, parts, _host(text, host, wanted), PORT if port is None else port)


def _why(text: str, error: ValueError) -> str:
    """Of a port what it may be, of anything else the parser's own words."""
    port = re.search(r":([0-9]{1,20})(?:[/?#]|$)", text)
    if port is None or int(port[1]) <= MOST_PORT:
        return str(error)
    return f"port {port[1]} is not 1 to {MOST_PORT:,}"


def _method(text: str, parts: SplitResult, host: str, port: int) -> Target:
    if parts.query:
        raise _refused(text, "a gRPC method has no query", _NEXT_GRPC)
    if not _METHOD.fullmatch(parts.path):
        raise _refused(text, f"{parts.path or 'nothing'} names no method", _NEXT_GRPC)
    return Target(host, port, parts.path)


def _url(text: str, parts: SplitResult, host: str, port: int) -> Url:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise _refused(text, "letters beyond ASCII have to be percent-encoded in a path", "write %C3%A9 for é")
    if (found := _ESCAPES.search(path)) is not None:
        wrong = path[found.start() : found.start() + 3]
        raise _refused(text, f"{wrong} is no percent-encoding", "write %25 for a percent sign")
    return Url(host, port, path)


def _host(text: str, host: str, wanted: str) -> str:
    """As the resolver wants it: names beyond ASCII encoded, what can be no name refused before it is looked up."""
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError as error:
            raise _refused(text, str(error), wanted) from error
    try:
        name = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError as error:
        raise _refused(text, f"{host} is no host name: {error}", wanted) from error
    if len(name) > 253 or not all(_LABEL.fullmatch(each) for each in name.removesuffix(".").split(".")):
        raise _refused(text, f"{host} is no host name", wanted)
    return name


def _no_scheme(parts: SplitResult, text: str) -> str:
    if "://" in text and parts.scheme:
        return f"{parts.scheme} is not spoken: h2c (gRPC in the clear) and http are"
    return "it does not say what is spoken there: h2c (gRPC in the clear) or http"


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refused(text: str, why: str, next_step: str) -> UsageError:
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return UsageError(f"--target {shown[:200]}{'…' if len(shown) > 200 else ''}: {why}", next_step=next_step)
