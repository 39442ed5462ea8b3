"""What a POST of spans may look like before anybody reads them: how large, how packed.

May live here: the refusal of a request as a type, and unpacking. What is in a body is its codec's business.
"""

from __future__ import annotations

import zlib

from toolkit.sdk.http1 import Request

MAX_BODY = 16 << 20  # bytes of one POST, before and after gunzip


class Refusal(Exception):
    """A request that gets `status` and one line of text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def unpacked(request: Request) -> bytes:
    """The body, gunzipped if it says that it is gzipped. Raises Refusal."""
    packed = (request.header(b"content-encoding") or b"").strip().lower() == b"gzip"
    return _gunzipped(request.body) if packed else request.body


def _gunzipped(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        plain = unpacking.decompress(body, MAX_BODY)
    except zlib.error:
        raise Refusal(400, "Cannot gunzip spans") from None
    if unpacking.unconsumed_tail:
        raise Refusal(413, f"more than {MAX_BODY} bytes of spans in one request")
    if not unpacking.eof:
        raise Refusal(400, "Cannot gunzip spans: it ends too early")
    if unpacking.unused_data:  # it would be lost without a word
        raise Refusal(400, "Cannot gunzip spans: something follows")
    return plain
