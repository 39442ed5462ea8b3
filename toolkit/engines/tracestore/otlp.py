"""`POST /v1/traces`: OTLP/HTTP over the same memory of spans, as Knative's components and OpenTelemetry's SDKs send.

May live here: HTTP requests to HTTP answers, as the OTLP specification has them: an answer speaks the request's
encoding, refusals are a google.rpc.Status, and spans that are no spans are told as a partial success. Reading and
mapping are `toolkit.traces.otlp`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.engines.tracestore.bodies import Refusal, unpacked
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Request, Response
from toolkit.traces import otlp

PATH = "/v1/traces"
_TYPES = {b"application/x-protobuf": False, b"application/json": True}  # whether it is JSON
_SPANS_A_TURN = 200  # mapped before others get their turn

Keep = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]


async def answer(request: Request, keep: Keep) -> Response:
    """Stores what the request brings, and answers it."""
    if request.method != "POST":
        return _plain(405, "method not allowed", (b"Allow", b"POST"))
    told = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    if (as_json := _TYPES.get(told)) is None:
        return _plain(415, "spans are taken as OTLP, Content-Type: application/x-protobuf or application/json")
    if (request.header(b"content-encoding") or b"identity").strip().lower() not in (b"identity", b"gzip"):
        return _plain(415, "spans are taken as they are, or gzipped", (b"Accept-Encoding", b"gzip"))
    try:
        body = unpacked(request)
        message = otlp.read_json(body) if as_json else otlp.read_protobuf(body)
        found = await _all(otlp.spans(message))
        await keep(found.fields)
    except Refusal as refusal:
        return _status(refusal.status, str(refusal), as_json=as_json)
    except otlp.TooMuch as error:
        return _status(413, str(error), as_json=as_json)
    except otlp.OtlpError as error:
        return _status(400, str(error), as_json=as_json)
    except EngineError as error:
        return _status(503, str(error), as_json=as_json, code=_UNAVAILABLE)
    return _answer(200, otlp.success(found, as_json=as_json), as_json=as_json)


async def _all(found: Iterator[dict[str, Any] | otlp.Rejection]) -> otlp.Decoded:
    """All spans, with room for others' requests in between."""
    read: list[dict[str, Any] | otlp.Rejection] = []
    for each in found:
        read.append(each)
        if len(read) % _SPANS_A_TURN == 0:
            await asyncio.sleep(0)
    return otlp.gathered(iter(read))


def _status(status: int, text: str, *, as_json: bool, code: int = 3) -> Response:
    return _answer(status, otlp.failure(text, as_json=as_json, code=code), as_json=as_json)


def _answer(status: int, body: bytes, *, as_json: bool) -> Response:
    kind = b"application/json" if as_json else b"application/x-protobuf"
    return Response(status, ((b"Content-Type", kind), _NOSNIFF), body)


def _plain(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, ((b"Content-Type", b"text/plain; charset=utf-8"), _NOSNIFF, *headers), text.encode())


_UNAVAILABLE = 14  # google.rpc.Code
_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
