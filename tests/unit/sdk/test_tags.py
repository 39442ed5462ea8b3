"""What spans say on every way of a message: entry, call, stream, event and reply; and that silence costs nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.unit.sdk.scaffold import (
    CONSUME,
    CONSUME_STREAM,
    Kept,
    Zipkin,
    arrival,
    consuming,
    event,
    function,
    raw_call,
    serving,
    to,
    tracer,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, HOP, METADATA, ORIGIN, Broker, deliver
from toolkit import contract
from toolkit.contract import ENTRY_METHOD, Tracing
from toolkit.sdk import Context, Message, tags
from toolkit.sdk.cloudevents import encode_binary
from toolkit.sdk.function import Function
from toolkit.sdk.handling import Handling
from toolkit.sdk.propagation import Position
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteRequest
from toolkit.traces import links
from toolkit.traces.zipkin import decode

HELLO = HelloRequest(name="ann", vHiveMetadata=METADATA).SerializeToString()  # of the call `call-7`
FIRST = contract.child_id("call-7", "entry", 0)  # the id of the first message that the entry sends


@pytest.fixture
def zipkin() -> Iterator[Zipkin]:
    server = Zipkin()
    yield server
    server.close()


async def consume(ctx: Context, request: ConsumeByteRequest) -> bool:
    return True


async def call(ctx: Context, request: HelloRequest) -> str:
    return str((await ctx.call(ConsumeByteRequest(value=b"12345"))).value)


async def twice(zipkin: Zipkin, first: Any, last: Any, method: str, kept: Kept) -> None:
    """Two calls of the entry, which calls another function over `method`."""
    callee = function(last, wiring("callee", serves=(method,)), kept, tracer=tracer(zipkin, "callee"))
    async with serving(callee) as there:
        wired = wiring("entry", serves=(ENTRY_METHOD,), outgoing=(to("callee", there, method),))
        async with serving(function(first, wired, kept, tracer=tracer(zipkin, "entry"))) as target:
            for _ in range(2):
                await raw_call(target, ENTRY_METHOD, HELLO)


def said(zipkin: Zipkin, service: str, kind: str) -> list[dict[str, str]]:
    """The tags of these spans, in the order of time."""
    found = [each for each in zipkin.spans if (each["localEndpoint"]["serviceName"], each["kind"]) == (service, kind)]
    return [each["tags"] for each in sorted(found, key=lambda each: int(each["timestamp"]))]


async def test_calls_say_sizes_ids_and_status_on_both_sides(zipkin: Zipkin) -> None:
    kept = Kept()
    await twice(zipkin, call, consume, CONSUME, kept)
    told = {"toolkit.call": "call-7", "rpc.system": "grpc", "rpc.grpc.status_code": "0"}
    hop = {**told, "toolkit.message": FIRST, "payload.size": "7", "payload.reply_size": "2"}
    entry = {**told, "toolkit.message": "call-7", "payload.size": str(len(HELLO)), "payload.reply_size": "6"}
    cold = {"cold": "true", "faas.coldstart": "true"}
    assert said(zipkin, "entry", "SERVER") == [{**entry, **cold}, entry]
    assert said(zipkin, "entry", "CLIENT") == [hop, hop]
    assert said(zipkin, "callee", "SERVER") == [{**hop, **cold}, hop]
    for one in kept.receipts:
        spans = said(zipkin, one.function, "SERVER")
        assert ("cold" in spans[one.seq]) is one.cold
        assert (spans[one.seq]["payload.size"], spans[one.seq]["payload.reply_size"]) == (
            str(one.size),
            str(one.reply_size),
        )


async def test_a_stream_says_the_size_of_all_of_it(zipkin: Zipkin) -> None:
    async def first(ctx: Context, request: HelloRequest) -> None:
        async def stream() -> AsyncIterator[ConsumeByteRequest]:
            for size in (1, 10, 100):
                yield ConsumeByteRequest(value=bytes(size))

        await ctx.call(stream())

    async def last(ctx: Context, requests: Any) -> bool:
        return [each async for each in requests] == []

    await twice(zipkin, first, last, CONSUME_STREAM, Kept())
    sizes = [(each["payload.size"], each["payload.reply_size"]) for each in said(zipkin, "entry", "CLIENT")]
    assert sizes == [("117", "0")] * 2
    assert [each["payload.size"] for each in said(zipkin, "callee", "SERVER")] == ["117"] * 2


async def through_a_broker(zipkin: Zipkin, handler: Any) -> None:
    """The entry emits an event, which is delivered; what the handler returns is a reply, which is delivered too."""

    async def emit(ctx: Context, request: HelloRequest) -> None:
        await ctx.emit(b"12345")

    async def take(ctx: Context, message: Message) -> None: ...

    broker = Broker(200)
    wired = wiring("entry", serves=(ENTRY_METHOD,), outgoing=(event("greeting"),))
    traced = tracer(zipkin, "entry")
    async with broker.listening() as sink, serving(function(emit, wired, sink=sink, tracer=traced)) as target:
        await raw_call(target, ENTRY_METHOD, HELLO)
    answered = wiring("middle", consumes=True, outgoing=(event("heard"),))
    async with consuming(function(handler, answered, tracer=tracer(zipkin, "middle"))) as url:
        response = await deliver(url, carried(broker.requests[0].headers), broker.requests[0].body)
    async with consuming(function(take, wiring("last", consumes=True), tracer=tracer(zipkin, "last"))) as url:
        hop = {"traceparent": (response.header(b"ce-traceparent") or b"").decode()}
        await deliver(url, {**carried(response.headers), **hop}, response.body)


def carried(headers: Any) -> dict[str, str]:
    said = {name.decode(): value.decode() for name, value in headers}
    return {name: value for name, value in said.items() if name.lower() not in ("host", "content-length")}


async def answer(ctx: Context, message: Message) -> bytes:
    return b"heard"


async def test_events_and_replies_say_size_type_source_and_status(zipkin: Zipkin) -> None:
    await through_a_broker(zipkin, answer)
    (emitted,), (taken,) = said(zipkin, "entry", "PRODUCER"), said(zipkin, "middle", "CONSUMER")
    (replied,), (last,) = said(zipkin, "middle", "PRODUCER"), said(zipkin, "last", "CONSUMER")
    told = {"toolkit.call": "call-7", "payload.size": "5"}
    greeting = {**told, "toolkit.message": FIRST, "cloudevents.event_type": "greeting"}
    heard = {**told, "toolkit.message": contract.child_id(FIRST, "middle", 0), "cloudevents.event_type": "heard"}
    cold = {"cold": "true", "faas.coldstart": "true", "http.response.status_code": "200"}
    assert emitted == {**greeting, "http.response.status_code": "200"}  # what the sink said, whatever a broker says
    assert taken == {**greeting, **cold, "cloudevents.event_source": "entry"}
    assert replied == heard
    assert last == {**heard, **cold, "cloudevents.event_source": "middle"}


async def test_the_dependency_graph_draws_the_broker_between_functions(zipkin: Zipkin) -> None:
    """By Zipkin's own rules, for replies too."""
    await through_a_broker(zipkin, answer)
    drawn = {(each.parent, each.child): (each.calls, each.errors) for each in links.links([decode(zipkin.body)])}
    assert drawn == {
        ("caller", "entry"): (1, 0),
        ("entry", "broker"): (1, 0),
        ("broker", "middle"): (1, 0),
        ("middle", "broker"): (1, 0),
        ("broker", "last"): (1, 0),
    }


async def test_an_event_that_fails_is_an_error_of_the_brokers_link(zipkin: Zipkin) -> None:
    async def fail(ctx: Context, message: Message) -> None:
        raise ValueError

    async with consuming(function(fail, wiring("f", consumes=True), tracer=tracer(zipkin, "f"))) as url:
        await deliver(url, {**GREETING, "traceparent": HOP})
    assert links.links([decode(zipkin.body)]) == [links.Link("broker", "f", 1, 1)]


async def test_an_origin_that_is_not_the_hop_is_told(zipkin: Zipkin) -> None:
    async with consuming(function(answer, wiring("f", consumes=True), tracer=tracer(zipkin, "f"))) as url:
        await deliver(url, {**GREETING, "traceparent": HOP, "ce-traceparent": ORIGIN})
    assert said(zipkin, "f", "CONSUMER")[0]["cloudevents.traceparent"] == ORIGIN


# --- of the process ---------------------------------------------------------------------------------------------------


def test_on_knative_a_span_says_service_and_revision() -> None:
    environment = {"K_SERVICE": "shop", "K_REVISION": "shop-00002", "K_CONFIGURATION": "shop"}
    assert tags.of_process(wiring("f"), environment, "r1") == {
        "service.instance.id": "r1",
        "toolkit.chain": "c",
        "faas.name": "shop",
        "faas.version": "shop-00002",
    }


def test_what_the_wiring_says_of_every_span_goes_before() -> None:
    wired = wiring("f", tracing=Tracing(attributes={"run": "r1", "faas.version": "mine"}))
    assert tags.of_process(wired, {"K_REVISION": "x", "K_SERVICE": ""}, "r1") == {
        "service.instance.id": "r1",
        "toolkit.chain": "c",
        "run": "r1",
        "faas.version": "mine",
    }


async def test_a_handlers_tag_goes_before_the_processs(zipkin: Zipkin) -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        ctx.annotate("run", "my own")

    made = function(handler, wiring("f", serves=(ENTRY_METHOD,)), tracer=tracer(zipkin, "f", run="r1", chain="c"))
    async with serving(made) as target:
        await raw_call(target, ENTRY_METHOD, b"")
    found = said(zipkin, "f", "SERVER")[0]
    assert (found["run"], found["chain"]) == ("my own", "c")


# --- nothing for nothing ----------------------------------------------------------------------------------------------


class Untellable:
    def __str__(self) -> str:
        raise AssertionError("somebody looked")


async def work(ctx: Context, message: Message) -> bytes:
    ctx.annotate("never", Untellable())  # type: ignore[arg-type]  # what nobody looks at may be anything
    await ctx.emit(b"x")
    return b"heard"


def reply(handling: Handling, value: Any) -> Any:
    return encode_binary(handling.reply(value))


async def modules_called(made: Function, flags: int) -> set[str]:
    """The modules of the scaffold that run while a message with this sampling decision is handled."""
    called = set[str]()

    def note(frame: FrameType, what: str, _: Any) -> None:
        if what == "call":
            called.add(frame.f_code.co_filename)

    came = arrival(
        Message(b""),
        via="event",
        type="t",
        position=Position("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", flags),
    )
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        await made.handle(came, reply)
    finally:
        sys.setprofile(before)
    otel = {"opentelemetry" for each in called if "opentelemetry" in Path(each).parts}
    return otel | {Path(each).stem for each in called if Path(each).parent.name == "sdk"}


async def test_nothing_is_computed_for_a_message_that_is_not_sampled(zipkin: Zipkin) -> None:
    broker = Broker()
    async with broker.listening() as sink:
        wired = wiring("f", consumes=True, outgoing=(event("t", most=None),))
        made = function(work, wired, sink=sink, tracer=tracer(zipkin, "f"))
        async with consuming(made):
            silent = await modules_called(made, 0)
    assert "tracing" in silent
    assert silent & {"tags", "ended", "recorder", "exporter", "zipkin", "opentelemetry"} == set()


async def test_the_same_message_sampled_does_compute(zipkin: Zipkin) -> None:
    """Else the test above would prove nothing."""

    async def quiet(ctx: Context, message: Message) -> bytes:
        return b"heard"

    made = function(quiet, wiring("f", consumes=True, outgoing=(event("t"),)), tracer=tracer(zipkin, "f"))
    async with consuming(made):
        assert {"tags", "ended", "recorder", "opentelemetry"} <= await modules_called(made, 1)
