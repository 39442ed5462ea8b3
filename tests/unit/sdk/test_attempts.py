"""Calls that are tried again, and edges that stand in: which failures, how often, how long, and what receipts say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.sdk.scaffold import CONSUME_STREAM, Called, Zipkin, arrival, calling, function, link, to, tracer, wiring
from toolkit import contract
from toolkit.sdk import CallFailed, Context, Message, attempts
from toolkit.sdk.attempts import LONGEST_PAUSE_S, pause_s
from toolkit.sdk.function import HandlingFailed
from toolkit.stubs.prodcon_pb2 import ConsumeByteRequest


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are what `pause_s` says, which has a test of its own; here they would only be waited for."""
    monkeypatch.setattr(attempts, "FIRST_PAUSE_S", 0.0001)


async def ask(ctx: Context, _: Any) -> str:
    reply: Message = await ctx.call("x", to="bank")
    return reply.text


def failing(*codes: str) -> Callable[[str, Message], str]:
    """Fails with each of these codes in turn, and then answers with its name."""
    left = iter(codes)

    def answer(name: str, _: Message) -> str:
        if (code := next(left, None)) is not None:
            raise CallFailed(name, code, f"not now ({code})")
        return name

    return answer


def accepted(called: Called) -> list[tuple[str | None, bool]]:
    return [(sent.to, sent.accepted) for sent in called.kept.receipts[0].sent]


@pytest.mark.parametrize("code", ["UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED"])
async def test_a_call_that_failed_for_now_is_tried_again(code: str) -> None:
    called = calling(ask, failing(code, code), link("bank", retry=2))
    assert await called.run() == "bank"
    assert accepted(called) == [("bank", False), ("bank", False), ("bank", True)]
    sent = called.kept.receipts[0].sent
    assert len({each.message for each in sent}) == 3  # each attempt is a message of its own ...
    assert len({(each.digest, each.size) for each in sent}) == 1  # ... that says the same
    assert [head[contract.MESSAGE_KEY] for _, head, _ in called.callee.asked] == [each.message for each in sent]


async def test_no_more_often_than_the_edge_says() -> None:
    called = calling(ask, failing(*["UNAVAILABLE"] * 9), link("bank", retry=2))
    with pytest.raises(HandlingFailed, match="UNAVAILABLE: bank: not now"):
        await called.run()
    assert accepted(called) == [("bank", False)] * 3


async def test_an_edge_without_retry_is_tried_once() -> None:
    called = calling(ask, failing("UNAVAILABLE"), link("bank"))
    with pytest.raises(HandlingFailed, match="UNAVAILABLE"):
        await called.run()
    assert len(called.callee.asked) == 1


@pytest.mark.parametrize("code", ["INTERNAL", "NOT_FOUND", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION", "CANCELLED"])
async def test_what_would_not_pass_is_not_tried_again(code: str) -> None:
    called = calling(ask, failing(code), link("bank", retry=5))
    with pytest.raises(HandlingFailed, match=code):
        await called.run()
    assert len(called.callee.asked) == 1


async def test_attempts_have_the_same_ids_when_the_message_is_handled_again() -> None:
    async def handler(ctx: Context, _: Any) -> None:
        await ctx.call("x", to="bank")
        await ctx.call("y", to="other")

    ids = []
    for codes in ((), ("ABORTED", "ABORTED"), ("ABORTED",)):
        called = calling(handler, failing(*codes), link("bank", retry=2), link("other"))
        await called.run()
        ids.append([(sent.to, sent.message) for sent in called.kept.receipts[0].sent])
    assert ids[0][0] == ids[1][0] == ids[2][0] == ("bank", contract.child_id("call-1", "f", 0))
    assert ids[1][1] == ids[2][1]
    # how often the first was tried changes nothing for the second
    assert ids[0][-1] == ids[1][-1] == ids[2][-1] == ("other", contract.child_id("call-1", "f", 1))
    assert len({message for each in ids for _, message in each}) == 4


async def test_an_attempt_is_none_of_the_messages_that_a_function_sends_which_calls_itself() -> None:
    called = calling(ask, failing("ABORTED"), link("bank", retry=1))
    await called.run()
    first, second = (sent.message for sent in called.kept.receipts[0].sent)
    assert second not in {contract.child_id(first, "f", index) for index in range(4)}


async def test_nothing_is_tried_again_beyond_the_deadline() -> None:
    called = calling(ask, failing(*["UNAVAILABLE"] * 9), link("bank", retry=9))
    with pytest.raises(HandlingFailed, match="UNAVAILABLE"):
        await called.run(arrival(remaining_s=lambda: 0.00001))
    assert len(called.callee.asked) == 1


async def test_who_gives_up_early_says_how_much_time_was_left() -> None:
    called = calling(ask, failing(*["UNAVAILABLE"] * 9), link("bank", retry=9), link("spare", fallback="bank"))
    with pytest.raises(HandlingFailed):
        await called.run(arrival(remaining_s=lambda: 0.00001))
    (left_s, *_), *others = [(sent.left_s, sent.to) for sent in called.kept.receipts[0].sent]
    assert left_s is not None
    assert 0 <= left_s <= 0.00001
    assert others == [(None, "spare")]
    all_made = calling(ask, failing(*["UNAVAILABLE"] * 9), link("bank", retry=2))
    with pytest.raises(HandlingFailed):
        await all_made.run()
    assert [sent.left_s for sent in all_made.kept.receipts[0].sent] == [None] * 3


async def test_all_attempts_together_have_the_time_that_was_given() -> None:
    async def quickly(ctx: Context, _: Any) -> None:
        await ctx.call("x", to="bank", timeout_s=7)

    called = calling(quickly, failing("ABORTED", "ABORTED"), link("bank", retry=2))
    await called.run()
    allowed = [timeout_s for _, _, timeout_s in called.callee.asked]
    assert 7 >= allowed[0] > allowed[1] > allowed[2] > 0


def test_pauses_double_up_to_two_seconds_and_are_the_same_for_the_same_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_PAUSE_S", 0.05)
    least, most = "0" * 32, "f" * 32
    assert [pause_s(n, least) for n in (1, 2, 3, 7, 1000)] == [0.025, 0.05, 0.1, 1.0, 1.0]
    assert [round(pause_s(n, most), 6) for n in (1, 2, 3, 7, 1000)] == [
        0.05,
        0.1,
        0.2,
        LONGEST_PAUSE_S,
        LONGEST_PAUSE_S,
    ]
    assert pause_s(2, "8" * 32) == pause_s(2, "8" * 32) != pause_s(2, "9" * 32)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"])
async def test_an_edge_stands_in_for_one_that_failed_for_good(code: str) -> None:
    called = calling(ask, failing(code), link("bank"), link("copy", fallback="bank"))
    assert await called.run() == "copy"
    assert accepted(called) == [("bank", False), ("copy", True)]
    assert called.kept.receipts[0].error is None


async def test_it_stands_in_only_once_all_attempts_have_failed() -> None:
    called = calling(ask, failing("ABORTED", "ABORTED"), link("bank", retry=1), link("copy", fallback="bank"))
    assert await called.run() == "copy"
    assert accepted(called) == [("bank", False), ("bank", False), ("copy", True)]


async def test_a_fallback_is_not_for_what_is_wrong_with_the_request() -> None:
    called = calling(ask, failing("INVALID_ARGUMENT"), link("bank"), link("copy", fallback="bank"))
    with pytest.raises(HandlingFailed, match="INVALID_ARGUMENT"):
        await called.run()
    assert accepted(called) == [("bank", False)]


async def test_a_fallback_has_attempts_and_a_fallback_of_its_own() -> None:
    three = (link("bank"), link("copy", fallback="bank", retry=1), link("paper", fallback="copy"))
    called = calling(ask, failing("UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"), *three)
    assert await called.run() == "paper"
    assert accepted(called) == [("bank", False), ("copy", False), ("copy", False), ("paper", True)]


async def test_edges_that_stand_in_for_each_other_are_each_tried_once() -> None:
    both = (link("bank", fallback=None), link("copy", fallback="bank"), link("bank", fallback="copy"))
    called = calling(ask, failing(*["UNAVAILABLE"] * 9), *both)
    with pytest.raises(HandlingFailed, match="UNAVAILABLE: copy"):
        await called.run()
    assert accepted(called) == [("bank", False), ("copy", False)]


async def test_every_branch_of_a_scatter_is_tried_on_its_own() -> None:
    busy = {"1": 2, "3": 1}

    def answer(name: str, message: Message) -> str:
        if busy.get(message.text):
            busy[message.text] -= 1
            raise CallFailed(name, "UNAVAILABLE", "busy")
        return message.text

    async def handler(ctx: Context, _: Any) -> list[str]:
        return [reply.text for reply in await ctx.scatter(list("0123"))]

    called = calling(handler, answer, link("w", most=4, retry=2))
    assert await called.run() == ["0", "1", "2", "3"]
    sent = called.kept.receipts[0].sent
    assert (len(sent), sum(each.accepted for each in sent)) == (7, 4)
    assert {each.message for each in sent} >= {contract.child_id("call-1", "f", n) for n in range(4)}


@pytest.mark.parametrize("again", [True, False])
async def test_a_stream_is_tried_again_if_it_can_be_iterated_again(again: bool) -> None:
    def parts() -> Iterator[ConsumeByteRequest]:
        yield ConsumeByteRequest(value=b"a")

    async def handler(ctx: Context, _: Any) -> str:
        return str(type(await ctx.call(list(parts()) if again else parts())).__name__)

    async def stream(*_: Any) -> bytes:
        tries.append(1)
        if len(tries) == 1:
            raise CallFailed("s", "UNAVAILABLE", "not now")
        return b""

    tries: list[int] = []
    called = calling(handler, failing(), to("s", "s:80", CONSUME_STREAM, retry=1))
    called.callee.stream = stream  # type: ignore[method-assign,assignment]
    if again:
        assert await called.run() == "ConsumeByteReply"
    else:
        with pytest.raises(HandlingFailed, match="UNAVAILABLE"):
            await called.run()
    assert len(tries) == 1 + again


async def test_each_attempt_has_a_span_and_only_what_failed_is_an_error() -> None:
    zipkin = Zipkin()
    made = function(ask, wiring("f"), tracer=tracer(zipkin, "f"))
    called = calling(ask, failing("ABORTED", "UNAVAILABLE"), link("bank", retry=1), link("copy", fallback="bank"))
    object.__setattr__(called.made.around, "tracing", made.around.tracing)
    assert await called.run() == "copy"
    made.around.tracing.close(5.0)
    zipkin.close()
    spans = sorted((each for each in zipkin.spans if each["kind"] == "CLIENT"), key=lambda each: each["timestamp"])
    assert [each["tags"].get("error.type") for each in spans] == ["ABORTED", "UNAVAILABLE", None]
    assert [each["tags"]["toolkit.message"] for each in spans] == [s.message for s in called.kept.receipts[0].sent]
    assert len({each["parentId"] for each in spans}) == 1
