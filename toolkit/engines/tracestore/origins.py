"""Pages of other origins that may use the store, because who runs it named them.

May live here: Cross-Origin Resource Sharing (the Fetch standard) before the API, which refuses every foreign Origin.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from toolkit.sdk.http1 import Handler, Request, Response

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?").fullmatch
_VARY = (b"Vary", b"Origin")
_PREFLIGHT = (
    (b"Access-Control-Allow-Methods", b"GET, HEAD, POST"),
    (b"Access-Control-Allow-Headers", b"Content-Type, Content-Encoding"),
    (b"Access-Control-Allow-Private-Network", b"true"),
    (b"Access-Control-Max-Age", b"600"),
)


def origin(text: str) -> str:
    """`http(s)://HOST[:PORT]`, as browsers send it. Raises ValueError."""
    lowered = text.rstrip("/").lower()
    if not _ORIGIN(lowered):
        raise ValueError(f"{text[:100]!r} is no origin, such as https://ui.example or http://localhost:3000")
    return lowered


def host(of: str) -> str:
    """The host of an origin, without its port."""
    return urlsplit(of).hostname or ""


class Allowing:
    """The handler before `handler`: requests of these origins reach it as if they came from nowhere."""

    def __init__(self, handler: Handler, origins: Collection[str]) -> None:
        self._handler, self._origins = handler, frozenset(origins)

    async def __call__(self, request: Request) -> Response:
        sent = request.header(b"origin")
        if sent is None or sent.decode("latin-1").lower() not in self._origins:
            return await self._handler(request)
        allowed = (b"Access-Control-Allow-Origin", sent)
        if request.method == "OPTIONS" and request.header(b"access-control-request-method") is not None:
            return Response(204, (allowed, _VARY, *_PREFLIGHT))
        others = tuple(each for each in request.headers if each[0].lower() != b"origin")
        answer = await self._handler(dataclasses.replace(request, headers=others))
        return Response(answer.status, (*answer.headers, allowed, _VARY), answer.body)
