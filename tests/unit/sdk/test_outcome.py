"""What a handler returns in place of a value: `Invoke` and `Response`, over calls, events, and at the entry."""

from __future__ import annotations

import json
from typing import Any

import grpc.aio
import pytest

from tests.unit.sdk.scaffold import (
    Kept,
    arrival,
    calling,
    consuming,
    event,
    failing_call,
    function,
    link,
    raw_call,
    serving,
    to,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, Broker, deliver
from toolkit import contract
from toolkit.contract import ENTRY_METHOD, GENERIC_METHOD
from toolkit.sdk import BlockingContext, Context, Invoke, Message, Response
from toolkit.sdk.cloudevents import decode
from toolkit.sdk.function import HandlingFailed
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.link_pb2 import Message as Wire


def returning(value: Any) -> Any:
    async def handler(ctx: Context, _: Any) -> Any:
        return value

    return handler


def echo(name: str, message: Message) -> str:
    return f"{name}: {message.text}"


# --- Invoke -----------------------------------------------------------------------------------------------------------


async def test_the_reply_of_whom_it_goes_on_to_is_the_handlers() -> None:
    called = calling(returning(Invoke("add", {"a": 1})), echo, link("add", choice="c"), link("sub", choice="c"))
    reply: Message = await called.run()
    assert reply.text == 'add: {"a": 1}'
    assert [(sent.to, sent.accepted) for sent in called.kept.receipts[0].sent] == [("add", True)]


async def test_a_plain_handler_goes_on_too() -> None:
    def handler(ctx: BlockingContext, _: Any) -> Invoke:
        return Invoke("add")

    called = calling(handler, echo, link("add"))
    assert (await called.run()).text == "add: "
    called.made.close()


async def test_it_goes_nowhere_the_chain_does_not() -> None:
    called = calling(returning(Invoke("mul")), echo, link("add"), event("s", "sub"))
    with pytest.raises(HandlingFailed, match=r"INTERNAL: NoSuchEdge: f cannot go on to 'mul': .* add, sub \(s\)"):
        await called.run()
    assert called.kept.receipts[0].sent == ()


async def test_it_goes_nowhere_that_was_taken_before() -> None:
    async def first_sub(ctx: Context, _: Any) -> Invoke:
        await ctx.call("x", to="sub")
        return Invoke("add")

    async def twice(ctx: Context, _: Any) -> Invoke:
        await ctx.call("x", to="add")
        return Invoke("add")

    edges = (link("add", choice="c"), link("sub", choice="c"))
    with pytest.raises(HandlingFailed, match="EdgeTaken: f takes one edge of its choice 'c'"):
        await calling(first_sub, echo, *edges).run()
    with pytest.raises(HandlingFailed, match="EdgeTaken: f sends at most 1 message to add"):
        await calling(twice, echo, *edges).run()


@pytest.mark.parametrize("wrong", [7, None, b"add", ["add"]])
def test_it_names_a_function(wrong: Any) -> None:
    with pytest.raises(TypeError, match="to is a function's name, not a"):
        Invoke(wrong)


async def test_over_an_event_edge_the_entry_answers_that_it_is_pending() -> None:
    broker, kept = Broker(), Kept()
    wired = wiring("f", serves=(ENTRY_METHOD, GENERIC_METHOD), outgoing=(event("s", "sub"),), answers=True)
    async with (
        broker.listening() as sink,
        serving(function(returning(Invoke("sub", {"a": 1})), wired, kept, sink=sink)) as target,
    ):
        greeted = HelloReply.FromString(await raw_call(target, ENTRY_METHOD, b""))
        linked = Wire.FromString(await raw_call(target, GENERIC_METHOD, b""))
    assert greeted.message == "pending"
    assert (linked.status, linked.content_type) == (202, contract.PENDING)
    assert [json.loads(each.data or b"") for each in broker.events] == [{"a": 1}] * 2
    assert [receipt.answer for receipt in kept.receipts] == [None, None]


async def test_out_of_an_event_it_goes_on_without_a_reply() -> None:
    broker = Broker()
    wired = wiring("f", consumes=True, outgoing=(event("s", "sub"), event("t", "other")))
    async with broker.listening() as sink, consuming(function(returning(Invoke("sub")), wired, sink=sink)) as url:
        answered = await deliver(url, GREETING)
    assert (answered.status, answered.body, dict(answered.headers).get(b"ce-id")) == (200, b"", None)
    assert [each.type for each in broker.events] == ["s"]


# --- Response ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "data", "content_type"),
    [
        (Response("no", 404), b"no", "text/plain; charset=utf-8"),
        (Response({"a": 1}, 422), b'{"a": 1}', "application/json"),
        (Response(b"\xff", 201, "image/png"), b"\xff", "image/png"),
        (Response(None, 204), b"", "application/octet-stream"),
        (Response(Message(b"m", "a/b", status=500), 503), b"m", "a/b"),
    ],
)
async def test_a_generic_call_keeps_status_and_content_type(response: Response, data: bytes, content_type: str) -> None:
    seen: list[Message] = []

    async def ask(ctx: Context, request: HelloRequest) -> str:
        seen.append(await ctx.call(b""))
        return "asked"

    async with serving(function(returning(response), wiring("g", serves=(GENERIC_METHOD,)))) as there:
        wired = wiring("f", serves=(ENTRY_METHOD,), outgoing=(to("g", there, GENERIC_METHOD),))
        async with serving(function(ask, wired)) as target:
            await raw_call(target, ENTRY_METHOD, b"")
    assert (seen[0].data, seen[0].content_type, seen[0].status) == (data, content_type, response.status)


async def test_a_message_without_a_status_has_none() -> None:
    async with serving(function(returning("x"), wiring("g", serves=(GENERIC_METHOD,)))) as target:
        assert Wire.FromString(await raw_call(target, GENERIC_METHOD, b"")).status == 0


async def test_at_the_entry_its_text_is_the_message_and_its_status_is_told_beside() -> None:
    made = function(returning(Response({"sum": 3}, 422)), wiring("f", serves=(ENTRY_METHOD,)))
    async with serving(made) as target, grpc.aio.insecure_channel(target) as channel:
        method: Any = channel.unary_unary("/" + ENTRY_METHOD)
        call = method(b"")
        assert HelloReply.FromString(await call).message == '{"sum": 3}'
        assert dict(await call.trailing_metadata())[contract.STATUS_KEY] == "422"


@pytest.mark.parametrize(
    ("status", "error"), [(99, ValueError), (600, ValueError), (-1, ValueError), (True, TypeError)]
)
def test_a_status_is_one_of_http(status: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="Response"):
        Response("x", status)
    with pytest.raises(TypeError, match="not a str"):
        Response("x", "200")  # type: ignore[arg-type]


async def test_what_cannot_be_sent_is_no_response() -> None:
    with pytest.raises(HandlingFailed, match="TypeError: a object cannot be sent"):
        await calling(returning(Response(object())), echo).run()


async def test_out_of_an_event_it_is_emitted_to_the_gateway_with_its_status() -> None:
    broker, kept = Broker(), Kept()
    edges = (event("log", "log"), event("told", "front", answers=True))
    wired = wiring("f", consumes=True, outgoing=edges, answers=True)
    async with (
        broker.listening() as sink,
        consuming(function(returning(Response("3", 201)), wired, kept, sink=sink)) as url,
    ):
        assert (await deliver(url, GREETING)).body == b""
    told = broker.events[0]
    assert (told.type, told.get("toolkitstatus"), told.get("datacontenttype"), told.data) == (
        "told",
        "201",
        "text/plain; charset=utf-8",
        b"3",
    )
    assert kept.receipts[0].answer == "3"


async def test_a_consumer_sees_the_status_of_an_answer_and_no_nonsense() -> None:
    seen: list[int | None] = []

    async def gateway(ctx: Context, message: Message) -> None:
        seen.append(message.status)

    async with consuming(function(gateway, wiring("front", consumes=True))) as url:
        for text in ("422", "", "0", "600", "99999999999999999999", "-200", "20٠", "abc"):
            assert (await deliver(url, GREETING | {"ce-toolkitstatus": text})).status == 200
        await deliver(url, GREETING)
    assert seen == [422, *[None] * 8]


async def test_where_no_event_leaves_a_response_is_the_answer_all_the_same() -> None:
    kept = Kept()
    made = function(returning(Response("done")), wiring("f", consumes=True, answers=True), kept)
    async with consuming(made) as url:
        answered = await deliver(url, GREETING)
    assert (answered.status, answered.body, kept.receipts[0].answer) == (200, b"", "done")


async def test_where_none_of_several_events_goes_to_a_gateway_it_is_refused() -> None:
    made = function(returning(Response("x")), wiring("f", consumes=True, outgoing=(event("a"), event("b"))))
    async with consuming(made) as url:
        answered = await deliver(url, GREETING)
    assert (answered.status, b"none leads to a gateway" in answered.body) == (422, True)


# --- the entry, asked as any function ---------------------------------------------------------------------------------

BOTH = (ENTRY_METHOD, GENERIC_METHOD)


async def greet(ctx: Context, request: HelloRequest) -> HelloReply:
    return HelloReply(message=f"hello {request.name}")


async def linked(handler: Any, data: bytes, kept: Kept | None = None, *metadata: tuple[str, str]) -> Wire:
    async with serving(function(handler, wiring("f", serves=BOTH, answers=True), kept)) as target:
        raw = await raw_call(target, GENERIC_METHOD, Wire(data=data).SerializeToString(), metadata=metadata)
    return Wire.FromString(raw)


async def test_a_generic_call_from_outside_is_the_entrys_own_request() -> None:
    kept = Kept()
    reply = await linked(greet, "jäger".encode(), kept)
    assert (reply.data.decode(), reply.content_type) == ("hello jäger", "text/plain; charset=utf-8")
    assert kept.receipts[0].answer == "hello jäger"


async def test_a_response_of_the_entry_keeps_its_status_there() -> None:
    reply = await linked(returning(Response({"a": 1}, 400)), b"x")
    assert (reply.status, reply.content_type, reply.data) == (400, "application/json", b'{"a": 1}')


async def test_a_request_that_is_no_text_is_refused() -> None:
    async with serving(function(greet, wiring("f", serves=BOTH))) as target:
        error = await failing_call(target, GENERIC_METHOD, Wire(data=b"\xff").SerializeToString())
    assert (error.code().name, "is not UTF-8" in (error.details() or "")) == ("INVALID_ARGUMENT", True)


async def test_over_an_edge_back_to_the_entry_its_handler_gets_the_message() -> None:
    async def kind(ctx: Context, request: Any) -> str:
        return type(request).__name__

    edge = ((contract.MESSAGE_KEY, "m1"), (contract.SENDER_KEY, "g"))
    assert (await linked(kind, b"x", None, *edge)).data == b"Message"
    assert (await linked(kind, b"x")).data == b"HelloRequest"


# --- the chain's answer -----------------------------------------------------------------------------------------------


async def answer_of(handler: Any, *, judged: bool = True, **fields: Any) -> str | None:
    kept = Kept()
    async with serving(
        function(handler, wiring("f", serves=(ENTRY_METHOD,), answers=judged, **fields), kept)
    ) as target:
        await raw_call(target, ENTRY_METHOD, b"")
    return kept.receipts[0].answer


@pytest.mark.parametrize("value", ["42", HelloReply(message="42"), b"42", Message(b"42", "a/b"), Response("42", 404)])
async def test_what_the_entry_replies_is_the_answer(value: Any) -> None:
    assert await answer_of(returning(value)) == "42"


async def test_nobody_keeps_an_answer_that_nobody_judges() -> None:
    assert await answer_of(returning("42"), judged=False) is None


async def test_an_entry_that_replies_nothing_answered_nothing() -> None:
    assert await answer_of(returning(None)) is None
    assert await answer_of(returning("")) == ""


async def test_what_a_handler_says_goes_before_what_it_replies() -> None:
    async def says(ctx: Context, _: Any) -> str:
        ctx.answer("first")
        ctx.answer({"n": [1]})
        return "reply"

    assert await answer_of(says) == '{"n": [1]}'


async def test_a_reply_too_long_to_keep_is_replied_and_no_answer() -> None:
    assert await answer_of(returning("x" * (256 * 1024 + 1))) is None
    assert await answer_of(returning("x" * (256 * 1024))) == "x" * (256 * 1024)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"\xff\xfe", "Unanswerable: an answer is text in UTF-8, and this is not: invalid start byte at byte 0"),
        ("ä" * 131073, "Unanswerable: an answer has at most 262,144 bytes, this one 262,146"),
        (object(), "TypeError: a object cannot be sent"),
    ],
)
@pytest.mark.parametrize("judged", [True, False])
async def test_what_is_no_answer_is_refused_whether_it_is_judged_or_not(value: Any, why: str, judged: bool) -> None:
    async def says(ctx: Context, _: Any) -> None:
        ctx.answer(value)

    with pytest.raises(HandlingFailed, match=why):
        await calling(says, echo, answers=judged).run(arrival())


async def test_a_failed_handling_has_no_answer() -> None:
    async def fails(ctx: Context, _: Any) -> None:
        ctx.answer("42")
        raise ValueError("after all")

    called = calling(fails, echo, answers=True)
    with pytest.raises(HandlingFailed):
        await called.run()
    assert called.kept.receipts[0].answer is None


async def test_a_reply_event_is_bounded_as_any() -> None:
    async def both(ctx: Context, _: Message) -> str:
        await ctx.emit("one")
        return "two"

    broker, made = Broker(), wiring("f", consumes=True, outgoing=(event("t"),))
    async with broker.listening() as sink, consuming(function(both, made, sink=sink)) as url:
        answered = await deliver(url, GREETING)
        assert (answered.status, b"at most 1 message" in answered.body) == (422, True)
    async with consuming(function(returning("two"), made)) as url:
        replied = await deliver(url, GREETING)
    assert decode(replied.headers, replied.body).type == "t"


@pytest.mark.parametrize(
    "edges", [(link("check-1", alias="check"),), (link("check-1", alias="check"), event("s", "end"))]
)
async def test_it_goes_on_by_the_name_that_the_handlers_file_has_for_a_function(edges: Any) -> None:
    called = calling(returning(Invoke("check", "x")), echo, *edges)
    assert (await called.run()).text == "check-1: x"
    elsewhere = calling(returning(Invoke("pack")), echo, *edges)
    with pytest.raises(HandlingFailed, match="it has edges to: check"):
        await elsewhere.run()


@pytest.mark.parametrize("bad", ["text/plain\r\nX-Evil: 1", "text/pläin", "a\x00b", "text/plain\n"])
def test_a_content_type_that_no_header_can_say_is_refused_where_it_is_written(bad: str) -> None:
    with pytest.raises(ValueError, match="no header can say the content type"):
        Response("x", content_type=bad)
    with pytest.raises(TypeError, match="content_type is a text, not a int"):
        Response("x", content_type=7)  # type: ignore[arg-type]
    assert Response("x", content_type='text/plain; charset="utf-8"').message.content_type is not None
