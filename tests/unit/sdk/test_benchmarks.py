"""The benchmarks' own verdicts count: whoever is told that the payload was not what was promised fails."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sdk.scaffold import CONSUME, Kept, arrival, failing_call, function, raw_call, serving, to, wiring
from toolkit.contract import ENTRY_METHOD, Wiring
from toolkit.sdk import Context, Message
from toolkit.sdk.function import Handler, HandlingFailed
from toolkit.sdk.loading import load
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
PARAMETERS = {"payload": 3}


def handler(chain: str, name: str) -> Handler:
    return load(f"{BENCHMARKS / chain}/handlers.py:{name}")


def consumer() -> Wiring:
    return wiring("consumer", serves=(CONSUME,), parameters=PARAMETERS)


async def deny(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    return ConsumeByteReply(value=False)


@pytest.mark.parametrize("chain", ["chained-serving", "chained-mixed"])
@pytest.mark.parametrize("data", [b"", b"abc"])
async def test_a_consumer_says_how_much_it_got(chain: str, data: bytes) -> None:
    kept = Kept()
    wired = wiring("consumer", serves=(CONSUME,), parameters=PARAMETERS, answers=True)
    async with serving(function(handler(chain, "consume"), wired, kept)) as target:
        raw = await raw_call(target, CONSUME, ConsumeByteRequest(value=data).SerializeToString())
    assert ConsumeByteReply.FromString(raw).value is True
    assert [receipt.answer for receipt in kept.receipts] == [str(len(data))]


@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing", "chained-mixed"])
def test_other_than_what_was_promised_is_judged_wrong(chain: str) -> None:
    judge: Any = runpy.run_path(str(BENCHMARKS / chain / "work.py"))["validate_output"]
    assert judge("3", 1, 3) is None
    assert judge("2", 1, 3) == "3 bytes were sent, 2 were consumed"


async def test_a_producer_whose_consumer_says_no_fails_its_call() -> None:
    async with serving(function(deny, consumer())) as there:
        edges = (to("consumer", there),)
        wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=edges, parameters=PARAMETERS)
        async with serving(function(handler("chained-serving", "produce"), wired)) as target:
            error = await failing_call(target, ENTRY_METHOD, b"")
    assert (error.code().name, error.details()) == ("DATA_LOSS", "the consumer did not get what was sent")


async def test_a_subscriber_whose_consumer_says_no_fails_its_event() -> None:
    async with serving(function(deny, consumer())) as there:
        made = function(
            handler("chained-mixed", "subscribe"),
            wiring("subscriber", consumes=True, outgoing=(to("consumer", there),), parameters=PARAMETERS),
        )
        with pytest.raises(HandlingFailed, match="DATA_LOSS"):
            await made.handle(arrival(Message(b"abc"), via="event"), lambda _, value: value)
        await made.around.calls.close()  # type: ignore[attr-defined]  # Channels, here


async def test_a_publisher_that_answers_something_else_fails_the_call() -> None:
    async def publish(ctx: Context, message: Message) -> str:
        return "not yet"

    generic = "link.Link/Send"
    async with serving(function(publish, wiring("publisher", serves=(generic,)))) as there:
        edges: Any = (to("publisher", there, generic),)
        wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=edges, parameters=PARAMETERS)
        async with serving(function(handler("chained-mixed", "produce"), wired)) as target:
            error = await failing_call(target, ENTRY_METHOD, b"")
    assert (error.code().name, error.details()) == ("DATA_LOSS", "the publisher answered 'not yet'")
