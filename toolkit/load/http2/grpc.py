"""gRPC over HTTP/2, the client's side of a unary call (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): what a
request looks like, and which status an answer means. "HTTP 200" is no status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from toolkit.load.http2 import frames, headers
from toolkit.load.http2.headers import Header

CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_MOST_KNOWN = 1024  # bytes of a block that is remembered, so that 4096 of them are not much
PREFIX = 5  # bytes before a message: compressed or not, and its length
_OF_HTTP = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}  # doc/http-grpc-status-mapping.md
_OF_RESET = {
    frames.REFUSED_STREAM: "UNAVAILABLE",
    frames.CANCEL: "CANCELLED",
    frames.ENHANCE_YOUR_CALM: "RESOURCE_EXHAUSTED",
    frames.INADEQUATE_SECURITY: "PERMISSION_DENIED",
}  # PROTOCOL-HTTP2.md, "Errors"; everything else is INTERNAL
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Said:
    """What one header block says: the HTTP status (None in trailers), gRPC's (None unless it ends the call), a message.

    `grpc` is whether the content type is gRPC's; `encoding` how messages are compressed.
    """

    http: int | None
    grpc: bool
    status: str | None
    message: str
    encoding: bytes
    good: bool  # the headers of an answer as it should be
    ok: bool  # the trailers of one


def request_headers(method: str, authority: str, more: Sequence[Header] = ()) -> list[Header]:
    """The fields of a call of `/package.Service/Method`, those that change from call to call last (`more`)."""
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", method.encode()),
        (b":authority", authority.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *more,
    ]


def message(data: bytes) -> bytes:
    """A message as it goes over the wire, not compressed."""
    return b"\x00" + len(data).to_bytes(4, "big") + data


def said(block: bytes) -> Said:
    """Reads a response's headers or trailers. Raises HeadersError."""
    return _known(block) if len(block) <= _MOST_KNOWN else _read(block)


@lru_cache(4096)
def _known(block: bytes) -> Said:
    return _read(block)


def _read(block: bytes) -> Said:
    fields: Mapping[bytes, bytes] = dict(headers.decode(block))
    http = _http(fields.get(b":status"))
    status = _status(fields.get(b"grpc-status"))
    kind = fields.get(b"content-type", b"")
    return Said(
        http,
        kind.startswith(b"application/grpc"),
        status,
        _unescaped(fields.get(b"grpc-message", b"")),
        fields.get(b"grpc-encoding", b"identity"),
        http == 200,
        status == "OK" and http is None,
    )


def of_http(status: int) -> str:
    """The gRPC status of an answer that is not gRPC's."""
    return _OF_HTTP.get(status, "UNKNOWN")


def timeout(seconds: float) -> bytes:
    """The value of `grpc-timeout`: `TimeoutValue TimeoutUnit`: at most eight digits."""
    milliseconds = max(1, round(seconds * 1000))
    return b"%dm" % milliseconds if milliseconds < 100_000_000 else b"%dS" % min(round(seconds), 99_999_999)


def of_reset(error: int) -> str:
    """The gRPC status of a stream that was reset."""
    return _OF_RESET.get(error, "INTERNAL")


def _http(value: bytes | None) -> int | None:
    if value is None:
        return None
    if len(value) != 3 or not value.isdigit():
        raise headers.HeadersError(f"the status {value[:20]!r} is no number of three digits")
    return int(value)


def _status(value: bytes | None) -> str | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 2 or int(value) >= len(CODES):
        return "UNKNOWN"
    return CODES[int(value)]


def _unescaped(value: bytes) -> str:
    return _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), value).decode("utf-8", "replace")
