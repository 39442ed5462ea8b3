"""Loops: counted on the wire, held to, and safe from what strangers write there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sdk.scaffold import arrival, calling, consuming, event, function, link, wiring
from tests.unit.sdk.test_events import GREETING, Broker, deliver
from toolkit import contract
from toolkit.sdk import Context, LoopBound, Message, bounds
from toolkit.sdk.cloudevents import decode
from toolkit.sdk.function import HandlingFailed

HOSTILE = (
    "?",
    "a",
    "a>b",
    "a>b=",
    "a>b=-1",
    "a>b=1,",
    "a>b=1,a>b=2",
    "a>b=1.5",
    "a>b=1234567890",
    "a>b=١",
    "=,=",
    ">=1",
)


async def again(ctx: Context, message: Message) -> str:
    reply: Message = await ctx.call(message)
    return reply.text


def looped(text: Any, via: Any = "call") -> Any:
    key = contract.LOOPS_KEY if via == "call" else contract.LOOPS_EXTENSION
    return arrival(Message(b"x"), via=via, message="m", headers={} if text is None else {key: text})


@pytest.mark.parametrize(
    ("came", "leaves"), [(None, "f>g=1"), ("", "f>g=1"), ("f>g=2", "f>g=3"), ("x>y=9", "x>y=9,f>g=1")]
)
async def test_a_message_says_how_often_its_way_led_over_the_edge(came: str | None, leaves: str) -> None:
    called = calling(again, lambda *_: "ok", link("g", loop=3))
    assert await called.run(looped(came)) == "ok"
    assert called.callee.asked[0][1][contract.LOOPS_KEY] == leaves


async def test_the_scaffold_goes_no_further_than_the_bound() -> None:
    called = calling(again, lambda *_: "ok", link("g", loop=3))
    with pytest.raises(
        HandlingFailed, match="FAILED_PRECONDITION: the way here led 3 times over f -> g, which is its bound"
    ):
        await called.run(looped("f>g=3"))
    assert (called.callee.asked, called.kept.receipts[0].sent) == ([], ())


async def test_an_edge_without_a_bound_passes_on_what_others_count() -> None:
    called = calling(again, lambda *_: "ok", link("g"))
    await called.run(looped("a>b=2,b>a=1"))
    assert called.callee.asked[0][1][contract.LOOPS_KEY] == "a>b=2,b>a=1"
    await called.run(looped(None))
    assert contract.LOOPS_KEY not in called.callee.asked[1][1]


async def test_a_way_begins_at_the_entry_whatever_a_caller_says() -> None:
    called = calling(again, lambda *_: "ok", link("g", loop=1))
    assert (
        await called.run(
            arrival(Message(b"x"), headers={contract.LOOPS_KEY: "f>g=5", contract.LOOPS_EXTENSION: "f>g=5"})
        )
        == "ok"
    )
    assert called.callee.asked[0][1][contract.LOOPS_KEY] == "f>g=1"


@pytest.mark.parametrize("text", [*HOSTILE, "a>b=1," * 1000, b"a>b=1"])
async def test_what_cannot_be_read_loops_no_further_and_is_passed_on_as_such(text: Any) -> None:
    assert bounds.read(text) is None
    stays = calling(again, lambda *_: "ok", link("g", loop=3))
    with pytest.raises(HandlingFailed, match="how often the way here led over it cannot be read"):
        await stays.run(looped(text))
    passes = calling(again, lambda *_: "ok", link("g"))
    assert await passes.run(looped(text)) == "ok"
    assert passes.callee.asked[0][1][contract.LOOPS_KEY] == "?"


@given(st.one_of(st.text(max_size=60), st.from_regex(r"([a-z]>[a-z]=[0-9]{1,3},?){1,4}", fullmatch=True)))
def test_whatever_comes_is_read_back_as_it_was_or_not_at_all(text: str) -> None:
    found = bounds.read(text)
    assert found is None or bounds.read(bounds.written(found)) == found


def test_handled_together_messages_came_the_longest_of_their_ways() -> None:
    assert bounds.longest([{"a>b": 1, "c>d": 5}, {}, {"a>b": 3}]) == {"a>b": 3, "c>d": 5}
    assert bounds.longest([{"a>b": 1}, None]) is None
    assert bounds.longest([]) == {}


async def test_an_event_says_it_too_and_so_does_a_reply_event() -> None:
    async def on(ctx: Context, message: Message) -> str | None:
        if message.text == "reply":
            return "r"
        await ctx.emit(b"e")
        return None

    broker, wired = Broker(), wiring("f", consumes=True, outgoing=(event("t", "f", loop=2),))
    looping = GREETING | {"ce-toolkitloops": "f>f=1"}
    async with broker.listening() as sink, consuming(function(on, wired, sink=sink)) as url:
        answered = await deliver(url, looping, b"reply")
        assert (await deliver(url, looping, b"emit")).status == 200
        beyond = await deliver(url, GREETING | {"ce-toolkitloops": "f>f=2"}, b"emit")
    assert decode(answered.headers, answered.body).get("toolkitloops") == "f>f=2"
    assert [each.get("toolkitloops") for each in broker.events] == ["f>f=2"]
    assert (beyond.status, b"led 2 times over f -> f" in beyond.body) == (422, True)


def test_a_bound_is_no_failure_that_passes() -> None:
    assert LoopBound("x").code == "FAILED_PRECONDITION"


async def test_two_loops_between_the_same_functions_are_counted_each_for_itself() -> None:
    async def on(ctx: Context, message: Message) -> None:
        await ctx.emit("on", type=message.text)

    strange = "of=one,two>three"
    broker, edges = Broker(), tuple(event(each, "f", loop=2) for each in ("t1", "t2", strange))
    wired = wiring("f", consumes=True, outgoing=edges)
    came = GREETING | {"ce-toolkitloops": "f>f/t1=2,f>f/t2=1"}
    async with broker.listening() as sink, consuming(function(on, wired, sink=sink)) as url:
        assert (await deliver(url, came, b"t2")).status == 200
        assert (await deliver(url, came, strange.encode())).status == 200
        beyond = await deliver(url, came, b"t1")
    assert b"led 2 times over f -> f (t1), which is its bound" in beyond.body
    said = [bounds.read(each.get("toolkitloops")) for each in broker.events]
    assert said == [
        {"f>f/t1": 2, "f>f/t2": 2},
        {"f>f/t1": 2, "f>f/t2": 1, "f>f/of%3Done%2Ctwo%3Ethree": 1},
    ]
