"""The core around a handler, without a socket: contexts, answers, receipts, failures."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import Any
from urllib.parse import quote

import pytest

from tests.unit.sdk.scaffold import Kept, arrival, calling, event, function, link, to, until_async, wiring
from toolkit import contract
from toolkit.sdk import BlockingContext, CallFailed, Context, EmitFailed, Message, NoSink, NoSuchEdge, Refused
from toolkit.sdk.arrival import Arrival
from toolkit.sdk.function import Function, HandlingFailed, bounded
from toolkit.sdk.handling import Handling
from toolkit.sdk.threads import Threads


def as_it_is(_: Handling, value: Any) -> Any:
    return value


async def handled(made: Function, come: Arrival | None = None) -> Any:
    return await made.handle(come or arrival(), as_it_is)


async def test_a_handler_sees_its_place_in_the_chain() -> None:
    seen: dict[str, Any] = {}

    async def handler(ctx: Context, request: str) -> str:
        seen.update(
            function=ctx.function, call=ctx.call_id, message=ctx.message_id, sender=ctx.sender, method=ctx.method
        )
        seen.update(parameters=dict(ctx.parameters), deadline=ctx.deadline_s, request=request)
        return "answer"

    made = function(handler, wiring("middle", parameters={"payload": 3}))
    come = arrival("hello", via="call", call="c1", message="m1", sender="first", method="a.B/C")
    assert await handled(made, come) == "answer"
    assert seen == {
        "function": "middle",
        "call": "c1",
        "message": "m1",
        "sender": "first",
        "method": "a.B/C",
        "parameters": {"payload": 3},
        "deadline": None,
        "request": "hello",
    }


async def test_the_payload_is_decided_by_seed_and_call() -> None:
    async def handler(ctx: Context, _: None) -> tuple[bytes, bytes]:
        return ctx.payload(), ctx.payload(5)

    made = function(handler, wiring(seed=4, parameters={"payload": 7}))
    assert await handled(made, arrival(call="c9")) == (contract.payload(4, "c9", 7), contract.payload(4, "c9", 5))


async def test_every_handling_leaves_a_receipt_in_order_of_arrival() -> None:
    kept = Kept()

    async def handler(ctx: Context, _: None) -> None:
        await asyncio.sleep(0.02 if ctx.message_id == "m0" else 0)

    made = function(handler, wiring("f"), kept)
    await asyncio.gather(*(handled(made, arrival(message=f"m{n}", raw=b"abc")) for n in range(3)))
    assert sorted((receipt.seq, receipt.message) for receipt in kept.receipts) == [(0, "m0"), (1, "m1"), (2, "m2")]
    assert {receipt.cold for receipt in kept.receipts if receipt.seq == 0} == {True}
    assert {receipt.cold for receipt in kept.receipts if receipt.seq > 0} == {False}
    assert {(receipt.digest, receipt.size) for receipt in kept.receipts} == {(contract.digest(b"abc"), 3)}


async def test_a_receipt_is_written_before_the_answer_is_there() -> None:
    order: list[str] = []

    class Slow(Kept):
        async def write(self, receipt: contract.Receipt) -> None:
            await asyncio.sleep(0.01)
            order.append("receipt")

    async def handler(ctx: Context, _: None) -> None: ...

    await handled(function(handler, wiring(), Slow()))
    order.append("answer")
    assert order == ["receipt", "answer"]


async def test_a_failing_handler_is_told_logged_and_receipted(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()

    async def handler(ctx: Context, _: None) -> None:
        raise KeyError("colour")

    with pytest.raises(HandlingFailed, match="KeyError: 'colour'") as raised:
        await handled(function(handler, wiring(), kept))
    assert raised.value.code == "INTERNAL"
    assert kept.receipts[0].error == "INTERNAL: KeyError: 'colour'"
    assert "Traceback" in caplog.text


async def test_an_answer_that_cannot_be_said_is_a_failure_of_the_handler() -> None:
    def answer(_: Handling, value: Any) -> bytes:
        raise TypeError("helloworld.HelloReply cannot be made of a set")

    async def handler(ctx: Context, _: None) -> set[int]:
        return {1}

    kept = Kept()
    with pytest.raises(HandlingFailed, match="cannot be made of a set"):
        await function(handler, wiring(), kept).handle(arrival(), answer)
    assert kept.receipts[0].error is not None


@pytest.mark.parametrize(
    ("error", "code", "details"),
    [
        (CallFailed("consumer", "NOT_FOUND", "no such key"), "NOT_FOUND", "consumer: no such key"),
        (CallFailed("consumer", "UNAVAILABLE", ""), "UNAVAILABLE", "consumer: UNAVAILABLE"),
        (EmitFailed("http://b/", 503, "full"), "UNAVAILABLE", "the sink http://b/ answered 503: full"),
        (EmitFailed("http://b/", 400, ""), "INTERNAL", "the sink http://b/ answered 400"),
        (EmitFailed("http://b/", None, "refused"), "UNAVAILABLE", "the sink http://b/ did not answer: refused"),
        (Refused("INVALID_ARGUMENT", "too small"), "INVALID_ARGUMENT", "too small"),
    ],
)
async def test_what_a_handler_lets_pass_keeps_its_status(error: Exception, code: str, details: str) -> None:
    async def handler(ctx: Context, _: None) -> None:
        raise error

    with pytest.raises(HandlingFailed) as raised:
        await handled(function(handler, wiring()))
    assert (raised.value.code, raised.value.details) == (code, details)


async def test_long_details_are_cut_to_what_a_trailer_may_hold() -> None:
    async def handler(ctx: Context, _: None) -> None:
        raise ValueError("x" * 100_000)

    with pytest.raises(HandlingFailed) as raised:
        await handled(function(handler, wiring()))
    assert len(raised.value.details) == 4096


@pytest.mark.parametrize("each", ["x", "%", "é", "—", "🐟", "\x00", "a🐟", "\ud800"])
@pytest.mark.parametrize("times", [1, 340, 5000])
def test_details_are_bounded_as_a_trailer_says_them_and_cut_between_characters(each: str, times: int) -> None:
    said = bounded(each * times)
    encoded = quote(said, safe="".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%"))
    assert len(encoded) <= 4096
    sayable = (each * times).encode("utf-8", "backslashreplace").decode()
    assert sayable.startswith(said)
    assert said == sayable or len(encoded) > 4096 - 12


async def test_a_handler_that_exits_fails_like_any_other_and_its_receipt_says_so() -> None:
    async def leaves(ctx: Context, _: None) -> None:
        sys.exit(1)

    def leaves_in_its_thread(ctx: BlockingContext, _: None) -> None:
        sys.exit("out of memory")

    kept = Kept()
    for handler in (leaves, leaves_in_its_thread):
        with pytest.raises(HandlingFailed) as raised:
            await handled(function(handler, wiring(), kept))
        assert raised.value.code == "INTERNAL"
    assert [each.error for each in kept.receipts] == ["INTERNAL: SystemExit: 1", "INTERNAL: SystemExit: out of memory"]


async def test_what_ends_the_process_is_no_success_on_its_receipt() -> None:
    class Stop(BaseException):
        """As KeyboardInterrupt, which pytest would take for its own."""

    async def stops(ctx: Context, _: None) -> None:
        raise Stop

    kept = Kept()
    with pytest.raises(Stop):
        await handled(function(stops, wiring(), kept))
    assert kept.receipts[0].error == "ABORTED: Stop"


def test_a_status_that_does_not_exist_cannot_refuse() -> None:
    with pytest.raises(ValueError, match="TEAPOT"):
        Refused("TEAPOT", "short and stout")


async def test_a_cancelled_handling_leaves_a_receipt_too() -> None:
    kept, begun = Kept(), asyncio.Event()

    async def handler(ctx: Context, _: None) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(handled(function(handler, wiring(), kept)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept.receipts[0].error == "CANCELLED: the sender went away"


async def test_a_plain_handler_runs_in_a_thread_and_blocks_nobody() -> None:
    release, threads = threading.Event(), list[int]()

    def handler(ctx: BlockingContext, request: str) -> str:
        threads.append(threading.get_ident())
        assert release.wait(10)
        return request.upper()

    task = asyncio.create_task(handled(function(handler, wiring()), arrival("quiet")))
    await until_async(lambda: threads)
    release.set()
    assert await task == "QUIET"
    assert threads[0] != threading.get_ident()


async def test_plain_handlers_that_wait_let_others_work() -> None:
    """Each calls itself: sixty at once, six deep, is more than work at once by far."""
    made: list[Function] = []
    most = 0

    async def answer(_: str, message: Message) -> Any:
        nonlocal most
        most = max(most, made[0].stuck)
        return await handled(made[0], arrival(message))

    def deeper(ctx: BlockingContext, message: Message) -> int:
        return 1 + (0 if message.json() == 0 else int(ctx.call(message.json() - 1).json()))

    called = calling(deeper, answer, link("f"))
    made.append(called.made)
    found = await asyncio.wait_for(
        asyncio.gather(*(handled(called.made, arrival(Message(b"5"))) for _ in range(60))), 30
    )
    called.made.close()
    assert (found, most > 64) == ([6] * 60, True)


async def test_a_plain_recursion_beyond_every_thread_is_refused_and_not_stuck(caplog: pytest.LogCaptureFixture) -> None:
    made: list[Function] = []

    async def answer(_: str, message: Message) -> Any:
        try:
            return await handled(made[0], arrival(message))
        except HandlingFailed as failed:
            raise CallFailed("f", failed.code, failed.details) from failed

    def deeper(ctx: BlockingContext, message: Message) -> int:
        return 1 + int(ctx.call(message.json() + 1).json())  # for ever

    called = calling(deeper, answer, link("f"))
    made.append(called.made)
    called.made._threads = Threads(at_once=2, most=20)
    with pytest.raises(HandlingFailed, match="all 20 threads of this function hold handlers that wait") as failed:
        await asyncio.wait_for(handled(called.made, arrival(Message(b"0"))), 30)
    called.made.close()
    assert failed.value.code == "RESOURCE_EXHAUSTED"
    assert "a message was refused: all 20 threads" in caplog.text
    assert len(called.kept.receipts) == 21  # the one that was turned away has one too


async def test_no_more_plain_handlers_work_at_once_than_there_are_turns() -> None:
    release, at_once, most = threading.Event(), 0, 0
    lock = threading.Lock()

    def handler(ctx: BlockingContext, _: None) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        assert release.wait(10)
        with lock:
            at_once -= 1

    made = function(handler, wiring())
    made._threads = Threads(at_once=3, most=20)
    tasks = [asyncio.create_task(handled(made)) for _ in range(9)]
    await until_async(lambda: at_once == 3)
    tasks[0].cancel()  # at work: its thread goes on, and nobody takes its place
    tasks[8].cancel()  # never had its turn
    release.set()
    gone = await asyncio.gather(*tasks, return_exceptions=True)
    await until_async(lambda: made.stuck == 0)
    made.close()
    assert most == 3
    assert [type(each) for each in gone].count(asyncio.CancelledError) == 2


async def test_a_plain_handlers_log_lines_carry_the_call(caplog: pytest.LogCaptureFixture) -> None:
    from toolkit.sdk.logs import Formatter

    def handler(ctx: BlockingContext, _: None) -> str:
        record = logging.LogRecord("x", logging.INFO, "", 0, "hi", (), None)
        return Formatter("f").format(record)

    assert (await handled(function(handler, wiring()), arrival(call="c7"))).endswith("function=f call=c7")


@pytest.mark.parametrize(
    ("edges", "name", "says"),
    [
        ((), None, "f has call edges to: none; there is nothing to call"),
        ((to("a", "h:1"), to("b", "h:2")), None, "f has call edges to: a, b; say which with to="),
        ((to("a", "h:1"),), "b", "f has no call edge to 'b'; it has: a"),
        ((event("t"),), None, "f has call edges to: none; there is nothing to call"),
    ],
)
async def test_a_call_without_an_edge_is_refused_in_words(edges: Any, name: str | None, says: str) -> None:
    async def handler(ctx: Context, _: None) -> None:
        await ctx.call(b"", to=name)

    with pytest.raises(HandlingFailed, match="NoSuchEdge: " + says):
        await handled(function(handler, wiring("f", outgoing=edges)))


@pytest.mark.parametrize(
    ("edges", "name", "says"),
    [
        ((), None, "f has event edges of type: none; there is nothing to emit"),
        ((event("a"), event("b")), None, "f has event edges of type: a, b; say which with type="),
        ((event("a"),), "b", "f has event edges of type: a; not 'b'"),
    ],
)
async def test_an_event_without_an_edge_is_refused_in_words(edges: Any, name: str | None, says: str) -> None:
    async def handler(ctx: Context, _: None) -> None:
        await ctx.emit(b"", type=name)

    kept = Kept()
    with pytest.raises(HandlingFailed, match="NoSuchEdge: " + says):
        await handled(function(handler, wiring("f", outgoing=edges), kept))
    assert kept.receipts[0].sent == ()


async def test_without_a_sink_an_event_says_what_is_missing() -> None:
    async def handler(ctx: Context, _: None) -> str:
        with pytest.raises(NoSink, match=r"\$K_SINK is not set") as raised:
            await ctx.emit(b"")
        return str(raised.value)

    kept = Kept()
    assert "SinkBinding" in await handled(function(handler, wiring(outgoing=(event("t"),)), kept))
    assert [sent.accepted for sent in kept.receipts[0].sent] == [False]


async def test_a_handler_may_catch_a_missing_edge() -> None:
    async def handler(ctx: Context, _: None) -> str:
        try:
            await ctx.call(b"")
        except NoSuchEdge:
            return "went on"
        return ""

    assert await handled(function(handler, wiring())) == "went on"


async def test_a_value_that_cannot_be_sent_is_named() -> None:
    async def handler(ctx: Context, _: None) -> None:
        await ctx.emit({1, 2})

    with pytest.raises(HandlingFailed, match="a set cannot be sent"):
        await handled(function(handler, wiring(outgoing=(event("t"),))))


async def test_the_message_of_an_event_cannot_be_a_bad_extension() -> None:
    async def handler(ctx: Context, _: None) -> None:
        await ctx.emit(Message(b"", extensions={"Not-Good": "x"}))

    kept = Kept()
    with pytest.raises(HandlingFailed, match="Not-Good"):
        await handled(function(handler, wiring(outgoing=(event("t"),)), kept))
    assert kept.receipts[0].sent == ()
