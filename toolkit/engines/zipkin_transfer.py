"""Spans from a Zipkin-speaking store and into one, however many: some hundreds at a time, as they are on the wire.

May live here: the walk through a store's search, and posts that wait when the store says so. May not: files, orders of
spans, what a span is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from toolkit.engines import zipkin_client
from toolkit.engines.zipkin_client import Carrier
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Client
from toolkit.traces import zipkin

SPANS_AT_ONCE = 1000
BYTES_AT_ONCE = 1 << 20
TRACES_AT_ONCE = 200
_BUSY = (429, 503)
_WAITS = 8  # times that a store may say that it is busy with one post
_LONGEST_WAIT_S = 5.0
_NEXT = zipkin_client.NO_ZIPKIN


@dataclass(frozen=True, slots=True)
class Asked:
    """Which traces of a store: those that began within so many milliseconds before `end_ms`, of this service or any."""

    end_ms: int
    lookback_ms: int
    service: str | None = None


async def send(url: str, spans: Iterable[dict[str, Any]], *, carrier: Carrier | None = None) -> int:
    """Post these spans, one post after the other, and return how many the store took.

    A store that is busy (429, 503) is asked again when it says. Raises EngineError that says how far it came.
    """
    taken = 0
    client = carrier or Client()
    try:
        for body, count in _bodies(spans):
            await _post(client, url, body, taken)
            taken += count
    finally:
        await client.close()
    return taken


def _bodies(spans: Iterable[dict[str, Any]]) -> Iterator[tuple[bytes, int]]:
    texts: list[str] = []
    size = 0
    for span in spans:
        text = zipkin.text(span)
        if texts and (len(texts) == SPANS_AT_ONCE or size + len(text) > BYTES_AT_ONCE):
            yield f"[{','.join(texts)}]".encode(), len(texts)
            texts, size = [], 0
        texts.append(text)
        size += len(text)
    if texts:
        yield f"[{','.join(texts)}]".encode(), len(texts)


async def _post(client: Carrier, url: str, body: bytes, taken: int) -> None:
    place = zipkin_client.spans_url(url)
    try:
        for _ in range(_WAITS):
            answer = await zipkin_client.ask(client, "POST", place, body)
            if answer.status not in _BUSY:
                break
            told = answer.header(b"retry-after") or b""
            await asyncio.sleep(min(float(told) if told.isdigit() else 0.5, _LONGEST_WAIT_S))
        zipkin_client.must(answer.status in (200, 202), place, answer)
    except EngineError as error:
        raise EngineError(
            f"{error} ({taken:,} spans before that were taken)",
            next_step=f"{error.next_step}; then do the same again: spans that are there already are taken once",
        ) from error


async def traces(url: str, asked: Asked, *, carrier: Carrier | None = None) -> AsyncIterator[list[Any]]:
    """Each trace once, its spans as they were answered. Raises EngineError.

    A search answers the newest traces up to a limit: where it is reached, the time is halved until all were seen.
    A trace without any time is found by no search.
    """
    client, seen = carrier or Client(), set[str]()
    waiting = [(asked.end_ms - asked.lookback_ms, asked.end_ms)]
    try:
        while waiting:
            begin, end = waiting.pop()
            found = await _search(client, url, asked.service, begin, end, limit=TRACES_AT_ONCE)
            if len(found) >= TRACES_AT_ONCE and end - begin > 1:
                middle = (begin + end) // 2
                waiting += [(middle, end), (begin, middle)]
                continue
            if len(found) >= TRACES_AT_ONCE:  # all of one millisecond
                found = await _search(client, url, asked.service, begin, end, limit=1_000_000)
            for trace in found:
                if (trace_id := _id(url, trace)) not in seen:
                    seen.add(trace_id)
                    yield trace
    finally:
        await client.close()


async def _search(
    client: Carrier, url: str, service: str | None, begin: int, end: int, *, limit: int
) -> list[list[Any]]:
    asked = {"endTs": end, "lookback": max(end - begin, 1), "limit": limit}
    named = {"serviceName": service} if service else {}
    place = f"{zipkin_client.base_url(url)}/api/v2/traces?{urlencode(asked | named)}"
    answer = await zipkin_client.ask(client, "GET", place)
    zipkin_client.must(answer.status == 200, place, answer)
    try:
        found = zipkin.parser.decode(answer.body.decode())
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{place} answered with something else than JSON: {error}"[:300], next_step=_NEXT) from error
    if not isinstance(found, list) or not all(isinstance(each, list) for each in found):
        raise EngineError(f"{place} answered with something else than traces", next_step=_NEXT)
    return found


def _id(url: str, trace: list[Any]) -> str:
    if not trace or not isinstance(trace[0], dict):
        raise EngineError(f"{url} answered with something else than traces", next_step=_NEXT)
    return str(trace[0].get("traceId"))
