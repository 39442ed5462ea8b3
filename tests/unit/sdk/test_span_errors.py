"""What went wrong, as spans say it: an error with a short text, the right status, and a kind to count by."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.unit.sdk.scaffold import (
    CONSUME,
    CONSUME_STREAM,
    Zipkin,
    consuming,
    event,
    failing_call,
    function,
    raw_call,
    serving,
    to,
    tracer,
    until_async,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, HOP, Broker, deliver
from toolkit.contract import ENTRY_METHOD, Outgoing, Wiring
from toolkit.sdk import Context, Message, Refused
from toolkit.sdk.function import Function
from toolkit.sdk.tracing import MAX_ERROR, brief
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteRequest

DEADLINE_S = 1.5  # enough for a busy machine to reach the last function, which then sleeps


@pytest.fixture
def zipkin() -> Iterator[Zipkin]:
    server = Zipkin()
    yield server
    server.close()


def entry(*outgoing: Outgoing) -> Wiring:
    return wiring("entry", serves=(ENTRY_METHOD,), outgoing=outgoing)


def said(zipkin: Zipkin, kind: str, service: str | None = None) -> tuple[str | None, str | None, str | None]:
    """Of the one span of this kind: the error, what it is counted by, and its status."""
    wanted = {"kind": kind} if service is None else {"kind": kind, "service": service}
    tags = zipkin.span(**wanted)["tags"]
    status = tags.get("rpc.grpc.status_code") or tags.get("http.response.status_code")
    return tags.get("error"), tags.get("error.type"), status


async def failing(zipkin: Zipkin, handler: Any, request: bytes = b"") -> tuple[str | None, str | None, str | None]:
    """What the SERVER span says of a handler that fails."""
    async with serving(function(handler, entry(), tracer=tracer(zipkin, "entry"))) as target:
        await failing_call(target, ENTRY_METHOD, request)
    return said(zipkin, "SERVER")


async def between(
    zipkin: Zipkin, first: Any, last: Any, method: str = CONSUME, timeout_s: float | None = 10
) -> grpc.aio.AioRpcError:
    """`first` calls `last` and fails; both are traced."""
    callee = function(last, wiring("callee", serves=(method,)), tracer=tracer(zipkin, "callee"))
    async with serving(callee) as there:
        traced = tracer(zipkin, "entry")
        async with serving(function(first, entry(to("callee", there, method)), tracer=traced)) as target:
            return await failing_call(target, ENTRY_METHOD, b"", timeout_s=timeout_s)


async def pass_on(ctx: Context, request: HelloRequest) -> None:
    await ctx.call(ConsumeByteRequest())


async def test_an_exception_nobody_caught_is_an_error_with_its_type_and_message(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        raise ValueError("no colour")

    assert await failing(zipkin, handler) == ("INTERNAL: ValueError: no colour", "ValueError", "13")


async def test_a_handler_that_returns_what_cannot_be_sent_is_an_error(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> Any:
        return object()

    error, kind, status = await failing(zipkin, handler)
    assert (kind, status) == ("TypeError", "13")
    assert (error or "").startswith("INTERNAL: TypeError: ")


async def test_a_status_the_handler_chose_is_the_spans(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        raise Refused("ALREADY_EXISTS", "twice")

    assert await failing(zipkin, handler) == ("ALREADY_EXISTS: twice", "ALREADY_EXISTS", "6")


async def test_a_handler_that_exits_is_an_error(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        raise SystemExit(3)

    assert await failing(zipkin, handler) == ("INTERNAL: SystemExit: 3", "SystemExit", "13")


async def test_an_exception_that_cannot_say_what_it_is_is_still_an_error(zipkin: Zipkin) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("speechless")

    async def handler(ctx: Context, request: HelloRequest) -> None:
        raise Mute

    assert await failing(zipkin, handler) == ("INTERNAL: Mute", "Mute", "13")


async def test_a_payload_that_an_exception_quotes_is_cut_and_on_one_line(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        raise ValueError(f"cannot read:\n\t{request.name}\x1b[31m")

    error, kind, _ = await failing(zipkin, handler, HelloRequest(name="s3cret " * 3000).SerializeToString())
    assert kind == "ValueError"
    assert error is not None
    assert error.startswith("INTERNAL: ValueError: cannot read: s3cret s3cret ")
    assert (len(error), error.isprintable()) == (MAX_ERROR, True)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("", ""),
        ("plain", "plain"),
        ("two\r\nlines\x00\x1b[1m", "two lines [1m"),
        ("é☃\ud800", "é☃"),
        ("x" * 301, "x" * 299 + "…"),
        ("\n" * 10_000_000, ""),
    ],
)
def test_the_text_of_an_error_is_one_short_line(text: str, short: str) -> None:
    assert brief(text) == short


async def test_a_failure_downstream_is_one_on_every_span_above_it(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: ConsumeByteRequest) -> None:
        raise KeyError("colour")

    await between(zipkin, pass_on, handler)
    details = "KeyError: 'colour'"
    assert said(zipkin, "SERVER", "callee") == (f"INTERNAL: {details}", "KeyError", "13")
    assert said(zipkin, "CLIENT") == (f"INTERNAL: {details}", "INTERNAL", "13")
    assert said(zipkin, "SERVER", "entry") == (f"INTERNAL: callee: {details}", "INTERNAL", "13")


async def test_a_failure_the_handler_caught_is_its_clients_alone(zipkin: Zipkin) -> None:
    async def first(ctx: Context, request: HelloRequest) -> str:
        with contextlib.suppress(Exception):
            await ctx.call(ConsumeByteRequest())
        return "fine"

    async def last(ctx: Context, request: ConsumeByteRequest) -> None:
        raise Refused("NOT_FOUND", "gone")

    callee = function(last, wiring("callee", serves=(CONSUME,)), tracer=tracer(zipkin, "callee"))
    async with serving(callee) as there:
        traced = tracer(zipkin, "entry")
        async with serving(function(first, entry(to("callee", there)), tracer=traced)) as target:
            await raw_call(target, ENTRY_METHOD, b"")
    assert said(zipkin, "CLIENT") == ("NOT_FOUND: gone", "NOT_FOUND", "5")
    assert said(zipkin, "SERVER", "entry") == (None, None, "0")


async def test_a_deadline_is_one_on_both_sides(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: ConsumeByteRequest) -> None:
        await asyncio.sleep(60)

    error = await between(zipkin, pass_on, handler, timeout_s=DEADLINE_S)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    for kind, service in (("SERVER", "callee"), ("CLIENT", "entry"), ("SERVER", "entry")):
        _, counted, status = said(zipkin, kind, service)
        assert (kind, service, counted, status) == (kind, service, "DEADLINE_EXCEEDED", "4")


async def test_a_sender_that_gives_up_is_a_cancellation(zipkin: Zipkin) -> None:
    begun = asyncio.Event()

    async def first(ctx: Context, request: HelloRequest) -> None:
        await ctx.call(ConsumeByteRequest())

    async def last(ctx: Context, request: ConsumeByteRequest) -> None:
        begun.set()
        await asyncio.sleep(60)

    callee = function(last, wiring("callee", serves=(CONSUME,)), tracer=tracer(zipkin, "callee"))
    async with serving(callee) as there:
        traced = tracer(zipkin, "entry")
        async with (
            serving(function(first, entry(to("callee", there)), tracer=traced)) as target,
            grpc.aio.insecure_channel(target) as channel,
        ):
            method: Any = channel.unary_unary("/" + ENTRY_METHOD)
            call = method(b"", timeout=30)
            await asyncio.wait_for(begun.wait(), 10)
            call.cancel()
            await until_async(lambda: len(zipkin.spans) == 3)
    assert said(zipkin, "SERVER", "entry") == ("CANCELLED: the sender went away", "CANCELLED", "1")
    assert said(zipkin, "CLIENT") == ("CANCELLED: its handler ended first", "CANCELLED", "1")
    assert said(zipkin, "SERVER", "callee") == ("CANCELLED: the sender went away", "CANCELLED", "1")


async def test_a_stream_that_breaks_at_its_sender_says_why(zipkin: Zipkin) -> None:
    begun = asyncio.Event()

    async def first(ctx: Context, request: HelloRequest) -> None:
        async def stream() -> AsyncIterator[ConsumeByteRequest]:
            yield ConsumeByteRequest(value=b"123")
            await begun.wait()  # else the receiver might never hear of it
            raise OSError("the disk is gone")

        await ctx.call(stream())

    async def last(ctx: Context, requests: Any) -> None:
        async for _ in requests:
            begun.set()

    await between(zipkin, first, last, CONSUME_STREAM)
    assert said(zipkin, "CLIENT") == ("OSError: the disk is gone", "OSError", "1")
    assert zipkin.span(kind="CLIENT")["tags"]["payload.size"] == "5"
    assert said(zipkin, "SERVER", "entry") == ("INTERNAL: OSError: the disk is gone", "OSError", "13")
    assert said(zipkin, "SERVER", "callee") == ("CANCELLED: the sender went away", "CANCELLED", "1")


async def test_a_stream_refused_midway_has_the_receivers_status(zipkin: Zipkin) -> None:
    async def first(ctx: Context, request: HelloRequest) -> None:
        async def stream() -> AsyncIterator[ConsumeByteRequest]:
            while True:
                yield ConsumeByteRequest(value=b"1")
                await asyncio.sleep(0)

        await ctx.call(stream())

    async def last(ctx: Context, requests: Any) -> None:
        async for _ in requests:
            raise Refused("RESOURCE_EXHAUSTED", "enough")

    await between(zipkin, first, last, CONSUME_STREAM)
    assert said(zipkin, "CLIENT") == ("RESOURCE_EXHAUSTED: enough", "RESOURCE_EXHAUSTED", "8")
    assert said(zipkin, "SERVER", "callee") == ("RESOURCE_EXHAUSTED: enough", "RESOURCE_EXHAUSTED", "8")


async def test_an_answer_that_cannot_be_read_is_an_error_though_the_status_is_ok(zipkin: Zipkin) -> None:
    async def junk(request: bytes, context: Any) -> bytes:
        return b"\xff\xff\xff"

    service, _, name = CONSUME.partition("/")
    server = grpc.aio.server()
    handlers: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(junk)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    wired = entry(to("callee", f"127.0.0.1:{port}"))
    async with serving(function(pass_on, wired, tracer=tracer(zipkin, "entry"))) as target:
        await failing_call(target, ENTRY_METHOD, b"")
    await server.stop(0)
    error, kind, status = said(zipkin, "CLIENT")
    assert (kind, status) == ("ValueError", "0")
    assert "not a prodcon.ConsumeByteReply" in (error or "")
    assert said(zipkin, "SERVER")[1:] == ("ValueError", "13")


# --- events -----------------------------------------------------------------------------------------------------------


def consumer(zipkin: Zipkin, handler: Any) -> Function:
    return function(handler, wiring("consumer", consumes=True), tracer=tracer(zipkin, "consumer"))


async def test_an_event_that_fails_is_an_error_with_http_500(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, message: Message) -> None:
        raise ValueError("no colour")

    async with consuming(consumer(zipkin, handler)) as url:
        response = await deliver(url, {**GREETING, "traceparent": HOP})
    assert response.status == 500
    assert said(zipkin, "CONSUMER") == ("INTERNAL: ValueError: no colour", "ValueError", "500")


async def test_a_reply_that_cannot_be_said_was_never_produced(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, message: Message) -> Message:
        return Message(b"x", extensions={"No Name": "for an attribute"})

    async with consuming(consumer(zipkin, handler)) as url:
        assert (await deliver(url, {**GREETING, "traceparent": HOP})).status == 500
    assert [span["kind"] for span in zipkin.spans] == ["CONSUMER"]
    assert said(zipkin, "CONSUMER")[1:] == ("EventError", "500")


@pytest.mark.parametrize(
    ("status", "kind", "error"), [(503, "503", "answered 503: full"), (400, "400", "answered 400: full")]
)
async def test_a_sink_that_refuses_is_an_error_with_its_status(
    zipkin: Zipkin, status: int, kind: str, error: str
) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        await ctx.emit(b"")

    broker, traced = Broker(status, b"full"), tracer(zipkin, "entry")
    async with (
        broker.listening() as sink,
        serving(function(handler, entry(event("greeting")), sink=sink, tracer=traced)) as target,
    ):
        await failing_call(target, ENTRY_METHOD, b"")
    text, counted, told = said(zipkin, "PRODUCER")
    assert (counted, told) == (kind, str(status))
    assert (text or "").endswith(error)


async def test_a_sink_that_is_not_there_is_an_error_without_a_status(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        await ctx.emit(b"")

    traced = tracer(zipkin, "entry")
    async with serving(function(handler, entry(event("greeting")), tracer=traced)) as target:
        await failing_call(target, ENTRY_METHOD, b"")
    error, kind, status = said(zipkin, "PRODUCER")
    assert (kind, status) == ("NoSink", None)
    assert (error or "").startswith("NoSink: $K_SINK is not set")
