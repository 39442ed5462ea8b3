"""Call edges over real gRPC: entries, hops, statuses, deadlines, streams, and strangers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.unit.sdk.scaffold import (
    CONSUME,
    CONSUME_STREAM,
    Kept,
    failing_call,
    free_port,
    function,
    raw_call,
    serving,
    to,
    until_async,
    wiring,
)
from toolkit import contract
from toolkit.contract import ENTRY_METHOD, GENERIC_METHOD, Metadata, Wiring
from toolkit.sdk import BlockingContext, CallFailed, Context, Message, Refused
from toolkit.sdk.server import GrpcServer
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest

METADATA = b'{"WorkflowId":"w","InvocationId":"call-7","InvokedOn":"2026-01-02T03:04:05.000000006Z"}'
VSWARM = b"\x0a\x03ann\x7a" + bytes([len(METADATA)]) + METADATA  # name (field 1), vHiveMetadata (field 15)

ROUNDED_UP_S = 0.1  # gRPC rounds a deadline up on the wire, so that nobody gives up before the one who waits


def entry(function: str = "producer", **fields: Any) -> Wiring:
    return wiring(function, serves=(ENTRY_METHOD,), **fields)


def consumer(method: str = CONSUME) -> Wiring:
    return wiring("consumer", serves=(method,))


async def hello(ctx: Context, request: HelloRequest) -> HelloReply:
    return HelloReply(message=f"hello {request.name}")


async def pass_on(ctx: Context, request: HelloRequest) -> str:
    reply = await ctx.call(ConsumeByteRequest(value=b"x" * 10))
    return f"consumed: {reply.value}"


async def consume(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    return ConsumeByteReply(value=len(request.value) == 10)


async def test_vswarms_bytes_drive_an_entry() -> None:
    kept = Kept()
    async with serving(function(hello, entry(), kept)) as target:
        assert await raw_call(target, ENTRY_METHOD, VSWARM) == b"\x0a\x09hello ann"
    receipt = kept.receipts[0]
    assert (receipt.via, receipt.call, receipt.message, receipt.sender) == ("entry", "call-7", "call-7", "caller")
    assert (receipt.digest, receipt.size) == (contract.digest(VSWARM), len(VSWARM))


@pytest.mark.parametrize("returned", ["hi", HelloReply(message="hi"), b"hi", Message(b"hi")])
async def test_an_entry_may_answer_text_or_its_message(returned: Any) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> Any:
        return returned

    async with serving(function(handler, entry())) as target:
        assert HelloReply.FromString(await raw_call(target, ENTRY_METHOD, b"")).message == "hi"


async def test_an_entry_may_answer_nothing() -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None: ...

    async with serving(function(handler, entry())) as target:
        assert await raw_call(target, ENTRY_METHOD, b"") == b""


@pytest.mark.parametrize("returned", [7, ConsumeByteReply(), b"\xff\xfe", object()])
async def test_an_answer_of_another_type_is_told_to_the_caller(returned: Any) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> Any:
        return returned

    async with serving(function(handler, entry())) as target:
        error = await failing_call(target, ENTRY_METHOD, b"")
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "TypeError" in (error.details() or "")


async def test_two_hops_leave_receipts_that_fit_together() -> None:
    kept = Kept()
    async with (
        serving(function(consume, consumer(), kept)) as there,
        serving(function(pass_on, entry(outgoing=(to("consumer", there),)), kept)) as target,
    ):
        assert b"consumed: True" in await raw_call(target, ENTRY_METHOD, VSWARM)
    received, sent = kept.receipts[0], kept.receipts[1].sent[0]
    assert (received.via, received.sender, received.call) == ("call", "producer", "call-7")
    assert (sent.to, sent.address, sent.accepted) == ("consumer", there, True)
    assert (received.message, received.digest, received.size) == (sent.message, sent.digest, sent.size)
    assert sent.message == contract.child_id("call-7", "producer", 0)


async def test_what_was_answered_is_on_both_sides_receipts_as_it_left_and_as_it_came() -> None:
    kept = Kept()
    async with (
        serving(function(consume, consumer(), kept)) as there,
        serving(function(pass_on, entry(outgoing=(to("consumer", there),)), kept)) as target,
    ):
        answer = await raw_call(target, ENTRY_METHOD, VSWARM)
    answered, asked = kept.receipts
    consumed = ConsumeByteReply(value=True).SerializeToString()
    assert (answered.reply, answered.reply_size) == (contract.digest(consumed), len(consumed))
    assert (asked.sent[0].reply, asked.sent[0].reply_size) == (answered.reply, answered.reply_size)
    assert (asked.reply, asked.reply_size) == (contract.digest(answer), len(answer))


async def test_an_empty_answer_is_an_answer_and_a_failure_is_none() -> None:
    async def nothing(ctx: Context, request: HelloRequest) -> None: ...

    async def fails(ctx: Context, request: HelloRequest) -> None:
        raise ValueError("no")

    kept = Kept()
    async with serving(function(nothing, entry(), kept)) as one, serving(function(fails, entry(), kept)) as two:
        await raw_call(one, ENTRY_METHOD, b"")
        await failing_call(two, ENTRY_METHOD, b"")
    assert [(each.reply, each.reply_size) for each in kept.receipts] == [(contract.digest(b""), 0), (None, None)]


async def test_metadata_is_carried_on_as_it_came() -> None:
    seen: list[Any] = []

    async def spy(ctx: Context, request: ConsumeByteRequest) -> bool:
        seen.append(ctx._handling.arrival.metadata)
        return True

    async with (
        serving(function(spy, consumer())) as there,
        serving(function(pass_on, entry(outgoing=(to("consumer", there),)))) as target,
    ):
        await raw_call(target, ENTRY_METHOD, VSWARM)
        await raw_call(target, ENTRY_METHOD, b"")
    assert seen[0] == METADATA
    assert Metadata.decode(seen[1]) is not None


async def test_an_id_may_come_as_grpc_metadata() -> None:
    kept = Kept()
    async with serving(function(hello, entry(), kept)) as target:
        await raw_call(target, ENTRY_METHOD, b"", metadata=((contract.METADATA_KEY, METADATA),))
    assert kept.receipts[0].call == "call-7"


async def test_a_functions_call_of_an_entry_method_is_an_edge_like_any_other() -> None:
    kept = Kept()

    async def drive(ctx: Context, request: HelloRequest) -> str:
        return str((await ctx.call(HelloRequest(name="bob"))).message)

    async with (
        serving(function(hello, entry("inner"), kept)) as there,
        serving(function(drive, entry("driver", outgoing=(to("inner", there, ENTRY_METHOD),)), kept)) as target,
    ):
        assert b"hello bob" in await raw_call(target, ENTRY_METHOD, VSWARM)
    assert [(receipt.function, receipt.via, receipt.sender) for receipt in kept.receipts] == [
        ("inner", "call", "driver"),
        ("driver", "entry", "caller"),
    ]


@pytest.mark.parametrize(
    ("request_bytes", "metadata"),
    [
        (b"\x7a\x02[]", ()),
        (b"\x7a\x01\xff", ()),
        (b"", ((contract.METADATA_KEY, b"\x00" * 500),)),
        (b"", ((contract.METADATA_KEY, b"[" * 7000),)),
        (b"", ((contract.METADATA_KEY, b'{"InvocationId":"' + b"x" * 1000 + b'"}'),)),
        (b"", ((contract.SENDER_KEY, "x" * 3000), (contract.MESSAGE_KEY, "y" * 3000))),
        (b"", (("traceparent", "00-zz-zz-zz"), ("b3", "??"), ("x-b3-traceid", "g"), ("tracestate", "=" * 2000))),
    ],
)
async def test_hostile_metadata_is_passed_over(request_bytes: bytes, metadata: Any) -> None:
    kept = Kept()
    async with (
        serving(function(consume, consumer(), kept)) as there,
        serving(function(pass_on, entry(outgoing=(to("consumer", there),)), kept)) as target,
    ):
        assert b"consumed: True" in await raw_call(target, ENTRY_METHOD, request_bytes, metadata=metadata)
    assert {len(receipt.call) for receipt in kept.receipts} == {32}
    assert len({receipt.call for receipt in kept.receipts}) == 1
    assert kept.receipts[1].sender == "caller"


@pytest.mark.parametrize("text", ["🐟" * 5000, "%" * 9000, "\ud800", "a\nb\x00"])
async def test_whatever_a_failure_says_its_code_arrives(text: str) -> None:
    async def fails(ctx: Context, request: HelloRequest) -> None:
        raise ValueError(text)

    async with serving(function(fails, entry())) as target:
        error = await failing_call(target, ENTRY_METHOD, b"")
    assert error.code() is grpc.StatusCode.INTERNAL
    assert (error.details() or "").startswith("ValueError: ")


async def test_bytes_that_are_no_message_are_an_invalid_argument() -> None:
    async with serving(function(hello, entry())) as target:
        error = await failing_call(target, ENTRY_METHOD, b"\x0a\xff\xff\xff\xff\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_method_nobody_serves_is_unimplemented() -> None:
    async with serving(function(hello, entry())) as target:
        assert (await failing_call(target, CONSUME, b"")).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_status_keeps_its_code_and_collects_its_path_over_two_hops() -> None:
    async def refuse(ctx: Context, request: ConsumeByteRequest) -> None:
        raise Refused("RESOURCE_EXHAUSTED", "nöthing left\nat all")

    async def relay(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
        reply: ConsumeByteReply = await ctx.call(request)
        return reply

    kept = Kept()
    middle = wiring("relay", serves=(CONSUME,))
    async with serving(function(refuse, consumer(), kept)) as last:
        wired = Wiring(**{**_fields(middle), "outgoing": (to("consumer", last),)})
        async with (
            serving(function(relay, wired, kept)) as there,
            serving(function(pass_on, entry(outgoing=(to("relay", there),)), kept)) as target,
        ):
            error = await failing_call(target, ENTRY_METHOD, VSWARM)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "relay: consumer: nöthing left\nat all"
    assert [(receipt.function, receipt.error is not None) for receipt in kept.receipts] == [
        ("consumer", True),
        ("relay", True),
        ("producer", True),
    ]
    assert [sent.accepted for receipt in kept.receipts for sent in receipt.sent] == [False, False]
    assert [sent.reply for receipt in kept.receipts for sent in receipt.sent] == [None, None]


def _fields(wired: Wiring) -> dict[str, Any]:
    return {name: getattr(wired, name) for name in Wiring.__slots__}


async def test_a_handler_may_catch_a_failed_call() -> None:
    async def careful(ctx: Context, request: HelloRequest) -> str:
        try:
            await ctx.call(ConsumeByteRequest())
        except CallFailed as failed:
            return f"{failed.to} said {failed.code}: {failed.details}"
        return "nothing"

    async def refuse(ctx: Context, request: ConsumeByteRequest) -> None:
        raise Refused("NOT_FOUND", "no")

    async with (
        serving(function(refuse, consumer())) as there,
        serving(function(careful, entry(outgoing=(to("consumer", there),)))) as target,
    ):
        assert b"consumer said NOT_FOUND: no" in await raw_call(target, ENTRY_METHOD, b"")


async def test_the_callers_deadline_reaches_the_last_hop() -> None:
    seen: list[float | None] = []

    async def slow(ctx: Context, request: ConsumeByteRequest) -> None:
        seen.append(ctx.deadline_s)
        await asyncio.Event().wait()

    kept = Kept()
    async with (
        serving(function(slow, consumer(), kept)) as there,
        serving(function(pass_on, entry(outgoing=(to("consumer", there),)), kept)) as target,
    ):
        error = await failing_call(target, ENTRY_METHOD, b"", timeout_s=1.5)
        await until_async(lambda: len(kept.receipts) == 2)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert seen[0] is not None
    assert 0 < seen[0] <= 1.5 + ROUNDED_UP_S
    assert all(receipt.error for receipt in kept.receipts)


async def test_without_a_deadline_the_next_hop_gets_thirty_seconds() -> None:
    seen: list[float | None] = []

    async def spy(ctx: Context, request: ConsumeByteRequest) -> bool:
        seen.append(ctx.deadline_s)
        return True

    async with (
        serving(function(spy, consumer())) as there,
        serving(function(pass_on, entry(outgoing=(to("consumer", there),)))) as target,
    ):
        await raw_call(target, ENTRY_METHOD, b"", timeout_s=None)
    assert seen[0] is not None
    assert 25 < seen[0] < 30.5  # gRPC rounds a timeout up when it writes it down


async def test_a_handler_can_only_shorten_the_deadline() -> None:
    seen: list[float | None] = []

    async def spy(ctx: Context, request: ConsumeByteRequest) -> bool:
        seen.append(ctx.deadline_s)
        return True

    async def twice(ctx: Context, request: HelloRequest) -> None:
        await ctx.call(ConsumeByteRequest(), timeout_s=2)
        await ctx.call(ConsumeByteRequest(), timeout_s=2000)

    async with (
        serving(function(spy, consumer())) as there,
        serving(function(twice, entry(outgoing=(to("consumer", there, most=2),)))) as target,
    ):
        await raw_call(target, ENTRY_METHOD, b"", timeout_s=8)
    # gRPC rounds a timeout up when it writes it down.
    assert [given is not None and 0 < given < limit for given, limit in zip(seen, (2.5, 8.5), strict=True)] == [
        True,
        True,
    ]


async def test_a_callee_that_is_not_there_yet_is_waited_for() -> None:
    port = free_port()
    made = function(consume, consumer())
    async with serving(function(pass_on, entry(outgoing=(to("consumer", f"127.0.0.1:{port}"),)))) as target:
        call = asyncio.create_task(raw_call(target, ENTRY_METHOD, b""))
        await asyncio.sleep(0.05)
        server = GrpcServer(made, "127.0.0.1", port)
        await server.start()
        assert b"consumed: True" in await call
        await server.stop(0)


async def test_a_callee_that_never_comes_ends_with_the_deadline() -> None:
    async with serving(function(pass_on, entry(outgoing=(to("consumer", f"127.0.0.1:{free_port()}"),)))) as target:
        error = await failing_call(target, ENTRY_METHOD, b"", timeout_s=0.3)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_several_addresses_share_the_calls() -> None:
    one, other = Kept(), Kept()
    async with serving(function(consume, consumer(), one)) as a, serving(function(consume, consumer(), other)) as b:
        address = f"ipv4:{a},{b}"
        async with serving(function(pass_on, entry(outgoing=(to("consumer", address),)))) as target:
            for _ in range(20):
                await raw_call(target, ENTRY_METHOD, b"")
    assert len(one.receipts) + len(other.receipts) == 20
    assert min(len(one.receipts), len(other.receipts)) > 0


async def test_eight_mebibytes_go_through() -> None:
    async def big(ctx: Context, request: HelloRequest) -> str:
        return str((await ctx.call(ConsumeByteRequest(value=bytes(8 << 20)))).value)

    async def whole(ctx: Context, request: ConsumeByteRequest) -> bool:
        return len(request.value) == 8 << 20

    kept = Kept()
    async with (
        serving(function(whole, consumer(), kept)) as there,
        serving(function(big, entry(outgoing=(to("consumer", there),)), kept)) as target,
    ):
        assert b"True" in await raw_call(target, ENTRY_METHOD, b"\x0a\x80\x80\x80\x04" + bytes(8 << 20))
    assert kept.receipts[0].digest == kept.receipts[1].sent[0].digest


async def test_generic_edges_carry_anything() -> None:
    async def echo(ctx: Context, message: Message) -> Message:
        return message

    async def ask(ctx: Context, request: HelloRequest) -> str:
        replies = [await ctx.call(value) for value in (b"\xff", "täxt", {"n": [1]}, Message(b"m", "a/b"))]
        assert [reply.data for reply in replies] == [b"\xff", "täxt".encode(), b'{"n": [1]}', b"m"]
        return ", ".join(str(reply.content_type) for reply in replies)

    async with (
        serving(function(echo, wiring("echo", serves=(GENERIC_METHOD,)))) as there,
        serving(function(ask, entry(outgoing=(to("echo", there, GENERIC_METHOD, most=4),)))) as target,
    ):
        reply = HelloReply.FromString(await raw_call(target, ENTRY_METHOD, b"")).message
    assert reply == "application/octet-stream, text/plain; charset=utf-8, application/json, a/b"


async def test_a_request_of_another_type_is_refused_before_it_leaves() -> None:
    async def wrong(ctx: Context, request: HelloRequest) -> None:
        await ctx.call(HelloRequest(name="not a ConsumeByteRequest"))

    kept = Kept()
    async with serving(function(wrong, entry(outgoing=(to("consumer", "127.0.0.1:1"),)), kept)) as target:
        error = await failing_call(target, ENTRY_METHOD, b"")
    assert error.details() == "TypeError: prodcon.ConsumeByteRequest cannot be made of helloworld.HelloRequest"
    assert kept.receipts[0].sent == ()


async def test_one_handler_serves_several_methods() -> None:
    async def both(ctx: Context, request: Any) -> Any:
        return str(ctx.method) if isinstance(request, HelloRequest) else request.value == b"y"

    async with serving(function(both, wiring(serves=(CONSUME, ENTRY_METHOD)))) as target:
        assert HelloReply.FromString(await raw_call(target, ENTRY_METHOD, b"")).message == ENTRY_METHOD
        assert ConsumeByteReply.FromString(await raw_call(target, CONSUME, b"\x0a\x01y")).value is True


async def test_a_plain_handler_calls_without_await() -> None:
    def plain(ctx: BlockingContext, request: HelloRequest) -> str:
        return f"plain {ctx.call(ConsumeByteRequest(value=bytes(10))).value}"

    async with (
        serving(function(consume, consumer())) as there,
        serving(function(plain, entry(outgoing=(to("consumer", there),)))) as target,
    ):
        assert b"plain True" in await raw_call(target, ENTRY_METHOD, b"")


async def test_forward_sends_over_every_edge_and_returns_the_replies() -> None:
    async def tell(ctx: Context, message: Message) -> str:
        return f"{ctx.function}: {message.text}"

    async def fan(ctx: Context, request: HelloRequest) -> str:
        return " ".join(reply.text for reply in await ctx.forward(request.name))

    one, two = wiring("one", serves=(GENERIC_METHOD,)), wiring("two", serves=(GENERIC_METHOD,))
    kept = Kept()
    async with serving(function(tell, one)) as first, serving(function(tell, two)) as second:
        edges = (to("one", first, GENERIC_METHOD), to("two", second, GENERIC_METHOD))
        async with serving(function(fan, entry(outgoing=edges), kept)) as target:
            assert b"one: x two: x" in await raw_call(target, ENTRY_METHOD, b"\x0a\x01x")
    sent = kept.receipts[0].sent
    assert [each.message for each in sent] == [
        contract.child_id(kept.receipts[0].message, "producer", k) for k in (0, 1)
    ]


async def collect(ctx: Context, requests: AsyncIterator[ConsumeByteRequest]) -> ConsumeByteReply:
    got = [request.value async for request in requests]
    return ConsumeByteReply(value=got == [b"0", b"1", b"2"])


async def stream_on(ctx: Context, request: HelloRequest) -> str:
    async def three() -> AsyncIterator[ConsumeByteRequest]:
        for n in range(3):
            yield ConsumeByteRequest(value=str(n).encode())

    lazily = await ctx.call(three())
    listed = await ctx.call([b"0", b"1", ConsumeByteRequest(value=b"2")])
    return f"{lazily.value} {listed.value}"


@pytest.mark.parametrize("plain", [False, True])
async def test_a_stream_is_one_message_hashed_as_a_whole(plain: bool) -> None:
    def collect_plainly(ctx: BlockingContext, requests: Any) -> bool:
        return [request.value for request in requests] == [b"0", b"1", b"2"]

    kept = Kept()
    handler: Any = collect_plainly if plain else collect
    async with (
        serving(function(handler, consumer(CONSUME_STREAM), kept)) as there,
        serving(function(stream_on, entry(outgoing=(to("consumer", there, CONSUME_STREAM, most=2),)), kept)) as target,
    ):
        assert b"True True" in await raw_call(target, ENTRY_METHOD, b"")
    parts = [ConsumeByteRequest(value=str(n).encode()).SerializeToString() for n in range(3)]
    sent = kept.receipts[-1].sent
    assert {receipt.digest for receipt in kept.receipts[:2]} == {contract.digest(*parts)}
    assert [(each.digest, each.size) for each in sent] == [(contract.digest(*parts), len(b"".join(parts)))] * 2


async def test_what_a_handler_leaves_of_a_stream_is_still_in_its_receipt() -> None:
    async def first_only(ctx: Context, requests: AsyncIterator[ConsumeByteRequest]) -> bool:
        return (await anext(requests)).value == b"0"

    kept = Kept()
    async with (
        serving(function(first_only, consumer(CONSUME_STREAM), kept)) as there,
        serving(function(stream_on, entry(outgoing=(to("consumer", there, CONSUME_STREAM, most=2),)), kept)) as target,
    ):
        assert b"True True" in await raw_call(target, ENTRY_METHOD, b"")
    assert kept.receipts[0].digest == kept.receipts[-1].sent[0].digest


async def test_a_stream_that_is_refused_midway_tells_its_status() -> None:
    async def refuse(ctx: Context, requests: AsyncIterator[ConsumeByteRequest]) -> None:
        await anext(requests)
        raise Refused("OUT_OF_RANGE", "enough")

    async def endless(ctx: Context, request: HelloRequest) -> None:
        async def forever() -> AsyncIterator[bytes]:
            while True:
                yield bytes(1000)
                await asyncio.sleep(0)

        await ctx.call(forever())

    async with (
        serving(function(refuse, consumer(CONSUME_STREAM))) as there,
        serving(function(endless, entry(outgoing=(to("consumer", there, CONSUME_STREAM),)))) as target,
    ):
        errors = [await failing_call(target, ENTRY_METHOD, b"") for _ in range(20)]
    assert {(error.code(), error.details()) for error in errors} == {(grpc.StatusCode.OUT_OF_RANGE, "consumer: enough")}


async def test_an_error_inside_the_stream_of_a_handler_is_its_own() -> None:
    async def broken(ctx: Context, request: HelloRequest) -> None:
        async def stream() -> AsyncIterator[bytes]:
            yield b"1"
            raise LookupError("the shelf is empty")

        await ctx.call(stream())

    async with (
        serving(function(collect, consumer(CONSUME_STREAM))) as there,
        serving(function(broken, entry(outgoing=(to("consumer", there, CONSUME_STREAM),)))) as target,
    ):
        error = await failing_call(target, ENTRY_METHOD, b"")
    assert error.details() == "LookupError: the shelf is empty"


async def test_a_single_message_for_a_stream_is_refused_in_words() -> None:
    async def single(ctx: Context, request: HelloRequest) -> None:
        await ctx.call(ConsumeByteRequest())

    async with (
        serving(function(collect, consumer(CONSUME_STREAM))) as there,
        serving(function(single, entry(outgoing=(to("consumer", there, CONSUME_STREAM),)))) as target,
    ):
        error = await failing_call(target, ENTRY_METHOD, b"")
    assert "an iterable of prodcon.ConsumeByteRequest" in (error.details() or "")


async def test_health_tells_of_the_whole_and_of_each_service() -> None:
    async with serving(function(hello, entry())) as target, grpc.aio.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "helloworld.Greeter"):
            status = (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status
            assert status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_names_the_services_and_describes_them() -> None:
    async with serving(function(hello, entry())) as target:

        def ask() -> tuple[list[str], list[str]]:
            with grpc.insecure_channel(target) as channel:
                database = ProtoReflectionDescriptorDatabase(channel)
                found = database.FindFileContainingSymbol("helloworld.Greeter")
                return list(database.get_services()), [method.name for method in found.service[0].method]

        services, found = await asyncio.to_thread(ask)
    assert {"helloworld.Greeter", "grpc.health.v1.Health"} <= set(services)
    assert found == ["SayHello"]
