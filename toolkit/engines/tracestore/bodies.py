"""What a POST of Zipkin spans may look like: how large, how packed, in which form.

May live here: the refusal of a request as a type, unpacking, and the choice of the codec. What is in a body is its
codec's business.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from toolkit.engines.tracestore import normal
from toolkit.engines.tracestore.normal import Stored
from toolkit.sdk.http1 import Request
from toolkit.traces import zipkin, zipkinproto

MAX_BODY = 16 << 20  # bytes of one POST, before and after gunzip


class Refusal(Exception):
    """A request that gets `status` and one line of text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


Form = Callable[[bytes], list[Stored]]


def spans(request: Request) -> list[Stored]:
    """The spans of `POST /api/v2/spans` in Zipkin's normal form; JSON where nothing else is told. Raises Refusal."""
    named, form = _form(request)
    body = unpacked(request)
    try:
        return form(body)
    except zipkin.ZipkinError as error:
        raise Refusal(400, f"{error} (reading a list of spans from {named})") from None


def _form(request: Request) -> tuple[str, Form]:
    told = (request.header(b"content-type") or b"application/json").partition(b";")[0].strip().lower()
    if told == zipkinproto.CONTENT_TYPE.encode():
        return "protobuf", lambda body: normal.of_fields(zipkinproto.normalised(body))
    if b"json" in told:
        return "JSON", normal.read
    raise Refusal(
        415, "spans are taken as a list (Zipkin v2), Content-Type: application/json or application/x-protobuf"
    )


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
