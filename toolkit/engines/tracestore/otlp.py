"""`POST /v1/traces`: OTLP/HTTP over the same memory of spans, as Knative's components and OpenTelemetry's SDKs send.

May live here: HTTP requests to HTTP answers, as the OTLP specification has them: an answer speaks the request's
encoding, refusals are a google.rpc.Status, and spans that are no spans are told as a partial success. Reading and
mapping are `toolkit.traces.otlp`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from toolkit.engines.tracestore import normal
from toolkit.engines.tracestore.bodies import Bodies, Refusal, countable
from toolkit.engines.tracestore.limits import RETRY_AFTER
from toolkit.engines.tracestore.normal import Stored
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Request, Response
from toolkit.traces import otlp

PATH = "/v1/traces"
_TYPES = {b"application/x-protobuf": False, b"application/json": True}  # whether it is JSON

Keep = Callable[[Sequence[Stored]], Awaitable[None]]


async def answer(request: Request, bodies: Bodies, keep: Keep) -> Response:
    """Stores what the request brings, and answers it."""
    if request.method != "POST":
        return _plain(405, "method not allowed", (b"Allow", b"POST"))
    told = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    if (as_json := _TYPES.get(told)) is None:
        return _plain(415, "spans are taken as OTLP, Content-Type: application/x-protobuf or application/json")
    if (request.header(b"content-encoding") or b"identity").strip().lower() not in (b"identity", b"gzip"):
        return _plain(415, "spans are taken as they are, or gzipped", (b"Accept-Encoding", b"gzip"))
    try:
        async with bodies.read(request, _json if as_json else _protobuf) as (found, spans):
            await keep(spans)
    except Refusal as refusal:
        return _status(refusal.status, str(refusal), as_json=as_json)
    except otlp.TooMuch as error:
        return _status(413, str(error), as_json=as_json)
    except otlp.OtlpError as error:
        return _status(400, str(error), as_json=as_json)
    except EngineError as error:
        return _status(503, str(error), as_json=as_json, code=_UNAVAILABLE)
    return _answer(200, otlp.success(found, as_json=as_json), as_json=as_json)


def _json(body: bytes) -> tuple[otlp.Decoded, list[Stored]]:
    countable(body)
    return _stored(otlp.decode(body, as_json=True))


def _protobuf(body: bytes) -> tuple[otlp.Decoded, list[Stored]]:
    return _stored(otlp.decode(body))


def _stored(found: otlp.Decoded) -> tuple[otlp.Decoded, list[Stored]]:
    return found, normal.of_fields(found.fields)


def _status(status: int, text: str, *, as_json: bool, code: int = 3) -> Response:
    busy = status == 429
    told = otlp.failure(text, as_json=as_json, code=_EXHAUSTED if busy else code)
    return _answer(status, told, *([RETRY_AFTER] if busy else []), as_json=as_json)


def _answer(status: int, body: bytes, *headers: tuple[bytes, bytes], as_json: bool) -> Response:
    kind = b"application/json" if as_json else b"application/x-protobuf"
    return Response(status, ((b"Content-Type", kind), _NOSNIFF, *headers), body)


def _plain(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, ((b"Content-Type", b"text/plain; charset=utf-8"), _NOSNIFF, *headers), text.encode())


_EXHAUSTED, _UNAVAILABLE = 8, 14  # google.rpc.Code
_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
