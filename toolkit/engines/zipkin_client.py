"""The client of a Zipkin-speaking store: the embedded one, a real Zipkin, or whatever else answers `/api/v2`.

May live here: requests to such a store. May not: judging spans (`traces`), keeping them (`tracestore`).
Every failure is an EngineError that says which store, what happened, and what to try.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar
from urllib.parse import urlencode

from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Client, Response
from toolkit.traces import zipkin
from toolkit.traces.model import Span

TIMEOUT_S = 15.0  # Zipkin itself gives a query up after 11 s
READY_WITHIN_S = 10.0
SHOWN_WITHIN_S = 5.0
TRACES_AT_ONCE = 100  # ids in one query: 3.3 kB, below the 4 kB that Zipkin's server takes as a request line
SPANS_AT_ONCE = 1000  # spans in one POST: about half a megabyte
_Item = TypeVar("_Item")
_Found = TypeVar("_Found")
_JSON = ((b"Content-Type", b"application/json"),)
_SPANS_PATH = "/api/v2/spans"


class Carrier(Protocol):
    """What carries requests to a store; `http1.Client` where nothing else is named. It raises what that raises."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
    ) -> Response: ...

    async def close(self) -> None: ...


def base_url(url: str) -> str:
    """What the API's paths are put behind. The address of the spans endpoint, as exporters take it, will do too."""
    return url.rstrip("/").removesuffix(_SPANS_PATH)


def spans_url(url: str) -> str:
    """Where spans are posted to."""
    return base_url(url) + _SPANS_PATH


async def spans(url: str, trace_ids: Sequence[str], *, carrier: Carrier | None = None) -> list[Span]:
    """Every stored span of these traces, in no order; a trace that the store does not know has none.

    Raises EngineError when the store cannot be reached, refuses, or answers with something else than spans.
    """
    found: list[Span] = []
    async with _client(carrier) as client:
        for chunk in _chunks(list(dict.fromkeys(trace_ids)), TRACES_AT_ONCE):
            found += await _traces(client, url, chunk)
    return found


async def search(url: str, parameters: Mapping[str, str | int], *, carrier: Carrier | None = None) -> list[list[Span]]:
    """The traces that `/api/v2/traces` finds for these parameters, newest first. Raises what `spans` raises."""
    place = f"{base_url(url)}/api/v2/traces"
    async with _client(carrier) as client:
        answer = await ask(client, "GET", f"{place}?{urlencode(parameters)}")
    must(answer.status == 200, place, answer)
    return await asyncio.to_thread(_decoded, place, lambda: zipkin.decode_traces(answer.body))  # it may be megabytes


async def send(url: str, spans: Sequence[Span], *, carrier: Carrier | None = None) -> None:
    """Hand these spans to the store, and return once it shows the last of them. Raises EngineError.

    Zipkin says 202 before it has stored anything. A store that samples may never show a span: after `SHOWN_WITHIN_S`
    this returns too, and what is missing is for whoever judges the trace to say.
    """
    async with _client(carrier) as client:
        for chunk in _chunks(spans, SPANS_AT_ONCE):
            answer = await ask(client, "POST", spans_url(url), zipkin.encode(chunk))
            must(answer.status in (200, 202), spans_url(url), answer)
        if spans:
            await until(partial(_shows, client, url, spans[-1]), within_s=SHOWN_WITHIN_S)


async def _shows(client: Carrier, url: str, span: Span) -> bool:
    return any(each.id == span.id for each in await _traces(client, url, [span.trace]))


async def ready(
    url: str,
    *,
    within_s: float = READY_WITHIN_S,
    carrier: Carrier | None = None,
    sending: bool = False,
    next_step: str | None = None,
) -> None:
    """Return once the store answers as a Zipkin does; with `sending`, once it is sure that it takes spans there too.

    `next_step` is what whoever waits can do when nobody answers.

    Raises EngineError: when nobody answers in time, with the reason of the last attempt; at once, when it is no Zipkin.
    """
    reason, said = "", b""

    async def answers() -> bool:
        nonlocal reason, said
        try:
            answer = await ask(client, "GET", probe)
            must(answer.status == 200, probe, answer)
        except EngineError as error:
            reason = str(error)
            return False
        said = answer.body
        return True

    probe = base_url(url) + "/api/v2/services"
    async with _client(carrier) as client:
        if not await until(answers, within_s=within_s):
            raise EngineError(
                f"the trace store was not ready after {within_s:g} s: {reason}",
                next_step=next_step or "start it, or leave --zipkin away: the local engine then brings its own store",
            )
        _see_that_it_is_a_list(probe, said)
        if sending:
            await _see_that_it_takes_spans(client, url)


def _see_that_it_is_a_list(place: str, said: bytes) -> None:
    """A site with a page for everything answers 200 to anything."""
    try:
        fine = isinstance(json.loads(said), list)
    except ValueError:
        fine = False
    if not fine:
        shown = said[:_SHOWN].decode("utf-8", "replace").strip()
        raise EngineError(
            f"{place} answered with something else than a Zipkin's list of services: {shown!a}", next_step=NO_ZIPKIN
        )


async def _see_that_it_takes_spans(client: Carrier, url: str) -> None:
    place = spans_url(url)
    answer = await ask(client, "POST", place, b"[]")
    if answer.status in (404, 405) and base_url(url).endswith("/zipkin"):
        raise EngineError(
            f"{place} takes no spans: a Zipkin has its pages below /zipkin, and takes spans beside that",
            next_step=f"name it {base_url(url).removesuffix('/zipkin')}",
        )
    must(answer.status in (200, 202), place, answer)


@contextlib.asynccontextmanager
async def _client(carrier: Carrier | None) -> AsyncIterator[Carrier]:
    client = carrier or Client()
    try:
        yield client
    finally:
        await client.close()


def _chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


async def _traces(client: Carrier, url: str, trace_ids: Sequence[str]) -> list[Span]:
    """Zipkin refuses to look up a single trace with `traceMany`, so that one is asked for by its own path."""
    if len(trace_ids) == 1:
        place = f"{base_url(url)}/api/v2/trace/{trace_ids[0]}"
        answer = await ask(client, "GET", place)
        if answer.status == 404:
            return []
        must(answer.status == 200, place, answer)
        return _decoded(place, lambda: zipkin.decode(answer.body))
    place = f"{base_url(url)}/api/v2/traceMany"
    answer = await ask(client, "GET", f"{place}?traceIds={','.join(trace_ids)}")
    must(answer.status == 200, place, answer)
    return _decoded(place, lambda: [span for trace in zipkin.decode_traces(answer.body) for span in trace])


async def ask(client: Carrier, method: str, place: str, body: bytes = b"") -> Response:
    """Whatever the store answers there. Raises EngineError when it answers nothing."""
    headers = _JSON if body else ()
    try:
        answer = await client.request(method, place, headers, body, timeout_s=TIMEOUT_S)
        # Zipkin (3.6) fills up with NUL what it thought an escaped U+2028 would take.
        return Response(answer.status, answer.headers, answer.body.rstrip(b"\0"))
    except TimeoutError:
        raise EngineError(f"{place} gave no answer within {TIMEOUT_S:g} s", next_step=_REACHABLE) from None
    except ValueError as error:
        raise EngineError(f"{place} cannot be asked: {error}", next_step=_REACHABLE) from error
    except ConnectionError as error:
        raise EngineError(f"{place} cannot be reached: {error}", next_step=_REACHABLE) from error


def must(fine: bool, place: str, answer: Response) -> None:
    """Raises EngineError, with what the store said, unless the answer is fine."""
    if not fine:
        said = answer.body[:_SHOWN].decode("utf-8", "replace").strip()
        raise EngineError(f"{place} answered {answer.status}: {said!a}", next_step=NO_ZIPKIN)


def _decoded(place: str, decode: Callable[[], _Found]) -> _Found:
    try:
        return decode()
    except zipkin.ZipkinError as error:
        raise EngineError(f"{place} answered with something else than spans: {error}", next_step=NO_ZIPKIN) from error


_SHOWN = 200  # bytes of a refusal
_REACHABLE = "check the address and that a Zipkin listens there (`toolkit trace serve` starts one)"
NO_ZIPKIN = "check that the address is the base URL of a Zipkin v2 API, such as http://127.0.0.1:9411"
