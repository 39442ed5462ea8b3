"""What stands before the API: pages of origins that were named, and the numbers of what the store has done."""

from __future__ import annotations

import json
import socket

import pytest

from tests.tracestore.asking import asking, wire
from toolkit.engines import tracestore
from toolkit.engines.tracestore import origins, query
from toolkit.sdk.http1 import Client

NAMED, OTHER = b"https://ui.example", b"https://evil.example"


async def test_a_page_of_an_origin_that_was_named_reads_and_writes() -> None:
    store, client = await tracestore.serve("127.0.0.1", 0, allow_origins=[NAMED.decode()]), Client()
    try:
        asked = (b"Access-Control-Request-Method", b"POST")
        before = await client.request("OPTIONS", store.url + "/api/v2/spans", ((b"Origin", NAMED), asked))
        assert (before.status, before.header(b"access-control-allow-origin")) == (204, NAMED)
        assert before.header(b"access-control-allow-methods") == b"GET, HEAD, POST"
        answer = await client.request("GET", store.url + "/api/v2/services", ((b"Origin", NAMED),))
        assert (answer.status, answer.header(b"access-control-allow-origin")) == (200, NAMED)
        assert answer.header(b"vary") == b"Origin"
    finally:
        await client.close()
        await store.close()


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
async def test_a_page_of_any_other_origin_is_refused_and_told_nothing(method: str) -> None:
    store, client = await tracestore.serve("127.0.0.1", 0, allow_origins=[NAMED.decode()]), Client()
    try:
        asked = ((b"Origin", OTHER), (b"Access-Control-Request-Method", b"POST"))
        for path in ("/api/v2/services", "/metrics", "/prometheus"):
            answer = await client.request(method, store.url + path, asked)
            assert answer.status == 403
            assert answer.header(b"access-control-allow-origin") is None
    finally:
        await client.close()
        await store.close()


EVIL = ((b"Host", b"evil.example"), (b"Origin", b"http://evil.example"))


@pytest.mark.parametrize("host", ["127.0.0.2", "127.1.2.3", "0.0.0.0"])
async def test_a_name_that_could_be_anybodys_is_refused_wherever_the_store_listens(host: str) -> None:
    store, client = await tracestore.serve(host, 0), Client()
    try:
        for path in ("/api/v2/services", "/metrics"):
            for headers in (EVIL, EVIL[:1]):
                assert (await client.request("GET", store.url + path, headers)).status == 403
            assert (await client.request("GET", store.url + path)).status == 200
    finally:
        await client.close()
        await store.close()


async def test_a_store_for_others_is_asked_by_addresses_and_by_names_that_nobody_can_buy_or_that_it_was_told() -> None:
    store = await tracestore.serve(
        "0.0.0.0",
        0,
        allow_origins=["https://ui.example:8443"],
        allow_hosts=["Traces.Example.com"],
    )
    client = Client()
    try:
        for host in (b"10.1.2.3:9411", b"[fd00::1]:80", b"zipkin", b"zipkin.traces.svc.cluster.local:9411",
                     b"zipkin.traces.svc", b"traces.example.com:9411", b"traces.example.com.", b"ui.example",
                     socket.gethostname().encode()):  # fmt: skip
            assert (await client.request("GET", store.url + "/api/v2/services", ((b"Host", host),))).status == 200, host
        for host in (b"evil.example", b"xtraces.example.com", b"10.1.2.3.evil.example", b"svc.example", b"1.2.3.4.5"):
            assert (await client.request("GET", store.url + "/api/v2/services", ((b"Host", host),))).status == 403, host
    finally:
        await client.close()
        await store.close()


@pytest.mark.parametrize("text", ["*", "null", "ui.example", "http://", "http://a b", "http://a/b", "javascript:x", ""])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no origin, such as https://ui\.example"):
        origins.origin(text)


@pytest.mark.parametrize(
    "text", ["http://localhost:3000", "https://UI.example/", "http://[::1]:80", "http://127.0.0.1"]
)
def test_an_origin_is_read_as_browsers_send_it(text: str) -> None:
    assert origins.origin(text) == text.lower().rstrip("/")


async def test_what_the_store_has_done_is_told_in_zipkins_numbers() -> None:
    async with asking() as it:
        await it.put(wire(1), wire(2), wire(2))
        assert (await it.post(b"[{}]")).status == 400
        told = json.loads((await it.get("/metrics")).body)
        assert told["counter.zipkin_collector.messages.http"] == 2
        assert told["counter.zipkin_collector.messages_dropped.http"] == 1
        assert told["counter.zipkin_collector.spans.http"] == 3
        assert told["counter.zipkin_collector.spans_dropped.http"] == 0
        assert told["counter.zipkin_collector.bytes.http"] > 4


async def test_a_request_at_which_the_store_fails_is_answered_in_a_sentence_and_counted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(query, "parse", failing)
    async with asking() as it:
        answer = await it.get("/api/v2/traces")
        assert (answer.status, answer.body) == (
            500,
            b"the store failed at this request; what happened is on its standard error",
        )
        lines = (await it.get("/prometheus")).body.decode().splitlines()
        assert 'tracestore_requests_total{about="questions",status="500"} 1' in lines
    assert "a bug" in capfd.readouterr().err


async def test_prometheus_reads_requests_by_status_and_spans() -> None:
    async with asking() as it:
        await it.put(wire(1), wire(1))
        assert (await it.get("/nowhere")).status == 404
        answer = await it.get("/prometheus")
        assert answer.header(b"content-type") == b"text/plain; version=0.0.4; charset=utf-8"
        lines = answer.body.decode().splitlines()
        assert 'tracestore_requests_total{about="spans",status="202"} 1' in lines
        assert 'tracestore_requests_total{about="questions",status="404"} 1' in lines
        assert "tracestore_spans_total 2" in lines
        assert "tracestore_spans 1" in lines
        assert "tracestore_spans_dropped_total 0" in lines
