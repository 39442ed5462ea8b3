"""Spans by the thousand into a store and out of it, whatever the store says in between."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.tracestore.asking import NOW_US, asking, wire
from toolkit.engines import zipkin_transfer
from toolkit.engines.zipkin_transfer import Asked
from toolkit.errors import EngineError
from toolkit.sdk.http1 import Client, Response

EVERYTHING = Asked(NOW_US // 1000 + 10_000_000, 10**9)


class Scripted:
    """A store that answers what it is told to, and then that it took what it got."""

    def __init__(self, *answers: Response) -> None:
        self._answers, self.bodies = list(answers), list[bytes]()

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
    ) -> Response:
        self.bodies.append(body)
        return self._answers.pop(0) if self._answers else Response(202)

    async def close(self) -> None:
        """Nothing is open."""


async def found(url: str, asked: Asked = EVERYTHING) -> list[list[dict[str, Any]]]:
    return [trace async for trace in zipkin_transfer.traces(url, asked)]


async def test_thousands_of_traces_come_out_once_each() -> None:
    spread = [wire(number, timestamp=NOW_US + number * 1_000_000) for number in range(1000)]
    at_once = [wire(10_000 + number) for number in range(700)]
    async with asking() as it:
        assert await zipkin_transfer.send(it.store.url, [*spread, *at_once]) == 1700
        ids = [trace[0]["traceId"] for trace in await found(it.store.url)]
        assert len(ids) == len(set(ids)) == 1700


async def test_traces_of_another_time_or_service_stay_where_they_are() -> None:
    async with asking() as it:
        await it.put(wire(1), wire(2, timestamp=NOW_US - 10**13), wire(3, localEndpoint={"serviceName": "b"}))
        assert len(await found(it.store.url)) == 2
        only = await found(it.store.url, Asked(EVERYTHING.end_ms, EVERYTHING.lookback_ms, "b"))
        assert [trace[0]["traceId"] for trace in only] == [wire(3)["traceId"]]


async def test_a_store_that_is_busy_is_asked_again() -> None:
    busy = Scripted(Response(429, ((b"Retry-After", b"0"),)), Response(503, ((b"Retry-After", b"0"),)))
    assert await zipkin_transfer.send("http://store", [wire(1)], carrier=busy) == 1
    assert [json.loads(body) for body in busy.bodies] == [[wire(1)]] * 3


async def test_a_store_that_stays_busy_is_given_up_with_how_far_it_came() -> None:
    busy = Scripted(Response(202), *[Response(429, ((b"Retry-After", b"0"),), b"busy")] * 20)
    with pytest.raises(EngineError, match=r"answered 429: 'busy' \(1,000 spans before that were taken\)") as error:
        await zipkin_transfer.send("http://store", [wire(1, number) for number in range(1, 1500)], carrier=busy)
    assert "then do the same again" in str(error.value.next_step)


@pytest.mark.parametrize("body", [b"", b"{}", b"[5]", b"[[]]", b"[[5]]", b"nope", b"\xff", b"[" * 100_000])
async def test_an_answer_that_is_no_traces_is_refused_in_a_sentence(body: bytes) -> None:
    strange = Scripted(Response(200, (), body))
    with pytest.raises(EngineError, match="answered with something else than"):
        _ = [trace async for trace in zipkin_transfer.traces("http://store", EVERYTHING, carrier=strange)]


async def test_large_spans_are_sent_few_at_a_time() -> None:
    sending = Scripted()
    await zipkin_transfer.send(
        "http://store", [wire(1, number, tags={"x": "y" * 300_000}) for number in range(1, 9)], carrier=sending
    )
    assert [len(json.loads(body)) for body in sending.bodies] == [3, 3, 2]


async def test_no_spans_are_no_post() -> None:
    sending = Scripted()
    assert await zipkin_transfer.send("http://store", [], carrier=sending) == 0
    assert sending.bodies == []


async def test_a_client_that_is_not_given_is_closed() -> None:
    with pytest.raises(EngineError, match="cannot be reached"):
        await zipkin_transfer.send("http://127.0.0.1:9", [wire(1)], carrier=Client())
