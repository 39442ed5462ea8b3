"""Spans end to end: who is whose parent, what they say, and that an unsampled call leaves none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.unit.sdk.scaffold import (
    CONSUME,
    Kept,
    Zipkin,
    consuming,
    event,
    failing_call,
    function,
    raw_call,
    serving,
    to,
    tracer,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, HOP, ORIGIN, Broker, deliver
from toolkit.contract import ENTRY_METHOD
from toolkit.contract import Tracing as Settings
from toolkit.sdk import Context, Message, Refused
from toolkit.sdk.recorder import Recorder
from toolkit.sdk.tracing import Tracing
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def zipkin() -> Any:
    server = Zipkin()
    yield server
    server.close()


async def produce(ctx: Context, request: HelloRequest) -> str:
    ctx.annotate("colour", "red")
    return str((await ctx.call(ConsumeByteRequest(value=b"12345"))).value)


async def consume(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    return ConsumeByteReply(value=True)


async def refuse(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    raise Refused("NOT_FOUND", "gone")


async def two_hops(
    zipkin: Zipkin, handler: Any, *metadata: tuple[str, str], sample: float = 1.0, fails: bool = False
) -> Kept:
    kept = Kept()
    last = function(handler, wiring("consumer", serves=(CONSUME,)), kept, tracer=tracer(zipkin, "consumer", sample))
    async with serving(last) as there:
        wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(to("consumer", there),))
        first = function(produce, wired, kept, tracer=tracer(zipkin, "producer", sample, run="r1"))
        async with serving(first) as target:
            send = failing_call if fails else raw_call
            await send(target, ENTRY_METHOD, b"", metadata=metadata)
    return kept


async def test_three_spans_of_two_hops_hang_together(zipkin: Zipkin) -> None:
    kept = await two_hops(zipkin, consume, ("traceparent", f"00-{TRACE}-{PARENT}-01"))
    entry = zipkin.span(service="producer", kind="SERVER")
    client = zipkin.span(service="producer", kind="CLIENT")
    server = zipkin.span(service="consumer", kind="SERVER")
    assert [span["traceId"] for span in (entry, client, server)] == [TRACE] * 3
    assert (entry["parentId"], client["parentId"], server["parentId"]) == (PARENT, entry["id"], client["id"])
    assert (entry["name"], client["name"], server["name"]) == (ENTRY_METHOD, CONSUME, CONSUME)
    remotes = [span["remoteEndpoint"]["serviceName"] for span in (entry, client, server)]
    assert remotes == ["caller", "consumer", "producer"]
    call, message = kept.receipts[0].call, kept.receipts[0].message
    assert server["tags"] == {
        "toolkit.call": call,
        "toolkit.message": message,
        "cold": "true",
        "faas.coldstart": "true",
        "rpc.system": "grpc",
        "payload.size": "7",
        "payload.reply_size": "2",
        "rpc.grpc.status_code": "0",
    }
    assert client["tags"]["toolkit.message"] == message
    assert (entry["tags"]["run"], entry["tags"]["colour"]) == ("r1", "red")
    assert all(span["duration"] >= 1 and span["timestamp"] > 10**15 for span in zipkin.spans)


async def test_a_root_is_made_when_nobody_sent_one(zipkin: Zipkin) -> None:
    await two_hops(zipkin, consume)
    entry = zipkin.span(service="producer", kind="SERVER")
    assert "parentId" not in entry
    assert len(zipkin.spans) == 3
    assert {span["traceId"] for span in zipkin.spans} == {entry["traceId"]}


async def test_a_failure_is_an_error_on_every_span_of_its_way(zipkin: Zipkin) -> None:
    await two_hops(zipkin, refuse, fails=True)
    assert {span["tags"]["rpc.grpc.status_code"] for span in zipkin.spans} == {"5"}
    assert zipkin.span(service="consumer")["tags"]["error"] == "NOT_FOUND: gone"
    assert zipkin.span(service="producer", kind="CLIENT")["tags"]["error"] == "NOT_FOUND: gone"
    assert zipkin.span(service="producer", kind="SERVER")["tags"]["error"] == "NOT_FOUND: consumer: gone"


@pytest.mark.parametrize(
    "header",
    [
        ("traceparent", f"00-{TRACE}-{PARENT}-00"),
        ("b3", f"{TRACE}-{PARENT}-0"),
        ("b3", "0"),
        ("x-b3-sampled", "0"),
    ],
)
async def test_a_callers_no_is_honoured_all_the_way(zipkin: Zipkin, header: tuple[str, str]) -> None:
    kept = await two_hops(zipkin, consume, header)
    assert len(kept.receipts) == 2
    assert zipkin.spans == []


@pytest.mark.parametrize(
    "headers",
    [
        [("b3", f"{TRACE}-{PARENT}-1")],
        [("x-b3-traceid", TRACE), ("x-b3-spanid", PARENT), ("x-b3-sampled", "1")],
        [("x-b3-traceid", TRACE.upper()), ("x-b3-spanid", PARENT), ("x-b3-flags", "1")],
        [("traceparent", f"00-{TRACE}-{PARENT}-03"), ("b3", "0")],
        [("traceparent", f"cc-{TRACE}-{PARENT}-01-what-the-future-brings")],
    ],
)
async def test_a_callers_yes_is_honoured_even_where_we_sample_nothing(
    zipkin: Zipkin, headers: Sequence[tuple[str, str]]
) -> None:
    await two_hops(zipkin, consume, *headers, sample=0.0)
    assert zipkin.span(service="producer", kind="SERVER")["parentId"] == PARENT
    assert {span["traceId"] for span in zipkin.spans} == {TRACE}


async def test_nothing_is_sampled_at_ratio_zero(zipkin: Zipkin) -> None:
    await two_hops(zipkin, consume, sample=0.0)
    assert zipkin.posts == 0


def test_a_ratio_samples_about_that_many(zipkin: Zipkin) -> None:
    tracing = tracer(zipkin, "f", 0.25)
    sampled = sum(tracing.start("SERVER", "x", None).recorded for _ in range(4000))
    tracing.close(1)
    assert 850 < sampled < 1150  # ten standard deviations


async def test_context_of_an_unsampled_call_still_travels() -> None:
    seen: list[Any] = []

    async def spy(ctx: Context, request: ConsumeByteRequest) -> bool:
        seen.append(ctx._handling.arrival.position)
        return True

    async with serving(function(spy, wiring("consumer", serves=(CONSUME,)))) as there:
        wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(to("consumer", there),))
        async with serving(function(produce, wired)) as target:
            header = f"00-{TRACE}-{PARENT}-00"
            await raw_call(target, ENTRY_METHOD, b"", metadata=(("traceparent", header), ("tracestate", "a=b")))
            await raw_call(target, ENTRY_METHOD, b"", metadata=(("traceparent", f"00-{TRACE}-{PARENT}-01"),))
    assert (seen[0].traceparent, seen[0].state) == (header, "a=b")
    assert seen[1].sampled


async def test_an_event_is_produced_and_consumed_in_one_trace(zipkin: Zipkin) -> None:
    async def emit(ctx: Context, request: HelloRequest) -> None:
        await ctx.emit(b"12")

    async def take(ctx: Context, message: Message) -> None: ...

    broker = Broker()
    wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(event("greeting"),))
    traced = tracer(zipkin, "producer")
    async with broker.listening() as sink, serving(function(emit, wired, sink=sink, tracer=traced)) as target:
        await raw_call(target, ENTRY_METHOD, b"")
    consumer = function(take, wiring("consumer", consumes=True), tracer=tracer(zipkin, "consumer"))
    async with consuming(consumer) as url:
        headers = {name.decode(): value.decode() for name, value in broker.requests[0].headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
        await deliver(url, headers, broker.requests[0].body)
    produced = zipkin.span(service="producer", kind="PRODUCER")
    consumed = zipkin.span(service="consumer", kind="CONSUMER")
    assert (produced["name"], consumed["name"]) == ("emit greeting", "greeting")
    assert produced["parentId"] == zipkin.span(service="producer", kind="SERVER")["id"]
    assert (consumed["parentId"], consumed["traceId"]) == (produced["id"], produced["traceId"])
    assert {span["remoteEndpoint"]["serviceName"] for span in (produced, consumed)} == {"broker"}
    assert (produced["tags"]["http.response.status_code"], consumed["tags"]["http.response.status_code"]) == (
        "202",
        "200",
    )
    assert produced["tags"]["toolkit.message"] == consumed["tags"]["toolkit.message"]
    assert "cloudevents.traceparent" not in consumed["tags"]


@pytest.mark.parametrize(
    ("headers", "parent", "origin"),
    [
        ({"traceparent": HOP, "ce-traceparent": ORIGIN}, "b7ad6b7169203331", ORIGIN),
        ({"traceparent": HOP, "ce-traceparent": HOP}, "b7ad6b7169203331", None),
        ({"ce-traceparent": ORIGIN}, "00f067aa0ba902b7", None),
        ({"traceparent": "nonsense", "ce-traceparent": ORIGIN}, "00f067aa0ba902b7", None),
        ({"traceparent": HOP, "ce-traceparent": "nonsense"}, "b7ad6b7169203331", "nonsense"),
    ],
)
async def test_the_hop_is_the_parent_and_the_origin_a_tag(
    zipkin: Zipkin, headers: dict[str, str], parent: str, origin: str | None
) -> None:
    async def take(ctx: Context, message: Message) -> None: ...

    async with consuming(function(take, wiring("consumer", consumes=True), tracer=tracer(zipkin, "consumer"))) as url:
        await deliver(url, {**GREETING, **headers})
    span = zipkin.span(kind="CONSUMER")
    assert span["parentId"] == parent
    assert span["tags"].get("cloudevents.traceparent") == origin


async def test_a_reply_has_a_producer_of_its_own(zipkin: Zipkin) -> None:
    async def answer(ctx: Context, message: Message) -> bytes:
        return b"heard"

    async with consuming(function(answer, wiring("consumer", consumes=True), tracer=tracer(zipkin, "consumer"))) as url:
        response = await deliver(url, {**GREETING, "traceparent": HOP})
    produced = zipkin.span(kind="PRODUCER")
    assert (produced["name"], produced["parentId"]) == ("emit c.consumer", zipkin.span(kind="CONSUMER")["id"])
    assert (response.header(b"ce-traceparent") or b"").split(b"-")[2] == produced["id"].encode()


async def test_a_refused_event_is_an_error_with_its_status(zipkin: Zipkin) -> None:
    async def emit(ctx: Context, request: HelloRequest) -> None:
        await ctx.emit(b"")

    broker = Broker(503)
    wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(event("greeting"),))
    traced = tracer(zipkin, "producer")
    async with broker.listening() as sink, serving(function(emit, wired, sink=sink, tracer=traced)) as target:
        await failing_call(target, ENTRY_METHOD, b"")
    span = zipkin.span(kind="PRODUCER")
    assert span["tags"]["http.response.status_code"] == "503"
    assert "answered 503" in span["tags"]["error"]


async def test_spans_a_handler_starts_lie_between_ours(zipkin: Zipkin) -> None:
    recorder = Recorder(Settings(zipkin.endpoint), "producer", nesting=True)
    own = recorder.provider.get_tracer("mine")

    async def work(ctx: Context, request: HelloRequest) -> None:
        with own.start_as_current_span("resize"):
            await ctx.call(ConsumeByteRequest())

    async with serving(function(consume, wiring("consumer", serves=(CONSUME,)))) as there:
        wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(to("consumer", there),))
        async with serving(function(work, wired, tracer=Tracing(1.0, recorder))) as target:
            await raw_call(target, ENTRY_METHOD, b"")
            await raw_call(target, ENTRY_METHOD, b"", metadata=(("traceparent", f"00-{TRACE}-{PARENT}-00"),))
    resize = zipkin.span(name="resize")
    assert resize["parentId"] == zipkin.span(kind="SERVER")["id"]
    assert zipkin.span(kind="CLIENT")["parentId"] == resize["id"]
    assert len(zipkin.spans) == 3


@pytest.mark.parametrize("flags", [0, 1, 3])
async def test_a_call_carries_both_contexts_and_they_agree(zipkin: Zipkin, flags: int) -> None:
    """Whichever its receiver reads, it finds the same place, decision and vendors' state."""
    seen: list[dict[str, Any]] = []

    async def spy(request: bytes, context: Any) -> bytes:
        seen.append(dict(context.invocation_metadata()))
        return b""

    service, _, name = CONSUME.partition("/")
    server = grpc.aio.server()
    handlers: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(spy)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(to("consumer", f"127.0.0.1:{port}"),))
    async with serving(function(produce, wired, tracer=tracer(zipkin, "producer"))) as target:
        came = (("traceparent", f"00-{TRACE}-{PARENT}-{flags:02x}"), ("tracestate", "a=1,b=2"))
        await raw_call(target, ENTRY_METHOD, b"", metadata=came)
    await server.stop(0)
    version, trace, span, sent = seen[0]["traceparent"].split("-")
    assert (version, trace, int(sent, 16)) == ("00", TRACE, flags)
    assert seen[0]["b3"] == f"{trace}-{span}-{flags & 1}"
    assert seen[0]["tracestate"] == "a=1,b=2"
    assert (span != PARENT) == bool(flags & 1)  # a span of our own, or what came: nobody will know of another


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_an_event_carries_its_context_twice_with_the_vendors_state(zipkin: Zipkin, flags: str) -> None:
    async def relay(ctx: Context, message: Message) -> None:
        await ctx.emit(message)

    broker = Broker()
    wired = wiring("relay", consumes=True, outgoing=(event("next"),))
    async with broker.listening() as sink:
        async with consuming(function(relay, wired, sink=sink, tracer=tracer(zipkin, "relay"))) as url:
            hop = {"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "tracestate": "a=1"}
            await deliver(url, {**GREETING, **hop, "ce-traceparent": ORIGIN, "ce-tracestate": "old=1"})
        request, sent = broker.requests[0], broker.events[0]
    header = (request.header(b"traceparent") or b"").decode()
    assert header.split("-")[1::2] == [TRACE, flags]
    assert sent.get("traceparent") == header  # a new event: this is where it comes from
    assert (sent.get("tracestate"), request.header(b"tracestate")) == ("a=1", b"a=1")
