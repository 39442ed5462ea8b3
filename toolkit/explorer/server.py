"""The page on a socket: templates, source and answers put together."""

from __future__ import annotations

from toolkit import pages
from toolkit.engines import guard
from toolkit.explorer.answers import Answers
from toolkit.explorer.source import Source
from toolkit.report.traces import page
from toolkit.sdk import http1

_GRACE_S = 1.0
_MOST_BODY = 1 << 16  # nobody sends one


class Explorer:
    """A page that is served; made by `serve`."""

    def __init__(self, server: http1.Server) -> None:
        self._server = server

    @property
    def url(self) -> str:
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"http://{host}:{self._server.port}/"

    async def close(self) -> None:
        await self._server.close(_GRACE_S)


async def serve(
    title: str, source: Source, against: Source | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> Explorer:
    """Listen on `host:port` (0: any free one). Raises OSError when that cannot be had."""
    answers = Answers(page.render(pages.of_traces(), title), source, against, loopback=guard.is_loopback(host))
    return Explorer(await http1.serve(answers, host, port, max_body=_MOST_BODY))
