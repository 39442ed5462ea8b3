"""The gateway: takes HTTP requests, has the chain answer each, and gives its answer back, sooner or later.

A request becomes a generic call of the chain's entry. The reply is the answer, unless it says that this is pending:
then the answer is the event of the same call that reaches the gateway as any event does its consumer, on the same port.
May live here: that, and the meaning of a request. May not: HTTP itself (`toolkit.sdk.http1`), and what an event is.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from toolkit import contract
from toolkit.contract import Outgoing
from toolkit.sdk import methods, tags
from toolkit.sdk.arrival import fresh_identity
from toolkit.sdk.context import Context
from toolkit.sdk.events import EventServer
from toolkit.sdk.failures import CallFailed
from toolkit.sdk.function import Function
from toolkit.sdk.http1 import Request, Response
from toolkit.sdk.message import JSON, OCTETS, Message
from toolkit.sdk.propagation import B3, TRACEPARENT, TRACESTATE, Position, extract
from toolkit.sdk.tracing import AnySpan

PATIENCE_S = 30.0  # from the request to its answer, where the function's `timeout` says nothing
MOST_WAITING = 10_000  # requests at once
MOST_BODY = 4 << 20  # bytes of a request: what gRPC takes by default, and what a log or a trace may meet
MOST_ANSWER = 64 << 20  # bytes of an answer that comes by an event
SLOW_S = 30.0  # from the beginning of a request to its end
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CALL_HEADER = b"Toolkit-Call"
# As google.rpc.code says which HTTP status goes with which code.
STATUSES: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
_AS_SAID = (b"X-Content-Type-Options", b"nosniff")  # what a handler sends as text, no browser takes for a page
_KIND = re.compile(r"[!-~][ -~]*")  # of a content type: what a header may hold
_HOST = re.compile(r"(localhost|[a-z0-9-]+\.localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?")

_waiting: dict[str, asyncio.Future[Message]] = {}  # by call; a process has one gateway


async def answer(ctx: Context, message: Message) -> None:
    """The handler: the answer of a call, for whoever waits for it. Who asked without the gateway waits elsewhere."""
    ctx.answer(message)
    waiter = _waiting.get(ctx.call_id)
    if waiter is not None and not waiter.done():  # delivered again: the first counts
        waiter.set_result(message)


class GatewayServer(EventServer):
    """Answers requests of the gateway's path; everything else is the event server's."""

    max_body, slow_s = MOST_ANSWER, SLOW_S

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self._loopback = False  # nobody but this machine is meant to reach us
        self._around, self._patience_s = function.around, function.wiring.patience_s or PATIENCE_S
        self._path = function.wiring.gateway or "/"
        self._entry = _entry(function.wiring.outgoing)

    async def start(self, host: str | None, port: int) -> int:
        self._loopback = host is not None and _HOST.fullmatch(host) is not None
        return await super().start(host, port)

    async def answer(self, request: Request) -> Response:
        if _is_event(request) or request.target.partition("?")[0] != self._path:
            return await super().answer(request)
        if self._loopback and _is_a_strangers_page(request):
            return _refusal(403, "this address is for this machine, and not for pages from elsewhere")
        if request.method not in METHODS:
            return _refusal(405, f"{request.method} is not served here", (b"Allow", ", ".join(METHODS).encode()))
        if len(request.body) > MOST_BODY:
            return _refusal(413, f"a request may have {MOST_BODY >> 20} MiB, this one has {len(request.body):,} bytes")
        if len(_waiting) >= MOST_WAITING:
            return _refusal(503, f"{MOST_WAITING:,} requests wait already", (b"Retry-After", b"1"))
        try:
            asked = parameters(request)
        except ValueError as error:
            return _refusal(400, str(error))
        return await self._traced(request, asked)

    async def _traced(self, request: Request, asked: Mapping[str, Any]) -> Response:
        call, metadata = fresh_identity(self._function.wiring.chain)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
        span = self._around.tracing.start("SERVER", f"{request.method} {self._path}", extract(headers))
        if span.recorded:
            span.tags = {tags.PEER: contract.CALLER, tags.CALL: call, tags.SIZE: len(request.body)}
        status = 499
        try:
            found = await self._ask(call, metadata, asked, span)
            status = found.status
            return found
        finally:
            span.annotate(tags.HTTP_STATUS, status)
            if span.recorded and status >= 500:
                span.fail(f"answered {status}", str(status))
            span.end()

    async def _ask(self, call: str, metadata: bytes, asked: Mapping[str, Any], span: AnySpan) -> Response:
        waiter = _waiting[call] = asyncio.get_running_loop().create_future()
        ends = time.monotonic() + self._patience_s
        try:
            reply = await self._call(call, metadata, Message.of(asked), span)
            if reply.content_type == contract.PENDING:
                reply = await asyncio.wait_for(waiter, ends - time.monotonic())
            return _response(call, reply)
        except CallFailed as failed:
            return _refusal(STATUSES.get(failed.code, 500), str(failed), (CALL_HEADER, call.encode()))
        except TimeoutError:
            why = f"no answer within {self._patience_s:g} s; the call is {call}"
            return _refusal(504, why, (CALL_HEADER, call.encode()))
        finally:
            del _waiting[call]

    async def _call(self, call: str, metadata: bytes, message: Message, above: AnySpan) -> Message:
        """The chain's entry, called as callers call it, but for its answer's status and content type."""
        method, tracing = methods.find(contract.GENERIC_METHOD), self._around.tracing
        raw = method.request.serialize(message)
        span = tracing.start("CLIENT", method.path, above.position)
        if span.recorded:
            span.tags = {tags.PEER: self._entry.to, tags.RPC_SYSTEM: "grpc", tags.CALL: call, tags.MESSAGE: call}
        code, size = "CANCELLED", None
        try:
            address = self._entry.address or ""
            head = _metadata(call, metadata, self._function.wiring.function, span.position)
            reply = await self._around.calls.call(self._entry.to, address, method.path, raw, head, self._patience_s)
            code, size = "OK", len(reply)
            found: Message = method.reply.parse(reply)
            return found
        except CallFailed as failed:
            code = failed.code
            if span.recorded:
                span.fail(str(failed), code)
            raise
        finally:
            if span.recorded:
                tags.called(span.tags, len(raw), size, code)
            span.end()


def parameters(request: Request) -> dict[str, Any]:
    """What a request asks: its query, and its body: a JSON object's members, a form's fields, else all of it as `body`.

    A name that comes twice is a list. Raises ValueError for a body or a query that is not what it says it is.
    """
    query = request.target.partition("?")[2].partition("#")[0]
    pairs = _pairs(query, "the query")
    kind = (request.header(b"content-type") or b"").decode("latin-1").partition(";")[0].strip().lower()
    members: dict[str, Any] = {}
    if request.body and kind == JSON:
        members = _members(request.body)
    elif request.body and kind == "application/x-www-form-urlencoded":
        pairs += _pairs(request.body.decode("latin-1"), "the form")
    elif request.body:
        members = {"body": _text(request.body)}
    found: dict[str, Any] = {}
    for name, value in pairs:
        before = found.get(name)
        found[name] = value if name not in found else [*before, value] if isinstance(before, list) else [before, value]
    return {**found, **members}


def _pairs(text: str, what: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise ValueError(f"{what} cannot be read: {error}") from error


def _members(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is no JSON: {error}") from error
    return found if isinstance(found, dict) else {"body": found}


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number there")


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the body is no text in UTF-8: {error.reason} at byte {error.start}") from error


def _is_event(request: Request) -> bool:
    kind = request.header(b"content-type") or b""
    return request.header(b"ce-specversion") is not None or kind.lower().startswith(b"application/cloudevents")


def _entry(outgoing: tuple[Outgoing, ...]) -> Outgoing:
    return next(edge for edge in outgoing if edge.via == "call")


def _metadata(call: str, metadata: bytes, sender: str, position: Position) -> list[tuple[str, str | bytes]]:
    state = [(TRACESTATE, position.state)] if position.state else []
    return [
        (contract.METADATA_KEY, metadata),
        (contract.MESSAGE_KEY, call),
        (contract.SENDER_KEY, sender),
        (TRACEPARENT, position.traceparent),
        (B3, position.b3),
        *state,
    ]


def _response(call: str, reply: Message) -> Response:
    status, kind = reply.status or HTTPStatus.OK, reply.content_type or OCTETS
    named = (CALL_HEADER, call.encode())
    if not 200 <= status <= 599:
        return _refusal(502, f"the chain answered with the status {status}", named)
    if not _KIND.fullmatch(kind):
        return _refusal(502, f"the chain answered with the content type {kind[:80]!r}", named)
    return Response(status, ((b"Content-Type", kind.encode()), _AS_SAID, named), reply.data)


def _refusal(status: int, why: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, (_TEXT, _AS_SAID, *headers), why.encode("utf-8", "backslashreplace") + b"\n")


def _is_a_strangers_page(request: Request) -> bool:
    """Whether a page of another site sends this, as a browser tells: by that name, or by one made to lead here."""
    host = (request.header(b"host") or b"").decode("latin-1").lower()
    return _HOST.fullmatch(host) is None or request.header(b"sec-fetch-site") in (b"cross-site", b"same-site")
