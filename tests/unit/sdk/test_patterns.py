"""Many messages at once: in order, overlapping, bounded, and none left behind when one fails or the handler ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from tests.unit.sdk.scaffold import (
    Kept,
    Zipkin,
    arrival,
    calling,
    consuming,
    event,
    function,
    link,
    serving,
    to,
    tracer,
    until_async,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, Broker, deliver
from toolkit import contract
from toolkit.contract import GENERIC_METHOD
from toolkit.sdk import BlockingContext, CallFailed, Context, Message, NoSuchEdge
from toolkit.sdk.cloudevents import decode
from toolkit.sdk.function import HandlingFailed


def scattering(items: Any, **how: Any) -> Any:
    async def handler(ctx: Context, _: Any) -> list[str]:
        return [reply.text for reply in await ctx.scatter(items() if callable(items) else items, **how)]

    return handler


def upper(_: str, message: Message) -> str:
    return message.text.upper()


async def test_replies_come_in_the_order_of_the_items_whoever_is_first() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def backwards(_: str, message: Message) -> str:
        at = int(message.text)
        if at < 2:
            await gates[at].wait()
        if at:
            gates[at - 1].set()
        return f"r{at}"

    called = calling(scattering(["0", "1", "2"]), backwards, link("w", most=3))
    assert await called.run() == ["r0", "r1", "r2"]  # and would never end, were they sent one after the other
    assert called.callee.most_under_way == 3
    sent = called.kept.receipts[0].sent
    assert [each.message for each in sent] == [contract.child_id("call-1", "f", index) for index in range(3)]


@pytest.mark.parametrize("items", [["a", "b"], ("a", "b"), {"a": 1, "b": 2}.keys(), lambda: (each for each in "ab")])
async def test_anything_that_can_be_iterated_is_scattered(items: Any) -> None:
    assert await calling(scattering(items), upper, link("w", most=None)).run() == ["A", "B"]


@pytest.mark.parametrize("items", ["ab", b"ab", {"a": 1}, 7, None, Message(b"a")])
async def test_what_is_no_list_of_messages_is_refused(items: Any) -> None:
    called = calling(scattering(items), upper, link("w", most=None))
    with pytest.raises(HandlingFailed, match="TypeError: scatter takes an iterable of messages, such as a list, not a"):
        await called.run()
    assert called.callee.asked == []


async def test_nothing_is_scattered_as_nothing() -> None:
    called = calling(scattering([]), upper, link("w", most=2))
    assert (await called.run(), called.kept.receipts[0].sent) == ([], ())


async def test_so_many_at_a_time_and_no_more() -> None:
    async def slowly(_: str, message: Message) -> str:
        await asyncio.sleep(0)
        return message.text

    called = calling(scattering([str(n) for n in range(20)], limit=3), slowly, link("w", most=None))
    assert await called.run() == [str(n) for n in range(20)]
    assert called.callee.most_under_way == 3


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "2"])
async def test_a_limit_is_a_number_from_one_on(limit: Any) -> None:
    called = calling(scattering(["a"], limit=limit), upper, link("w", most=None))
    with pytest.raises(HandlingFailed, match=r"ValueError: limit=.*: at least 1 at a time"):
        await called.run()
    assert called.callee.asked == []


async def test_more_than_an_edge_takes_is_refused_before_anything_is_sent() -> None:
    called = calling(scattering(["a"] * 17), upper, link("w", most=16))
    with pytest.raises(
        HandlingFailed, match="EdgeTaken: f sends at most 16 messages to w in a handling; this would be 17"
    ):
        await called.run()
    assert (called.callee.asked, called.kept.receipts[0].sent) == ([], ())


async def test_a_wide_scatter_ends() -> None:
    called = calling(scattering(["a"] * 5000), upper, link("w", most=None))
    assert await called.run() == ["A"] * 5000
    assert len({sent.message for sent in called.kept.receipts[0].sent}) == 5000


async def test_the_first_failure_in_order_is_raised_once_all_have_ended() -> None:
    ended: list[str] = []

    async def some_fail(_: str, message: Message) -> str:
        if message.text == "2":
            raise CallFailed("w", "DATA_LOSS", "two")
        await asyncio.sleep(0.01)
        ended.append(message.text)
        if message.text == "1":
            raise CallFailed("w", "NOT_FOUND", "one")
        return "ok"

    called = calling(scattering(["0", "1", "2", "3"]), some_fail, link("w", most=None))
    with pytest.raises(HandlingFailed, match="NOT_FOUND: w: one"):
        await called.run()
    assert sorted(ended) == ["0", "1", "3"]
    assert [sent.accepted for sent in called.kept.receipts[0].sent] == [True, False, False, True]


async def test_cancelled_midway_all_of_them_end_and_the_receipt_tells_each() -> None:
    begun, ended = [], []

    async def forever(_: str, message: Message) -> str:
        begun.append(message.text)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(message.text)
        return ""

    called = calling(scattering(["0", "1", "2"], limit=2), forever, link("w", most=None))
    task = asyncio.create_task(called.run())
    await until_async(lambda: len(begun) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["0", "1"]
    receipt = called.kept.receipts[0]
    assert [sent.accepted for sent in receipt.sent] == [False, False]
    assert (receipt.error or "").startswith("CANCELLED")


async def test_cancelled_midway_a_plain_handler_sends_nothing_more() -> None:
    begun, ended, met = [], [], list[str]()

    async def forever(_: str, message: Message) -> str:
        begun.append(message.text)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(message.text)
        return ""

    def handler(ctx: BlockingContext, _: Any) -> None:
        for _ in range(2):
            try:
                ctx.scatter(["0", "1", "2"], limit=2)
            except CancelledError:
                met.append("cancelled")

    called = calling(handler, forever, link("w", most=None))
    task = asyncio.create_task(called.run())
    await until_async(lambda: len(begun) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_async(lambda: called.made.stuck == 0)  # its thread is free again
    assert (met, sorted(begun), sorted(ended)) == (["cancelled"] * 2, ["0", "1"], ["0", "1"])
    assert [sent.accepted for sent in called.kept.receipts[0].sent] == [False, False]
    called.made.close()


async def test_a_choice_is_held_to_whatever_takes_it() -> None:
    async def both(ctx: Context, _: Any) -> None:
        await ctx.scatter(["a"], to="one")
        await ctx.call("b", to="two")

    called = calling(both, upper, link("one", choice="c"), link("two", choice="c"))
    with pytest.raises(HandlingFailed, match="EdgeTaken: f takes one edge of its choice 'c'"):
        await called.run()
    assert [name for name, _, _ in called.callee.asked] == ["one"]


async def test_a_refused_edge_can_be_met_by_the_handler() -> None:
    async def twice(ctx: Context, _: Any) -> str:
        await ctx.call("a")
        try:
            await ctx.call("b")
        except NoSuchEdge as refused:
            return type(refused).__name__
        return "too much"

    assert await calling(twice, upper, link("w")).run() == "EdgeTaken"


async def test_plain_handlers_scatter_too_and_their_items_may_block() -> None:
    def handler(ctx: BlockingContext, _: Any) -> list[str]:
        items = (ctx.call(each, to="x").text for each in ("a", "b"))  # a generator that needs the loop
        return [reply.text for reply in ctx.scatter(items, to="w")]

    called = calling(handler, upper, link("w", most=2), link("x", most=2))
    assert await called.run() == ["A", "B"]
    called.made.close()


async def test_events_say_which_part_they_are() -> None:
    async def split(ctx: Context, message: Message) -> None:
        assert await ctx.scatter(["a", "b", Message(b"c", extensions={"partindex": "9", "own": "x"})]) == []

    broker, kept = Broker(), Kept()
    wired = wiring("f", consumes=True, outgoing=(event("part", most=None),))
    async with broker.listening() as sink, consuming(function(split, wired, kept, sink=sink)) as url:
        assert (await deliver(url, GREETING)).status == 200
    told = sorted((each.get("partindex"), each.get("parttotal"), each.data, each.get("own")) for each in broker.events)
    assert told == [("0", "3", b"a", None), ("1", "3", b"b", None), ("2", "3", b"c", "x")]
    assert [each.message for each in kept.receipts[0].sent] == [contract.child_id("e1", "f", n) for n in range(3)]


async def test_more_events_than_an_edge_takes_are_refused_before_any_is_sent() -> None:
    broker, kept = Broker(), Kept()
    async with broker.listening() as sink:
        wired = wiring("f", outgoing=(event("t", most=2),))
        made = function(scattering(["a", "b", "c"]), wired, kept, sink=sink)
        with pytest.raises(HandlingFailed, match="EdgeTaken: f sends at most 2 messages"):
            await made.handle(arrival(), lambda _, value: value)
    assert (broker.requests, kept.receipts[0].sent) == ([], ())


async def test_a_message_that_is_handed_on_is_no_part_because_it_was_one() -> None:
    async def hand_on(ctx: Context, message: Message) -> None:
        await ctx.emit(Message(b"x", extensions={"partindex": "1", "parttotal": "2", "own": "y"}))

    broker, wired = Broker(), wiring("f", consumes=True, outgoing=(event("t"),))
    async with broker.listening() as sink, consuming(function(hand_on, wired, sink=sink)) as url:
        await deliver(url, GREETING)
    (left,) = broker.events
    assert (left.get("partindex"), left.get("parttotal"), left.get("own")) == (None, None, "y")


async def test_what_is_sent_for_a_part_is_the_same_part_until_parts_are_joined() -> None:
    async def work(ctx: Context, message: Message) -> str | None:
        if message.text == "reply":
            return "r"
        await ctx.emit(message)
        return None

    broker, wired = Broker(), wiring("f", consumes=True, outgoing=(event("done"),))
    part = GREETING | {"ce-partindex": "2", "ce-parttotal": "5", "ce-toolkittask": "t"}
    async with broker.listening() as sink, consuming(function(work, wired, sink=sink)) as url:
        answered = await deliver(url, part, b"reply")
        await deliver(url, part, b"emit")
        await deliver(url, GREETING, b"emit")
    told = decode(answered.headers, answered.body)
    assert (told.get("partindex"), told.get("parttotal")) == ("2", "5")
    assert [(each.get("partindex"), each.get("parttotal")) for each in broker.events] == [("2", "5"), (None, None)]
    assert all(each.get("toolkittask") is None for each in broker.events)


@pytest.fixture
def zipkin() -> Iterator[Zipkin]:
    with contextlib.closing(Zipkin()) as server:
        yield server


@pytest.mark.parametrize("plain", [False, True])
async def test_sixteen_branches_overlap_in_the_trace(zipkin: Zipkin, plain: bool) -> None:
    meeting = asyncio.Barrier(16)

    async def work(ctx: Context, message: Message) -> str:
        await meeting.wait()  # passes only when all of them are there
        return message.text

    def plainly(ctx: BlockingContext, _: Any) -> int:
        return len(ctx.scatter([str(n) for n in range(16)]))

    async def awaiting(ctx: Context, _: Any) -> int:
        return len(await ctx.scatter([str(n) for n in range(16)]))

    worker = function(work, wiring("w", serves=(GENERIC_METHOD,)), tracer=tracer(zipkin, "w"))
    async with serving(worker) as there:
        wired = wiring("f", outgoing=(to("w", there, GENERIC_METHOD, least=16, most=16),))
        made = function(plainly if plain else awaiting, wired, tracer=tracer(zipkin, "f"))
        assert await made.handle(arrival(), lambda _, value: value) == 16
        await made.around.calls.close()  # type: ignore[attr-defined]  # Channels, here
        await asyncio.to_thread(made.around.tracing.close, 5.0)
        made.close()
    branches = [
        each for each in zipkin.spans if each["kind"] == "SERVER" and each["localEndpoint"]["serviceName"] == "w"
    ]
    assert len(branches) == 16
    assert max(each["timestamp"] for each in branches) <= min(each["timestamp"] + each["duration"] for each in branches)


async def test_a_seed_is_what_the_toolkit_makes_the_input_of() -> None:
    async def handler(ctx: Context, _: Any) -> int:
        return ctx.seed

    made = function(handler, wiring(seed=40))
    seeds = {await made.handle(arrival(call=f"c{n}"), lambda _, value: value) for n in range(60)}
    assert seeds == set(range(40, 48))
    assert await made.handle(arrival(call="c1"), lambda _, value: value) == contract.input_seed(40, "c1")


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [False, True])
async def test_messages_with_keys_have_the_same_ids_in_whatever_order_they_leave(blocking: bool) -> None:
    def sending(names: str) -> Any:
        async def handler(ctx: Context, _: Any) -> None:
            for name in names:
                await ctx.call(name, to="bank", key=name)

        def twin(ctx: BlockingContext, _: Any) -> None:
            for name in names:
                ctx.call(name, to="bank", key=name)

        return twin if blocking else handler

    ids = []
    for names in ("abc", "cab"):
        called = calling(sending(names), lambda *_: "ok", link("bank", most=3))
        await called.run()
        called.made.close()
        ids.append({sent.digest: sent.message for sent in called.kept.receipts[0].sent})
    assert ids[0] == ids[1]
    assert len(set(ids[0].values())) == 3


async def test_one_key_names_a_message_over_each_edge_once() -> None:
    async def handler(ctx: Context, again: Any) -> None:
        await ctx.call("x", to="bank", key="k")
        await ctx.call("x", to="spare", key="k")
        await ctx.call("x", to="bank")
        if again:
            await ctx.call("y", to="bank", key=again)

    called = calling(handler, lambda *_: "ok", link("bank", most=9), link("spare"))
    await called.run()
    assert len({sent.message for sent in called.kept.receipts[0].sent}) == 3
    for again, why in (("k", "EdgeTaken: f has sent a message with key='k' to bank"), (7, "TypeError: key=7")):
        with pytest.raises(HandlingFailed, match=why):
            await called.run(arrival(again))


async def test_events_with_keys_have_ids_of_their_own() -> None:
    async def handler(ctx: Context, message: Message) -> None:
        for name in message.text:
            await ctx.emit(name, type="t", key=name)

    broker, wired = Broker(), wiring("f", consumes=True, outgoing=(event("t", most=2),))
    async with broker.listening() as sink, consuming(function(handler, wired, sink=sink)) as url:
        for order in (b"ab", b"ba"):
            assert (await deliver(url, GREETING, order)).status == 200
    ids = [(each.data, each.id) for each in broker.events]
    assert (ids[:2], ids[0][1] != ids[1][1]) == ([ids[3], ids[2]], True)
