"""Zipkin's HTTP API v2 over a memory of spans: what each path answers, and nothing about sockets.

May live here: requests to responses; those of OpenTelemetry's protocol are `otlp`'s. The answers are those of a Zipkin
3.6 server, also under `/zipkin`, except that a method that is not there gets 405 and that no answer repeats what was
sent beyond hex digits.
A page in somebody's browser may neither read nor write here: a request with a foreign Origin, or one for a host name
that is not this machine's, is refused (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from toolkit.engines.tracestore import bodies, lens, otlp, query
from toolkit.engines.tracestore.bodies import Refusal
from toolkit.engines.tracestore.memory import Memory, StoredTrace
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Request, Response
from toolkit.traces import wire, zipkin
from toolkit.traces.links import Counting
from toolkit.traces.model import Span

MOST_TRACES_ASKED = 1000  # ids in one traceMany, as in Zipkin
_TRACES_A_TURN = 50  # looked at before others get their turn

Parameters = Mapping[str, str]
Answer = Callable[[Parameters], Awaitable[Response]]


class Api:
    """The handler. `keep` stores accepted spans and raises EngineError when it cannot; `now_ms` tells the time."""

    def __init__(
        self,
        memory: Memory,
        keep: Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]],
        now_ms: Callable[[], int],
        *,
        loopback: bool,
        pages: lens.Pages = lens.absent,
    ) -> None:
        self._memory, self._keep, self._now_ms, self._loopback = memory, keep, now_ms, loopback
        self._pages = pages
        self._paths: dict[str, Answer] = {
            "/health": self._health,
            "/info": self._info,
            "/api/v2/services": self._services,
            "/api/v2/spans": self._span_names,
            "/api/v2/remoteServices": self._remote_services,
            "/api/v2/traces": self._traces,
            "/api/v2/traceMany": self._trace_many,
            "/api/v2/dependencies": self._dependencies,
            "/api/v2/autocompleteKeys": self._autocomplete_keys,
            "/api/v2/autocompleteValues": self._autocomplete_values,
        }

    async def __call__(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return _text(refusal.status, str(refusal))
        except (query.BadQuery, wire.Refused) as error:
            return _text(400, str(error))

    async def _answer(self, request: Request) -> Response:
        _check_origin(request, loopback=self._loopback)
        if (page := self._pages(request)) is not None:
            return page
        path, _, asked = request.target.partition("?")
        path = path.removeprefix("/zipkin")
        if request.method == "POST" and path == "/api/v2/spans":
            return await self._post(request)
        if path == otlp.PATH:
            return await otlp.answer(request, self._keep)
        trace = path.startswith("/api/v2/trace/")
        answer = self._paths.get(path)
        if answer is None and not trace:
            raise Refusal(404, "not found")
        if request.method not in ("GET", "HEAD"):
            return _text(
                405, "method not allowed", (b"Allow", b"GET, HEAD, POST" if path == "/api/v2/spans" else b"GET, HEAD")
            )
        if answer is not None:
            return await answer(_parameters(asked))
        return self._trace(unquote(path.removeprefix("/api/v2/trace/")))

    async def _post(self, request: Request) -> Response:
        spans = bodies.spans(request)
        try:
            await self._keep(spans)
        except EngineError as error:
            raise Refusal(503, str(error)) from error
        return Response(202)

    def _trace(self, given: str) -> Response:
        trace_id = wire.trace_id(given)
        if (trace := self._memory.get(trace_id)) is None:
            raise Refusal(404, f"{trace_id} not found")
        return _json(trace.text())

    async def _trace_many(self, given: Parameters) -> Response:
        ids = _required(given, "traceIds").split(",", MOST_TRACES_ASKED)
        if ids == [""]:
            raise Refusal(400, "traceIds parameter is empty")
        normal = dict.fromkeys(wire.trace_id(each) for each in ids)
        if len(normal) < len(ids):
            raise Refusal(400, "redundant traceId")
        if len(normal) == 1:
            raise Refusal(400, "Use /api/v2/trace/{traceId} endpoint to retrieve a single trace")
        return _traces(trace for each in normal if (trace := self._memory.get(each)) is not None)

    async def _traces(self, given: Parameters) -> Response:
        asked = query.parse(given, self._now_ms())
        candidates = [trace for trace in self._memory.traces() if query.may_match(asked, trace)]
        candidates.sort(key=lambda trace: (-(trace.last // 1000), trace.id))
        found: list[StoredTrace] = []
        for turn, trace in enumerate(candidates):
            if len(found) == asked.limit:
                break
            if turn % _TRACES_A_TURN == _TRACES_A_TURN - 1:
                await asyncio.sleep(0)
            if not query.reads_spans(asked) or query.matches(asked, _spans(trace)):
                found.append(trace)
        return _traces(found)

    async def _dependencies(self, given: Parameters) -> Response:
        end_ms, lookback_ms = query.window(given, None)
        begin, end = (end_ms - lookback_ms) * 1000, end_ms * 1000 + 999
        counting = Counting()
        for turn, trace in enumerate(self._memory.traces()):
            if turn % _TRACES_A_TURN == _TRACES_A_TURN - 1:
                await asyncio.sleep(0)
            if trace.last >= begin and 0 < trace.first <= end:
                counting.add(_spans(trace))
        return _json(
            zipkin.text([_link(each.parent, each.child, each.calls, each.errors) for each in counting.links()])
        )

    async def _services(self, given: Parameters) -> Response:
        return _json(zipkin.text(self._memory.services()))

    async def _span_names(self, given: Parameters) -> Response:
        return _json(zipkin.text(self._memory.span_names(_required(given, "serviceName").lower())))

    async def _remote_services(self, given: Parameters) -> Response:
        return _json(zipkin.text(self._memory.remote_services(_required(given, "serviceName").lower())))

    async def _autocomplete_keys(self, given: Parameters) -> Response:
        return _json("[]")

    async def _autocomplete_values(self, given: Parameters) -> Response:
        _required(given, "key")
        return _json("[]")

    async def _health(self, given: Parameters) -> Response:
        return _json('{"status":"UP","zipkin":{"status":"UP"}}')

    async def _info(self, given: Parameters) -> Response:
        memory = self._memory
        store = {
            "traces": len(memory),
            "spans": memory.spans,
            "bytes": memory.bytes,
            "maxSpans": memory.max_spans,
            "maxBytes": memory.max_bytes,
            "evictedTraces": memory.evicted_traces,
            "evictedSpans": memory.evicted_spans,
        }
        return _json(zipkin.text({"zipkin": {"version": "kn-bench", "api": "v2"}, "store": store}))


def _check_origin(request: Request, *, loopback: bool) -> None:
    host = (request.header(b"host") or b"").decode("latin-1").lower()
    if loopback and host and not _is_local(host):
        raise Refusal(403, "this store answers for this machine's own names only")
    origin = request.header(b"origin")
    if origin is not None and origin.decode("latin-1").lower() != f"http://{host}":
        raise Refusal(403, "pages of other origins may not use this store")


def _is_local(host: str) -> bool:
    """`Host` names this machine: localhost, or an address as such (a rebound name would stand there as a name)."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _parameters(asked: str) -> Parameters:
    if not asked:
        return {}
    try:
        pairs = parse_qsl(asked, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise Refusal(400, "the query string cannot be read") from None
    return dict(reversed(pairs))  # the first of equal names counts


def _required(given: Parameters, name: str) -> str:
    if name not in given:
        raise Refusal(400, f"parameter is missing: {name}")
    return given[name]


def _spans(trace: StoredTrace) -> list[Span]:
    return [zipkin.to_span(json.loads(text)) for text in trace.spans]


def _link(parent: str, child: str, calls: int, errors: int) -> dict[str, Any]:
    link = {"parent": parent, "child": child, "callCount": calls}
    return {**link, "errorCount": errors} if errors else link


def _traces(traces: Any) -> Response:
    return _json(f"[{','.join(trace.text() for trace in traces)}]")


def _json(text: str) -> Response:
    return Response(200, ((b"Content-Type", b"application/json"), _NOSNIFF), text.encode())


def _text(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, ((b"Content-Type", b"text/plain; charset=utf-8"), _NOSNIFF, *headers), text.encode())


_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
