"""Traces that keep coming, from a store of ours on a real socket: rates, searches, and a store that dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.explorer.asking import asking
from tests.unit.report.traces.made import CHAIN, START, edge, eventing, problems
from toolkit.engines import tracestore, zipkin_client
from toolkit.engines.tracestore import TraceStore
from toolkit.errors import EngineError
from toolkit.explorer import live
from toolkit.explorer.live import Live, with_root
from toolkit.explorer.source import Asked
from toolkit.report.traces.lines import Wanted
from toolkit.traces.model import Span


def now(spans: Sequence[Span], ago_s: float = 5.0) -> list[Span]:
    """These spans as if they had happened so long ago."""
    by = time.time_ns() // 1000 - round(ago_s * 1e6) - START
    return [replace(span, timestamp=(span.timestamp or 0) + by) for span in spans]


@asynccontextmanager
async def storing(traces: Sequence[Sequence[Span]]) -> AsyncIterator[TraceStore]:
    store = await tracestore.serve()
    try:
        await zipkin_client.send(store.url, [span for spans in traces for span in now(spans)])
        yield store
    finally:
        await store.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is asked every time, so that no test has to wait."""
    monkeypatch.setattr(live, "EVERY_MS", 0)
    monkeypatch.setattr(live, "IDLE", 0)


async def test_a_live_page_tells_rates_and_asks_again() -> None:
    async with storing([eventing(number) for number in range(20)]) as store:
        found = await Live(store.url, CHAIN).overview()
        assert problems("overview", found) == []
        assert found["live"]
        assert found["window_s"] == pytest.approx(0.19, abs=0.01)  # from the first trace to the last
        call = edge(found["graph"], "caller", "producer")
        assert call["n"] == 20
        assert call["per_s"] == pytest.approx(20 / found["window_s"])
        await zipkin_client.send(store.url, now(eventing(50)))
        assert edge((await Live(store.url, CHAIN).overview())["graph"], "caller", "producer")["n"] == 21


async def test_many_who_look_at_once_ask_the_store_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY_MS", 60_000)
    async with storing([eventing(1)]) as store:
        source = Live(store.url, CHAIN)
        one, other = await asyncio.gather(source.overview(), source.overview())
        assert one is other


async def test_a_store_that_dies_leaves_the_page_with_what_was_known() -> None:
    async with storing([eventing(number) for number in range(3)]) as store:
        source = Live(store.url, CHAIN)
        async with asking(source) as page:
            known = await page.json("/data/overview")
            await store.close()
            later = await page.json("/data/overview")
            assert later["note"].startswith("not up to date: ")
            assert "cannot be reached" in later["note"]
            assert later["graph"] == known["graph"]
            assert problems("overview", later) == []
            assert "cannot be reached" in (await page.json("/data/search", status=502))["error"]
            assert "cannot be reached" in (await page.json("/data/trace?id=1", status=502))["error"]
            assert (await page.get("/")).status == 200


async def test_a_store_that_was_never_there_is_told_on_an_empty_page() -> None:
    found = await Live("http://127.0.0.1:1", CHAIN).overview()
    assert problems("overview", found) == []
    assert found["note"].startswith("not up to date: ")
    assert found["traces"] == []


async def test_an_empty_store_makes_an_empty_page() -> None:
    async with storing([]) as store:
        assert problems("overview", await Live(store.url, None).overview()) == []


async def test_while_the_caller_has_not_told_yet_traces_begin_where_they_are_known_to() -> None:
    async with storing([eventing(number)[1:] for number in range(4)]) as store:
        found = await Live(store.url, None).overview()
    assert found["analysis"]["traces"] == 4
    assert edge(found["graph"], "caller", "producer")["n"] == 4
    assert edge(found["graph"], "broker", "consumer")["n"] == 4
    assert "4 have no root yet" in found["note"]
    assert found["analysis"]["completeness"] is None


async def test_of_very_many_traces_the_rate_is_that_of_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 11)
    async with storing([eventing(number) for number in range(40)]) as store:
        await zipkin_client.send(store.url, [each for number in range(40, 60) for each in now(eventing(number), 1)])
        found = await Live(store.url, None).overview()
    assert edge(found["graph"], "caller", "producer")["per_s"] == pytest.approx(110, rel=0.1)  # one each 10 ms


def test_a_trace_with_a_root_stays_as_it_is() -> None:
    spans = eventing(0)
    assert with_root(spans) is spans
    assert with_root([]) == []


async def test_more_traces_than_are_looked_at_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 3)
    async with storing([eventing(number) for number in range(5)]) as store:
        found = await Live(store.url, None).overview()
    assert found["note"] == "the newest 3 of more traces"
    assert found["more"]
    assert found["analysis"]["traces"] == 3


async def test_a_search_is_the_stores() -> None:
    traces = [eventing(number, slower=number + 1, tags={"n": str(number)}) for number in range(6)]
    async with storing(traces) as store:
        source = Live(store.url, None)
        tagged = await source.search(Asked(Wanted(tag=("n", "4"), service="producer")))
        assert [line.id for line in tagged.lines] == [traces[4][0].trace]
        slow = await source.search(Asked(Wanted(min_us=3900, max_us=6500), sort="slowest"))
        assert [line.duration_us for line in slow.lines] == [6500, 5200, 3900]
        few = await source.search(Asked(limit=2))
        assert (len(few.lines), few.more) == (2, True)
        assert (await source.search(Asked(Wanted(failed=True)))).lines == []
        assert len(await source.trace(traces[2][0].trace)) == 4


async def test_a_search_where_nobody_answers_is_an_error() -> None:
    with pytest.raises(EngineError, match="cannot be reached"):
        await Live("http://127.0.0.1:1", None).search(Asked())
