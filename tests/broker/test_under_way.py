"""What is under way: how much of it there is, and that nothing of it disappears without a word at the end."""

from __future__ import annotations

import asyncio

import pytest

from tests.broker.loopback import EVENT, REPLY, Far, Gate, gated, listening, only, running, until
from toolkit.engines.local.broker import BrokerConfig, DeliveryConfig, TriggerConfig, event, serve
from toolkit.engines.local.broker.delivery import Dispatcher, Leg, prepare
from toolkit.engines.local.broker.incidents import LIMIT, Incidents
from toolkit.engines.local.broker.tracing import NOTHING, Carried
from toolkit.results import Incident
from toolkit.sdk import http1
from toolkit.sdk.http1 import Client, Response


def numbered(number: int) -> http1.Headers:
    return (*EVENT[:3], (b"ce-id", b"n%d" % number))


CUT = "event {!r} of type {!r} was cut off when the broker was stopped"
SLOW = DeliveryConfig(retry=3, backoffPolicy="exponential", backoffDelay_s=60)
Told = list[tuple[str, str, str | None]]


def cut_off(incidents: list[Incident]) -> Told:
    return [(each.subject, each.text, each.message) for each in incidents if each.kind == "undelivered"]


@pytest.mark.parametrize("acknowledge", ["sync", "async"])
async def test_an_event_that_is_with_its_subscriber_at_the_end_is_told(acknowledge: str) -> None:
    incidents: list[Incident] = []
    gate = Gate()
    async with (
        gated(gate) as url,
        running(TriggerConfig("t", (url,)), incidents=incidents, acknowledge=acknowledge) as (broker, post),
    ):
        answer = asyncio.ensure_future(post())
        await gate.came.get()
        await broker.close()
        assert cut_off(incidents) == [("t", CUT.format("1", "t"), "1")]
        assert only("warning", incidents) == []  # the producer did not leave, it was sent away
        await asyncio.gather(answer, return_exceptions=True)


@pytest.mark.parametrize("acknowledge", ["sync", "async"])
async def test_an_event_that_waits_for_a_retry_at_the_end_is_told(acknowledge: str) -> None:
    incidents: list[Incident] = []
    far = Far(lambda request: Response(500))
    async with (
        listening(far),
        running(TriggerConfig("t", (far.url,)), incidents=incidents, acknowledge=acknowledge, delivery=SLOW) as (
            broker,
            post,
        ),
    ):
        answer = asyncio.ensure_future(post())
        await until(lambda: len(far.got) == 1)
        assert broker.open == 1
        await broker.close(0.01)
        assert broker.open == 0
        assert cut_off(incidents) == [("t", CUT.format("1", "t"), "1")]
        await asyncio.gather(answer, return_exceptions=True)
    assert len(far.got) == 1


async def test_an_event_whose_delivery_has_not_begun_at_the_end_is_told() -> None:
    incidents: list[Incident] = []
    far = Far()
    async with listening(far):
        triggers = [TriggerConfig(name, (far.url,)) for name in ("a", "b")]
        broker = await serve([BrokerConfig("ns", "b", tuple(triggers), "async")], on_incident=incidents.append)
        (made,) = broker._brokers
        message = event.decode(EVENT, b"")
        assert message is not None
        assert await made.accept(message, NOTHING) == 202  # its task has not had a step yet
        assert broker.open == 1
        broker._under_way.cutting = True
        for task in made.background:
            task.cancel()
        await broker.close()
    assert [(subject, message_id) for subject, _, message_id in cut_off(incidents)] == [("a", "1"), ("b", "1")]
    assert far.got == []


async def test_only_the_triggers_that_did_not_get_the_event_are_told() -> None:
    incidents: list[Incident] = []
    gate, far = Gate(), Far()
    async with gated(gate) as url, listening(far):
        triggers = (TriggerConfig("quick", (far.url,)), TriggerConfig("slow", (url,)))
        async with running(*triggers, incidents=incidents, acknowledge="async") as (broker, post):
            await post()
            await gate.came.get()
            await until(lambda: len(far.got) == 1)
            await broker.close(0.05)
    assert cut_off(incidents) == [("slow", CUT.format("1", "t"), "1")]


@pytest.mark.parametrize("acknowledge", ["sync", "async"])
async def test_of_a_reply_at_the_end_the_reply_is_told_and_not_the_event_that_arrived(acknowledge: str) -> None:
    incidents: list[Incident] = []
    gate, first = Gate(), Far(lambda request: Response(200, REPLY))
    async with gated(gate) as url, listening(first):
        triggers = (
            TriggerConfig("first", (first.url,), ({"exact": {"type": "t"}},)),
            TriggerConfig("second", (url,), ({"exact": {"type": "re"}},)),
        )
        async with running(*triggers, incidents=incidents, acknowledge=acknowledge) as (broker, post):
            answer = asyncio.ensure_future(post())
            await gate.came.get()
            await until(lambda: broker.open == (2 if acknowledge == "sync" else 1))
            await broker.close()
            assert cut_off(incidents) == [("second", CUT.format("r", "re"), "r")]
            await asyncio.gather(answer, return_exceptions=True)


async def test_a_reply_that_waits_for_a_retry_at_the_end_is_told() -> None:
    incidents: list[Incident] = []
    first, second = Far(lambda request: Response(200, REPLY)), Far(lambda request: Response(500))
    async with listening(first, second):
        triggers = (
            TriggerConfig("first", (first.url,), ({"exact": {"type": "t"}},), SLOW),
            TriggerConfig("second", (second.url,), ({"exact": {"type": "re"}},), DeliveryConfig()),
        )
        async with running(*triggers, incidents=incidents) as (broker, post):
            answer = asyncio.ensure_future(post())
            await until(lambda: len(incidents) == 1)
            await until(lambda: broker.open == 1)
            await broker.close()
            await asyncio.gather(answer, return_exceptions=True)
    lost = f"event 'r' of type 're' is lost: {second.url} answered 500"
    assert cut_off(incidents) == [("second", lost, "r"), ("first", CUT.format("r", "re"), "r")]


async def test_a_dead_letter_on_its_way_at_the_end_is_told() -> None:
    incidents: list[Incident] = []
    gate, far = Gate(), Far(lambda request: Response(400))
    async with gated(gate) as url, listening(far):
        trigger = TriggerConfig("t", (far.url,), (), DeliveryConfig(dead_letter=url))
        async with running(trigger, incidents=incidents, acknowledge="async") as (broker, post):
            await post()
            await gate.came.get()
            assert broker.open == 1
            await broker.close()
    assert cut_off(incidents) == [("t", CUT.format("1", "t"), "1")]


async def test_a_dead_letter_after_a_failed_reply_is_the_event_itself() -> None:
    incidents: list[Incident] = []
    gate, first = Gate(), Far(lambda request: Response(200, REPLY))
    async with gated(gate) as url, listening(first):
        delivery = DeliveryConfig(dead_letter=url)
        second = TriggerConfig("second", ("http://127.0.0.1:1/",), ({"exact": {"type": "re"}},), DeliveryConfig())
        triggers = (TriggerConfig("first", (first.url,), ({"exact": {"type": "t"}},), delivery), second)
        async with running(*triggers, incidents=incidents) as (broker, post):
            answer = asyncio.ensure_future(post())
            await gate.came.get()
            await broker.close()
            await asyncio.gather(answer, return_exceptions=True)
    assert cut_off(incidents)[1:] == [("first", CUT.format("1", "t"), "1")]


async def test_a_reply_that_has_not_come_in_yet_is_at_stake_in_place_of_the_event() -> None:
    class Replies(Client):
        async def exchange(self, *_: object, **__: object) -> Response:
            return Response(200, REPLY)

    async def accept(message: event.Message, carried: Carried) -> int:
        raise AssertionError("it was cancelled before its first step")

    broker = BrokerConfig("ns", "b", (TriggerConfig("t", ("http://127.0.0.1:1/",)),))
    dispatcher = Dispatcher(Replies(), Incidents(lambda incident: None), accept, lambda: "http://x/")
    message = event.decode(EVENT, b"")
    assert message is not None
    leg = Leg(prepare(broker, broker.triggers[0]), message, 255, NOTHING)
    delivering = asyncio.ensure_future(dispatcher.deliver(leg))
    await asyncio.sleep(0)  # its first step: the reply is there, and its task made
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)
    assert leg.at_stake is not None
    assert leg.at_stake.id == "r"


async def test_many_events_that_are_cut_off_are_told_one_by_one_and_then_counted() -> None:
    incidents: list[Incident] = []
    gate = Gate()
    async with (
        gated(gate) as url,
        running(TriggerConfig("t", (url,)), incidents=incidents, acknowledge="async") as (broker, post),
    ):
        for number in range(LIMIT + 5):
            assert (await post(b"", numbered(number))).status == 202
        assert broker.open == LIMIT + 5
        await broker.close()
    told = [each for each in incidents if each.kind == "undelivered"]
    assert [each.message for each in told[:LIMIT]] == [f"n{number}" for number in range(LIMIT)]
    assert [(each.subject, each.text, each.count) for each in told[LIMIT:]] == [("t", "and 5 more like it", 5)]


@pytest.mark.parametrize("acknowledge", ["sync", "async"])
async def test_what_is_through_within_the_grace_is_not_told(acknowledge: str) -> None:
    incidents: list[Incident] = []
    gate = Gate()
    async with (
        gated(gate) as url,
        running(TriggerConfig("t", (url,)), incidents=incidents, acknowledge=acknowledge) as (broker, post),
    ):
        answer = asyncio.ensure_future(post())
        await gate.came.get()
        closing = asyncio.ensure_future(broker.close(10))
        await asyncio.sleep(0)
        gate.let.set()
        await closing
        assert (await answer).status == 202
    assert incidents == []


@pytest.mark.parametrize("acknowledge", ["sync", "async"])
async def test_an_event_is_open_until_its_last_trigger_has_it(acknowledge: str) -> None:
    gate, far = Gate(), Far()
    async with gated(gate) as url, listening(far):
        triggers = (TriggerConfig("quick", (far.url,)), TriggerConfig("slow", (url,)))
        async with running(*triggers, acknowledge=acknowledge) as (broker, post):
            assert broker.open == 0
            answers = [asyncio.ensure_future(post(b"", numbered(number))) for number in range(3)]
            for _ in answers:
                await gate.came.get()
            assert broker.open == 3
            gate.let.set()
            assert {(await answer).status for answer in answers} == {202}
            await until(lambda: broker.open == 0)


async def test_nothing_is_open_once_a_producer_has_left() -> None:
    incidents: list[Incident] = []
    gate = Gate()
    async with gated(gate) as url, running(TriggerConfig("t", (url,)), incidents=incidents) as (broker, post):
        answer = asyncio.ensure_future(post())
        await gate.came.get()
        assert broker.open == 1
        answer.cancel()
        await until(lambda: broker.open == 0)
        await broker.close()
    assert cut_off(incidents) == []
    assert "a producer left" in only("warning", incidents)[0]


async def test_nothing_is_open_after_a_reply_that_took_too_long() -> None:
    gate, first = Gate(), Far(lambda request: Response(200, REPLY))
    incidents: list[Incident] = []
    async with gated(gate) as url, listening(first):
        triggers = (
            TriggerConfig("first", (first.url,), ({"exact": {"type": "t"}},), DeliveryConfig(timeout_s=0.05)),
            TriggerConfig("second", (url,), ({"exact": {"type": "re"}},), DeliveryConfig()),
        )
        async with running(*triggers, incidents=incidents) as (broker, post):
            assert (await post()).status == 500
            assert broker.open == 0
    lost = "event '1' of type 't' is lost: the reply was not handled in time"
    assert cut_off(incidents) == [("first", lost, "1")]


async def test_an_event_that_nobody_wants_or_that_is_refused_is_not_open() -> None:
    async with running(acknowledge="async") as (broker, post):
        assert (await post()).status == 202
        assert (await post(b"", EVENT[:2])).status == 400
        assert broker.open == 0
