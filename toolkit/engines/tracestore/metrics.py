"""What the store has done since it started, in numbers: `/metrics` as Zipkin's, `/prometheus` as Prometheus reads it.

May live here: counting requests by how they were answered, and the two texts. What the store holds is its own to say.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from toolkit.sdk.http1 import Handler, Request, Response
from toolkit.sdk.http1.message import MessageError

_POSTS = ("/api/v2/spans", "/zipkin/api/v2/spans", "/v1/traces")


@dataclass(frozen=True, slots=True)
class Spans:
    """`taken` since the start, repetitions too; `kept` now; `dropped` since the start to make room."""

    taken: int
    kept: int
    dropped: int


class Counting:
    """The handler before `handler`; `spans` tells how they stand now, `refuse` why somebody is not answered."""

    def __init__(
        self, handler: Handler, spans: Callable[[], Spans], *, refuse: Callable[[Request], str | None]
    ) -> None:
        self._handler, self._spans, self._refuse = handler, spans, refuse
        self._answers: Counter[tuple[str, int]] = Counter()  # by what was asked ("spans", "questions") and the status
        self._bytes = 0

    async def __call__(self, request: Request) -> Response:
        path = request.target.partition("?")[0]
        if path in ("/metrics", "/prometheus") and request.method in ("GET", "HEAD"):
            if (why := self._refuse(request)) is not None:
                return Response(403, _TEXT, why.encode())
            return self._as_zipkin() if path == "/metrics" else self._as_prometheus()
        answer = await self._answer(request)
        posted = request.method == "POST" and path in _POSTS
        self._answers["spans" if posted else "questions", answer.status] += 1
        self._bytes += len(request.body)
        return answer

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except MessageError:  # the server's own way of refusing
            raise
        except Exception:  # the boundary: a bug is one failed request, named and counted, and its sender is told
            traceback.print_exc(file=sys.stderr)
            return Response(500, _TEXT, _FAILED)

    def _as_zipkin(self) -> Response:
        posts = {status: count for (asked, status), count in self._answers.items() if asked == "spans"}
        spans = self._spans()
        told = {
            "counter.zipkin_collector.messages.http": sum(posts.values()),
            "counter.zipkin_collector.messages_dropped.http": sum(posts[each] for each in posts if each >= 400),
            "counter.zipkin_collector.bytes.http": self._bytes,
            "counter.zipkin_collector.spans.http": spans.taken,
            "counter.zipkin_collector.spans_dropped.http": spans.dropped,
        }
        return Response(200, ((b"Content-Type", b"application/json"), _NOSNIFF), json.dumps(told).encode())

    def _as_prometheus(self) -> Response:
        spans = self._spans()
        lines = [
            "# HELP tracestore_requests_total Requests, by what they were about and how they were answered.",
            "# TYPE tracestore_requests_total counter",
            *(f'tracestore_requests_total{{about="{asked}",status="{status}"}} {count}'
              for (asked, status), count in sorted(self._answers.items())),
            "# HELP tracestore_received_bytes_total Bytes of requests' bodies, as they were sent.",
            "# TYPE tracestore_received_bytes_total counter",
            f"tracestore_received_bytes_total {self._bytes}",
            "# HELP tracestore_spans_total Spans that were taken, repetitions too.",
            "# TYPE tracestore_spans_total counter",
            f"tracestore_spans_total {spans.taken}",
            "# HELP tracestore_spans Spans that are kept.",
            "# TYPE tracestore_spans gauge",
            f"tracestore_spans {spans.kept}",
            "# HELP tracestore_spans_dropped_total Spans that were forgotten to stay within the store's bounds.",
            "# TYPE tracestore_spans_dropped_total counter",
            f"tracestore_spans_dropped_total {spans.dropped}",
        ]  # fmt: skip
        kind = (b"Content-Type", b"text/plain; version=0.0.4; charset=utf-8")
        return Response(200, (kind, _NOSNIFF), ("\n".join(lines) + "\n").encode())


_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
_TEXT = ((b"Content-Type", b"text/plain; charset=utf-8"), _NOSNIFF)
_FAILED = b"the store failed at this request; what happened is on its standard error"
