"""The broker over loopback, where the recording is silent or says it only in words: codings, replicas, ends."""

from __future__ import annotations

import asyncio
import base64
import gzip

import pytest

from tests.broker.loopback import EVENT, REPLY, Far, listening, only, running
from toolkit.engines.local.broker import BrokerConfig, DeliveryConfig, TriggerConfig
from toolkit.engines.local.broker.incidents import LIMIT
from toolkit.results import Incident
from toolkit.sdk import http1
from toolkit.sdk.http1 import Client, Request, Response


async def test_a_gzip_reply_is_unpacked() -> None:
    packed = (*REPLY, (b"Content-Type", b"text/plain"), (b"Content-Encoding", b"gzip"))
    first, second = Far(lambda request: Response(200, packed, gzip.compress(b"hello"))), Far()
    async with listening(first, second):
        triggers = (
            TriggerConfig("first", (first.url,), ({"exact": {"type": "t"}},)),
            TriggerConfig("second", (second.url,), ({"exact": {"type": "re"}},)),
        )
        async with running(*triggers) as (_, post):
            assert (await post()).status == 202
    (got,) = second.got
    assert (got.body, got.header(b"content-encoding"), got.header(b"content-length")) == (b"hello", None, b"5")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9]])
async def test_a_broken_gzip_reply_is_a_failure(body: bytes) -> None:
    far = Far(lambda request: Response(200, (*REPLY, (b"Content-Encoding", b"gzip")), body))
    async with listening(far):
        delivery = DeliveryConfig(retry=1)
        async with running(TriggerConfig("t", (far.url,)), delivery=delivery) as (_, post):
            assert (await post()).status == 500
    assert len(far.got) == 2


async def test_an_error_body_of_768_bytes_is_told_whole_and_without_a_warning() -> None:
    body = bytes(range(256)) * 3
    incidents: list[Incident] = []
    far, sink = Far(lambda request: Response(400, (), body)), Far()
    async with listening(far, sink):
        delivery = DeliveryConfig(dead_letter=sink.url)
        async with running(TriggerConfig("t", (far.url,)), delivery=delivery, incidents=incidents) as (_, post):
            assert (await post()).status == 202
    (letter,) = sink.got
    data = letter.header(b"ce-knativeerrordata")
    assert data is not None
    assert len(data) == 1024
    assert base64.b64decode(data) == body
    assert only("warning", incidents) == []
    assert only("dead-letter", incidents) == [f"event '1' of type 't' went to {sink.url}: {far.url} answered 400"]


async def test_a_long_error_body_is_cut_and_warned_of() -> None:
    incidents: list[Incident] = []
    far, sink = Far(lambda request: Response(400, (), b"x" * 769)), Far()
    async with listening(far, sink):
        delivery = DeliveryConfig(dead_letter=sink.url)
        async with running(TriggerConfig("t", (far.url,)), delivery=delivery, incidents=incidents) as (_, post):
            assert (await post()).status == 202
    assert len(sink.got[0].header(b"ce-knativeerrordata") or b"") == 1024
    assert "kills Knative's dispatcher" in only("warning", incidents)[0]


async def test_after_a_timeout_the_dead_letter_hears_nothing_of_why() -> None:
    sink = Far()
    gone = asyncio.Event()

    async def hang(request: Request) -> Response:
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return Response(200)

    slow = await http1.serve(hang, "127.0.0.1", 0)
    async with listening(sink):
        delivery = DeliveryConfig(timeout_s=0.05, dead_letter=sink.url)
        trigger = TriggerConfig("t", (f"http://127.0.0.1:{slow.port}/",), (), delivery)
        async with running(trigger) as (_, post):
            assert (await post()).status == 202
        await asyncio.wait_for(gone.wait(), 5)  # the subscriber was cancelled, not left behind
    await slow.close()
    names = [name.lower() for name, _ in sink.got[0].headers]
    assert b"ce-knativebrokerttl" in names
    assert not any(name.startswith(b"ce-knativeerror") for name in names)


async def test_replicas_take_turns_and_a_retry_goes_to_the_next() -> None:
    bad, good = Far(lambda request: Response(500)), Far()
    async with listening(bad, good):
        trigger = TriggerConfig("t", (bad.url, good.url))
        async with running(trigger, delivery=DeliveryConfig(retry=1)) as (_, post):
            assert [(await post()).status for _ in range(3)] == [202, 202, 202]
    assert (len(bad.got), len(good.got)) == (3, 3)


async def test_a_subscriber_that_restarts_loses_nothing() -> None:
    far = Far()
    first = await http1.serve(far.handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{first.port}/"
    delivery = DeliveryConfig(retry=50, backoffPolicy="linear", backoffDelay_s=0.001)
    async with running(TriggerConfig("t", (url,)), delivery=delivery) as (_, post):
        assert (await post()).status == 202
        await first.close()
        waiting = asyncio.ensure_future(post())
        await asyncio.sleep(0)
        second = await http1.serve(far.handle, "127.0.0.1", first.port)
        assert (await waiting).status == 202
        await second.close()
    assert len(far.got) == 2


async def test_the_default_of_a_broker_is_knatives_own() -> None:
    from toolkit.engines.local.broker import policy

    broker = BrokerConfig("ns", "b")
    found = policy.effective(broker, TriggerConfig("t", ("http://x/",)))
    assert (found.retry, found.backoffPolicy, found.backoffDelay_s) == (10, "exponential", 0.2)
    assert [policy.wait_s(found, retry) for retry in (0, 1, 9)] == [0.2, 0.4, 102.4]


async def test_async_answers_first_and_still_delivers_when_it_is_closed_with_grace() -> None:
    go = asyncio.Event()

    async def wait(request: Request) -> Response:
        await go.wait()
        return Response(200)

    server = await http1.serve(wait, "127.0.0.1", 0)
    trigger = TriggerConfig("t", (f"http://127.0.0.1:{server.port}/",))
    async with running(trigger, acknowledge="async") as (broker, post):
        assert (await post()).status == 202
        go.set()
        await broker.close(5)
    await server.close()


async def test_a_lost_event_is_told_once_for_each_and_then_only_counted() -> None:
    incidents: list[Incident] = []
    far = Far(lambda request: Response(400))
    async with listening(far):
        trigger = TriggerConfig("t", (far.url,))
        async with running(trigger, incidents=incidents) as (_, post):
            for _ in range(LIMIT + 5):
                await post()
    told = only("undelivered", incidents)
    assert told[0] == f"event '1' of type 't' is lost: {far.url} answered 400"
    assert told[LIMIT:] == ["and 5 more like it"]


async def test_a_warning_is_told_once_however_often_it_holds() -> None:
    incidents: list[Incident] = []
    async with running(incidents=incidents) as (_, post):
        for _ in range(3):
            await post(b"", EVENT[:1])
        await post(b"", ())
    refused = "an event was refused with 400: id: is REQUIRED and must not be empty"
    no_event = "a request that is no CloudEvent was refused with 400"
    assert only("warning", incidents) == [refused, no_event, f"3 times in all: {refused}"]


async def test_hostile_events_cannot_fill_the_memory_with_warnings() -> None:
    incidents: list[Incident] = []
    async with running(incidents=incidents) as (_, post):
        for number in range(1100):
            await post(b"", (*EVENT, (b"ce-time", b"bad %d" % number)))
    warnings = only("warning", incidents)
    assert len(warnings) <= LIMIT + 3
    assert "more like it" in warnings[-1]


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_only_post_is_allowed(verb: str) -> None:
    async with running() as (broker, _):
        client = Client()
        answer = await client.request(verb, broker.url("ns", "b"))
        await client.close()
    assert (answer.status, answer.header(b"allow")) == (405, b"POST, OPTIONS")


async def test_the_sides_of_a_fan_out_do_not_wait_for_each_other() -> None:
    arrived = asyncio.Barrier(3)

    async def meet(request: Request) -> Response:
        await arrived.wait()
        return Response(200)

    server = await http1.serve(meet, "127.0.0.1", 0)
    triggers = [TriggerConfig(f"t{n}", (f"http://127.0.0.1:{server.port}/{n}",)) for n in range(3)]
    async with running(*triggers) as (_, post):
        assert (await asyncio.wait_for(post(), 5)).status == 202
    await server.close()


async def test_a_chain_of_254_replies_comes_to_its_end() -> None:
    far = Far(lambda request: Response(200, (*REPLY, (b"Content-Type", b"text/plain")), b"again"))
    incidents: list[Incident] = []
    async with listening(far):
        trigger = TriggerConfig("loop", (far.url,))
        async with running(trigger, delivery=DeliveryConfig(), incidents=incidents) as (_, post):
            assert (await post()).status == 500
    assert len(far.got) == 255
    assert "no hops left" in " ".join(only("warning", incidents))
