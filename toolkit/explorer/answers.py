"""What each path answers: the page, and its documents as JSON. Nothing here knows of sockets.

May live here: requests to responses. A page of another origin, or one under a name that is not this machine's, gets
nothing; nothing can be changed from here, so there is nothing but GET and HEAD.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from toolkit.engines import guard
from toolkit.errors import EngineError
from toolkit.explorer import parameters
from toolkit.explorer.parameters import BadQuery
from toolkit.explorer.source import Document, Source
from toolkit.report.traces import difference, embedding, one
from toolkit.report.traces.page import Page
from toolkit.sdk.http1 import Headers, Request, Response
from toolkit.traces.model import Span

HEADERS: Headers = (
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cache-Control", b"no-store"),
    (b"X-Frame-Options", b"DENY"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
)


class Refusal(Exception):
    """A request that gets `status` and one sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Answers:
    """The handler of one page over `source`; what is asked of `against` comes from there."""

    def __init__(self, page: Page, source: Source, against: Source | None = None, *, loopback: bool = True) -> None:
        self._page, self._source, self._against, self._loopback = page, source, against, loopback
        self._paths: dict[str, Callable[[str], Awaitable[Document]]] = {
            "/data/overview": self._overview,
            "/data/trace": self._trace,
            "/data/search": self._search,
            "/data/diff": self._difference,
        }

    async def __call__(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return _refused(refusal.status, str(refusal))
        except BadQuery as error:
            return _refused(400, str(error))
        except EngineError as error:
            return _refused(502, str(error))

    async def _answer(self, request: Request) -> Response:
        if request.header(b"host") is None:
            raise Refusal(400, "a request names its host (RFC 9112)")
        if (why := guard.refusal(request, loopback=self._loopback, what="page")) is not None:
            raise Refusal(403, why)
        path, _, asked = request.target.partition("?")
        answer = self._paths.get(path)
        if answer is None and path != "/":
            raise Refusal(404, "there is nothing at this address")
        if request.method not in ("GET", "HEAD"):
            return _refused(405, "this page is only read", (b"Allow", b"GET, HEAD"))
        if answer is None:
            return self._whole_page()
        return await asyncio.to_thread(_json, 200, await answer(asked))

    def _whole_page(self) -> Response:
        own = ((b"Content-Type", b"text/html; charset=utf-8"), (b"Content-Security-Policy", self._page.policy.encode()))
        return Response(200, (*own, *HEADERS), self._page.html.encode())

    async def _overview(self, asked: str) -> Document:
        parameters.read(asked)
        return await self._source.overview()

    async def _trace(self, asked: str) -> Document:
        given = parameters.read(asked, "id", "from")
        return await self._document(parameters.trace_id(given, "id"), self._of(given, "from"))

    async def _search(self, asked: str) -> Document:
        given = parameters.read(asked, *parameters.SEARCH)
        found = await self._of(given, "from").search(parameters.search(given))
        return found.document()

    async def _difference(self, asked: str) -> Document:
        given = parameters.read(asked, "a", "b", "b_from")
        one_id, other_id = parameters.trace_id(given, "a"), parameters.trace_id(given, "b")
        other_source = self._of(given, "b_from")
        one_document = await self._document(one_id, self._source)
        return difference.document(one_document, await self._document(other_id, other_source))

    def _of(self, given: parameters.Parameters, name: str) -> Source:
        if not parameters.from_against(given, name):
            return self._source
        if self._against is None:
            raise BadQuery("there is nothing to compare against here; start the page with --against")
        return self._against

    async def _document(self, trace: str, source: Source) -> Document:
        spans: Sequence[Span] = await source.trace(trace)
        if not spans:
            raise Refusal(404, f"there is no trace {trace} here (any more)")
        return await asyncio.to_thread(one.document, trace, spans)


def _json(status: int, document: Document, *headers: tuple[bytes, bytes]) -> Response:
    own = ((b"Content-Type", b"application/json"), (b"Content-Security-Policy", b"default-src 'none'"), *headers)
    return Response(status, (*own, *HEADERS), embedding.text(document).encode("ascii"))


def _refused(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    return _json(status, {"error": text}, *headers)
