"""Asks over the connections of a load whether the server at their other end serves (grpc.health.v1), before the load.

May live here: that one call. May not: asking again, anything in the way of a load.
"""

from __future__ import annotations

import time

from toolkit.load.health import SERVING
from toolkit.load.http2 import grpc, headers
from toolkit.load.lines import Lines

SECOND = 1_000_000_000
TIMEOUT_S = 2.0


def complaint(lines: Lines, authority: str) -> str | None:
    """None when the server says that it serves; what it said in place of that otherwise."""
    fields = grpc.request_headers(
        "/grpc.health.v1.Health/Check", authority, [(b"grpc-timeout", grpc.timeout(TIMEOUT_S))]
    )
    until_ns = time.monotonic_ns() + round(TIMEOUT_S * SECOND)
    lines.submit(0, headers.encode(fields), grpc.message(b""), until_ns)
    while not (ended := lines.step(until_ns + SECOND)):
        pass
    if ended[0].status != "OK":
        return f"{ended[0].status}: {ended[0].message}"
    return None if ended[0].reply == SERVING else "it does not serve yet"
