"""Event edges over real HTTP: what an event says, who answers what, and what a failing sink means."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.unit.sdk.scaffold import Kept, consuming, event, failing_call, free_port, function, raw_call, serving, wiring
from toolkit import contract
from toolkit.contract import ENTRY_METHOD, Metadata, Wiring
from toolkit.sdk import Context, EmitFailed, Message
from toolkit.sdk.cloudevents import Event, decode, encode_binary
from toolkit.sdk.events import EventServer
from toolkit.sdk.failures import WiringError
from toolkit.sdk.http1 import Client, Request, Response, serve
from toolkit.sdk.sink import Sink
from toolkit.stubs.helloworld_pb2 import HelloRequest

METADATA = Metadata("w", "call-7", "2026-01-02T03:04:05.000000006Z").encode()
HOP = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ORIGIN = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


class Broker:
    """Takes events, keeps them as they came, and answers `status`."""

    def __init__(self, status: int = 202, body: bytes = b"") -> None:
        self.status, self.body, self.requests = status, body, list[Request]()

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(self.status, (), self.body)

    @property
    def events(self) -> list[Event]:
        return [decode(each.headers, each.body) for each in self.requests]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await serve(self, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.port}/ns/default"
        finally:
            await server.close(0)


def producer(*types: str, **fields: Any) -> Wiring:
    return wiring(
        "producer", serves=(ENTRY_METHOD,), outgoing=tuple(event(each) for each in types or ("greeting",)), **fields
    )


def consumer(*types: str) -> Wiring:
    return wiring("consumer", consumes=True, outgoing=tuple(event(each) for each in types))


async def emit(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit({"name": request.name})
    return "emitted"


async def take(ctx: Context, message: Message) -> None: ...


async def deliver(url: str, headers: dict[str, str], body: bytes = b"", method: str = "POST") -> Response:
    client = Client()
    raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
    try:
        return await client.request(method, url, raw, body, timeout_s=10)
    finally:
        await client.close()


GREETING = {"ce-specversion": "1.0", "ce-id": "e1", "ce-type": "greeting", "ce-source": "producer"}


# --- emitting ---------------------------------------------------------------------------------------------------------


async def test_an_emitted_event_says_all_that_it_must() -> None:
    broker, kept = Broker(), Kept()
    async with broker.listening() as sink, serving(function(emit, producer(), kept, sink=sink)) as target:
        await raw_call(target, ENTRY_METHOD, b"\x0a\x03ann\x7a" + bytes([len(METADATA)]) + METADATA)
    sent, request = broker.events[0], broker.requests[0]
    identity = contract.child_id("call-7", "producer", 0)
    assert (request.method, request.target) == ("POST", "/ns/default")
    assert (sent.id, sent.source, sent.type) == (identity, "producer", "greeting")
    assert (sent.get("specversion"), sent.get("datacontenttype")) == ("1.0", "application/json")
    assert sent.data == b'{"name": "ann"}'
    assert base64.b64decode(sent.get("vhivemetadata") or "") == METADATA
    assert (sent.get("time") or "").endswith("Z")
    assert request.header(b"traceparent") == (sent.get("traceparent") or "").encode()
    record = kept.receipts[0].sent[0]
    assert (record.via, record.message, record.type, record.to) == ("event", identity, "greeting", None)
    assert (record.address, record.accepted, record.size) == (sink, True, 15)
    assert record.digest == contract.digest(b'{"name": "ann"}')


async def test_an_independent_library_reads_an_emitted_event() -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        await ctx.emit("grüße", content_type="text/plain")

    broker = Broker()
    async with broker.listening() as sink, serving(function(handler, producer(), sink=sink)) as target:
        await raw_call(target, ENTRY_METHOD, b"")
    request = broker.requests[0]
    headers = {name.decode().lower(): value.decode() for name, value in request.headers}
    found = from_http_event(HTTPMessage(headers, request.body))
    assert (found.get_type(), found.get_source(), found.get_data()) == ("greeting", "producer", "grüße")


async def test_overrides_and_the_handlers_extensions_are_on_the_event() -> None:
    async def handler(ctx: Context, request: HelloRequest) -> None:
        await ctx.emit(Message(b"x", "a/b", extensions={"tenant": "t1", "subject": "s", "region": "mine"}))

    broker = Broker()
    overrides = {"region": "theirs", "benchmark": "run1", "id": "never"}
    async with (
        broker.listening() as sink,
        serving(function(handler, producer(), sink=sink, overrides=overrides)) as target,
    ):
        await raw_call(target, ENTRY_METHOD, b"")
    sent = broker.events[0]
    assert [sent.get(name) for name in ("tenant", "subject", "region", "benchmark")] == ["t1", "s", "theirs", "run1"]
    assert sent.id != "never"


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, grpc.StatusCode.UNAVAILABLE), (429, grpc.StatusCode.UNAVAILABLE), (400, grpc.StatusCode.INTERNAL)],
)
async def test_an_event_the_sink_refuses_is_told_to_the_caller(status: int, code: grpc.StatusCode) -> None:
    broker, kept = Broker(status, b"because"), Kept()
    async with broker.listening() as sink, serving(function(emit, producer(), kept, sink=sink)) as target:
        error = await failing_call(target, ENTRY_METHOD, b"")
    assert error.code() is code
    assert error.details() == f"the sink {sink} answered {status}: because"
    assert [sent.accepted for sent in kept.receipts[0].sent] == [False]
    assert len(broker.requests) == 1


async def test_a_sink_that_is_not_there_is_told_to_the_caller() -> None:
    sink = f"http://127.0.0.1:{free_port()}/"
    async with serving(function(emit, producer(), sink=sink)) as target:
        error = await failing_call(target, ENTRY_METHOD, b"")
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert f"the sink {sink} did not answer" in (error.details() or "")


async def test_a_sink_that_never_answers_ends_with_the_deadline() -> None:
    async def silent(_: Request) -> Response:
        await asyncio.Event().wait()
        return Response(200)

    server = await serve(silent, "127.0.0.1", 0)
    sink = Sink(f"http://127.0.0.1:{server.port}/", {})
    with pytest.raises(EmitFailed, match=r"no answer within 0\.1 s"):
        await sink.post((), b"", 0.1)
    await sink.close()
    await server.close(0)


async def test_consumers_of_one_type_share_one_forwarded_event() -> None:
    async def fan(ctx: Context, request: HelloRequest) -> str:
        return str(await ctx.forward(b"payload"))

    broker = Broker()
    async with broker.listening() as sink, serving(function(fan, producer("a", "b", "a"), sink=sink)) as target:
        assert b"[]" in await raw_call(target, ENTRY_METHOD, b"")
    assert sorted(sent.type for sent in broker.events) == ["a", "b"]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"K_SINK": "broker"}, "K_SINK: 'broker' is not an absolute http"),
        ({"K_SINK": "ftp://x/"}, "K_SINK"),
        ({"K_CE_OVERRIDES": "{"}, "K_CE_OVERRIDES: .*expected"),
        ({"K_CE_OVERRIDES": '{"extensions":["a"]}'}, "K_CE_OVERRIDES"),
        ({"K_CE_OVERRIDES": '{"extensions":{"Bad-Name":"x"}}'}, "'Bad-Name' is no attribute name"),
        ({"K_CA_CERTS": "not pem"}, "K_CA_CERTS: not PEM"),
    ],
)
def test_a_sink_that_makes_no_sense_is_refused_by_its_variable(variables: dict[str, str], says: str) -> None:
    with pytest.raises(WiringError, match=says):
        Sink.of(variables)


# --- consuming --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encode", [to_binary_event, to_structured_event])
async def test_both_modes_reach_the_handler_as_one_message(encode: Any) -> None:
    seen: list[Message] = []

    async def handler(ctx: Context, message: Message) -> None:
        seen.append(message)

    attributes = {"id": "e1", "type": "greeting", "source": "producer", "datacontenttype": "application/json"}
    sent = encode(CloudEvent({**attributes, "tenant": "t1", "subject": "s"}, {"n": 1}))
    kept = Kept()
    async with consuming(function(handler, consumer(), kept)) as url:
        answer = await deliver(url + "/any/path?x", dict(sent.headers), sent.body)
    assert (answer.status, answer.body) == (200, b"")
    assert seen[0].json() == {"n": 1}
    assert (seen[0].id, seen[0].type, seen[0].source) == ("e1", "greeting", "producer")
    assert seen[0].extensions == {"tenant": "t1", "subject": "s"}
    receipt = kept.receipts[0]
    assert (receipt.via, receipt.message, receipt.sender, receipt.type) == ("event", "e1", "producer", "greeting")
    assert (receipt.digest, receipt.size) == (contract.digest(seen[0].data), len(seen[0].data))


async def test_the_call_is_found_in_the_metadata_extension() -> None:
    kept = Kept()
    headers = {**GREETING, "ce-vhivemetadata": base64.b64encode(METADATA).decode()}
    async with consuming(function(take, consumer(), kept)) as url:
        await deliver(url, headers)
        await deliver(url, GREETING)
        await deliver(url, {**GREETING, "ce-vhivemetadata": "%%% not base64"})
    assert [receipt.call for receipt in kept.receipts] == ["call-7", "e1", "e1"]


async def test_a_reply_is_an_event_of_its_own() -> None:
    async def answer(ctx: Context, message: Message) -> Any:
        return {"heard": message.text}

    kept = Kept()
    headers = {**GREETING, "ce-vhivemetadata": base64.b64encode(METADATA).decode(), "content-type": "text/plain"}
    async with consuming(function(answer, consumer("heard"), kept)) as url:
        response = await deliver(url, headers, b"hi")
    reply = decode(response.headers, response.body)
    assert response.status == 200
    assert (reply.type, reply.source, reply.id) == ("heard", "consumer", contract.child_id("e1", "consumer", 0))
    assert (reply.data, reply.get("datacontenttype")) == (b'{"heard": "hi"}', "application/json")
    assert base64.b64decode(reply.get("vhivemetadata") or "") == METADATA
    assert reply.get("traceparent") is not None
    sent = kept.receipts[0].sent[0]
    assert (sent.message, sent.address, sent.type, sent.accepted) == (reply.id, contract.REPLY, "heard", True)


@pytest.mark.parametrize(
    ("types", "returned", "type_"),
    [
        ((), b"", "c.consumer"),
        (("one",), b"", "one"),
        (("one",), Message(b"", type="other"), "one"),
        (("one", "two"), Message(b"", type="two"), "two"),
        (("one", "two"), b"", "c.consumer"),
    ],
)
async def test_a_reply_is_of_the_edges_type_or_of_one_nobody_asked_for(
    types: tuple[str, ...], returned: Any, type_: str
) -> None:
    async def answer(ctx: Context, message: Message) -> Any:
        return returned

    async with consuming(function(answer, consumer(*types))) as url:
        response = await deliver(url, GREETING)
    assert decode(response.headers, response.body).type == type_


async def test_an_echo_is_never_of_the_type_that_came_in() -> None:
    async def echo(ctx: Context, message: Message) -> Message:
        return message

    async with consuming(function(echo, consumer())) as url:
        response = await deliver(url, {**GREETING, "ce-tenant": "t1"}, b"x")
    reply = decode(response.headers, response.body)
    assert (reply.type, reply.get("tenant"), reply.data) == ("c.consumer", "t1", b"x")


async def test_a_failing_handler_answers_500_with_a_short_body() -> None:
    async def fail(ctx: Context, message: Message) -> None:
        raise ValueError("x" * 5000)

    kept = Kept()
    async with consuming(function(fail, consumer(), kept)) as url:
        response = await deliver(url, GREETING)
    assert response.status == 500
    assert response.body.startswith(b"INTERNAL: ValueError: xxx")
    assert len(response.body) < 512
    assert kept.receipts[0].error is not None


async def _twice(ctx: Context, message: Message) -> None:
    await ctx.emit("one")
    await ctx.emit("two")


async def _elsewhere(ctx: Context, message: Message) -> None:
    await ctx.emit("one", type="nowhere")


async def _round(ctx: Context, message: Message) -> None:
    await ctx.emit("one")


@pytest.mark.parametrize(
    ("handler", "came", "says"),
    [
        (_twice, "", "INTERNAL: EdgeTaken: "),
        (_elsewhere, "", "INTERNAL: NoSuchEdge: "),
        (_round, "consumer>other=2", "FAILED_PRECONDITION: the way here led 2 times"),
    ],
)
async def test_what_a_handler_would_do_wrong_again_is_answered_so_that_no_broker_tries_again(
    handler: Any, came: str, says: str
) -> None:
    """Of 4xx a broker of Knative tries 404, 408, 409 and 429 again, and all 5xx (its kncloudevents)."""
    kept, broker = Kept(), Broker()
    wired = wiring("consumer", consumes=True, outgoing=(event("next", loop=2),))
    headers = {**GREETING, **({"ce-toolkitloops": came} if came else {})}
    async with broker.listening() as sink, consuming(function(handler, wired, kept, sink=sink)) as url:
        response = await deliver(url, headers)
    assert (response.status, response.body.decode().startswith(says)) == (422, True)
    assert (kept.receipts[0].error or "").startswith(says)


@pytest.mark.parametrize(
    ("headers", "body", "says"),
    [
        ({}, b"plain", b"no CloudEvent"),
        ({**GREETING, "ce-specversion": "0.3"}, b"", b"0.3"),
        ({name: value for name, value in GREETING.items() if name != "ce-id"}, b"", b"'id' is missing"),
        ({"content-type": "application/cloudevents+json"}, b"{", b"not a JSON object"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", b"not supported"),
    ],
)
async def test_what_is_no_event_is_answered_400_with_the_reason(
    headers: dict[str, str], body: bytes, says: bytes
) -> None:
    kept = Kept()
    async with consuming(function(take, consumer(), kept)) as url:
        response = await deliver(url, headers, body)
    assert response.status == 400
    assert says in response.body
    assert kept.receipts == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/healthz", 200), ("HEAD", "/healthz", 200), ("GET", "/", 405), ("PUT", "/", 405), ("GET", "/x", 404)],
)
async def test_other_requests_get_the_status_they_deserve(method: str, path: str, status: int) -> None:
    async with consuming(function(take, consumer())) as url:
        assert (await deliver(url + path, {}, method=method)).status == status


async def test_a_consumer_that_is_not_ready_says_so() -> None:
    server = EventServer(function(take, consumer()))
    assert (await server.answer(Request("GET", contract.READY_PATH, (), b""))).status == 503


async def test_an_event_may_lead_to_a_call_and_further_events() -> None:
    async def relay(ctx: Context, message: Message) -> None:
        await ctx.emit(message)

    broker, kept = Broker(), Kept()
    headers = {**GREETING, "ce-traceparent": ORIGIN, "ce-time": "2020-01-01T00:00:00Z", "content-type": "text/x"}
    async with broker.listening() as sink, consuming(function(relay, consumer("next"), kept, sink=sink)) as url:
        await deliver(url, headers, b"data")
    sent = broker.events[0]
    assert (sent.type, sent.source, sent.data, sent.get("datacontenttype")) == ("next", "consumer", b"data", "text/x")
    assert sent.id == contract.child_id("e1", "consumer", 0)
    assert not (sent.get("time") or "").startswith("2020")
    assert sent.get("traceparent") == ORIGIN  # nothing is recorded here, so the trace is passed through


async def test_binary_data_of_eight_mebibytes_arrives() -> None:
    kept = Kept()
    body = bytes(8 << 20)
    headers, _ = encode_binary(Event({"specversion": "1.0", "id": "e", "type": "t", "source": "s"}, body))
    async with consuming(function(take, consumer(), kept)) as url:
        assert (await deliver(url, {k.decode(): v.decode() for k, v in headers}, body)).status == 200
    assert kept.receipts[0].size == 8 << 20


def test_a_wired_sink_counts_where_the_environment_names_none() -> None:
    assert Sink.of({}, "http://baked/ns/b").url == "http://baked/ns/b"
    assert Sink.of({"K_SINK": "http://said/ns/b"}, "http://baked/ns/b").url == "http://said/ns/b"
    assert Sink.of({}).url is None
    with pytest.raises(WiringError, match="K_SINK"):
        Sink.of({}, "no address")
