"""Zipkin's HTTP API v2 over a store of spans: what each path answers, and nothing about sockets.

May live here: requests to responses; those of OpenTelemetry's protocol are `otlp`'s. The answers are those of a Zipkin
3.6 server, also under `/zipkin`, except that a method that is not there gets 405 and that no answer repeats what was
sent beyond hex digits.
A page in somebody's browser may neither read nor write here: a request with a foreign Origin, or one for a host name
that is not this machine's, is refused (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from toolkit.engines.tracestore import bodies, lens, limits, otlp, query
from toolkit.engines.tracestore.bodies import Bodies, Refusal
from toolkit.engines.tracestore.committing import Committer
from toolkit.engines.tracestore.dependencies import Dependencies
from toolkit.engines.tracestore.readers import Readers
from toolkit.engines.tracestore.reading import Reader
from toolkit.engines.tracestore.store import Store
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Request, Response
from toolkit.traces import wire, zipkin

MOST_TRACES_ASKED = 1000  # ids in one traceMany, as in Zipkin

Parameters = Mapping[str, str]
Answer = Callable[[Parameters], Awaitable[Response]]


class Api:
    """The handler. `now_ms` tells the time; `refuse` tells why a request is not answered at all."""

    def __init__(
        self,
        store: Store,
        committer: Committer,
        readers: Readers,
        reading: Bodies,
        now_ms: Callable[[], int],
        *,
        refuse: Callable[[Request], str | None],
        pages: lens.Pages = lens.absent,
    ) -> None:
        self._store, self._committer, self._ask = store, committer, readers.ask
        self._bodies = reading
        self._now_ms, self._refuse = now_ms, refuse
        self._dependency = Dependencies(store)
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
            busy = refusal.status == 429
            return _text(refusal.status, str(refusal), *([limits.RETRY_AFTER] if busy else []))
        except (query.BadQuery, wire.Refused) as error:
            return _text(400, str(error))
        except EngineError as error:
            return _text(503, str(error))

    async def _answer(self, request: Request) -> Response:
        if (why := self._refuse(request)) is not None:
            raise Refusal(403, why)
        if (page := self._pages(request)) is not None:
            return page
        path, _, asked = request.target.partition("?")
        path = path.removeprefix("/zipkin")
        if request.method == "POST" and path == "/api/v2/spans":
            return await self._post(request)
        if path == otlp.PATH:
            return await otlp.answer(request, self._bodies, self._committer.keep)
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
        return await self._trace(unquote(path.removeprefix("/api/v2/trace/")))

    async def _post(self, request: Request) -> Response:
        async with self._bodies.read(request, bodies.form_of(request)) as spans:
            await self._committer.keep(spans, None if bodies.packed(request) else len(request.body))
        return Response(202)

    async def _trace(self, given: str) -> Response:
        trace_id = wire.trace_id(given)
        if (text := await self._ask(lambda reader: self._store.text(trace_id, reader))) is None:
            raise Refusal(404, f"{trace_id} not found")
        return _json(b"[%b]" % text)

    async def _trace_many(self, given: Parameters) -> Response:
        ids = _required(given, "traceIds").split(",", MOST_TRACES_ASKED)
        if ids == [""]:
            raise Refusal(400, "traceIds parameter is empty")
        different = dict.fromkeys(wire.trace_id(each) for each in ids)
        if len(different) < len(ids):
            raise Refusal(400, "redundant traceId")
        if len(different) == 1:
            raise Refusal(400, "Use /api/v2/trace/{traceId} endpoint to retrieve a single trace")

        def listed(reader: Reader) -> Response:
            found = (self._store.text(each, reader) for each in different)
            return _traces(each for each in found if each is not None)

        return await self._ask(listed)

    async def _traces(self, given: Parameters) -> Response:
        asked = query.parse(given, self._now_ms())
        return await self._ask(lambda reader: _traces(text for _, text in self._store.search(asked, reader).found))

    async def _dependencies(self, given: Parameters) -> Response:
        end_ms, lookback_ms = query.window(given, None)
        begin, end = query.kept((end_ms - lookback_ms) * 1000), query.kept(end_ms * 1000 + 999)
        links = await self._ask(lambda reader: self._dependency.links(begin, end, reader))
        return _listed([_link(each.parent, each.child, each.calls, each.errors) for each in links])

    async def _services(self, given: Parameters) -> Response:
        return _listed(await self._ask(self._store.services))

    async def _span_names(self, given: Parameters) -> Response:
        service = _required(given, "serviceName").lower()
        return _listed(await self._ask(lambda reader: self._store.span_names(service, reader)))

    async def _remote_services(self, given: Parameters) -> Response:
        service = _required(given, "serviceName").lower()
        return _listed(await self._ask(lambda reader: self._store.remote_services(service, reader)))

    async def _autocomplete_keys(self, given: Parameters) -> Response:
        return _listed(self._store.completed)

    async def _autocomplete_values(self, given: Parameters) -> Response:
        key = _required(given, "key")
        return _listed(await self._ask(lambda reader: self._store.values(key, reader)))

    async def _health(self, given: Parameters) -> Response:
        return _json(b'{"status":"UP","zipkin":{"status":"UP"}}')

    async def _info(self, given: Parameters) -> Response:
        kept = self._store.forgetting
        store = {
            "traces": kept.traces,
            "spans": kept.spans,
            "bytes": kept.bytes,
            "maxSpans": kept.bounds.spans,
            "maxBytes": kept.bounds.bytes,
            "maxAge": kept.bounds.age,
            "evictedTraces": kept.evicted_traces,
            "evictedSpans": kept.evicted_spans,
            "expiredTraces": kept.expired_traces,
        }
        return _listed({"zipkin": {"version": "kn-bench", "api": "v2"}, "store": store})


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


def _link(parent: str, child: str, calls: int, errors: int) -> dict[str, Any]:
    link = {"parent": parent, "child": child, "callCount": calls}
    return {**link, "errorCount": errors} if errors else link


def _traces(texts: Iterable[bytes]) -> Response:
    """Made in the thread that found them: there may be half a gigabyte."""
    return _json(b"[%b]" % b",".join(b"[%b]" % each for each in texts))


def _listed(found: object) -> Response:
    return _json(zipkin.text(found).encode())


def _json(body: bytes) -> Response:
    return Response(200, ((b"Content-Type", b"application/json"), _NOSNIFF), body)


def _text(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, ((b"Content-Type", b"text/plain; charset=utf-8"), _NOSNIFF, *headers), text.encode())


_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
