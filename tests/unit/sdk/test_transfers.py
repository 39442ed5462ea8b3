"""Data that does not travel with its message: handlers do not notice, receipts and spans tell, liars are refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sdk.scaffold import (
    Kept,
    Zipkin,
    arrival,
    consuming,
    function,
    raw_call,
    serving,
    tracer,
    until_async,
    wiring,
)
from toolkit import contract
from toolkit.contract import ENTRY_METHOD, GENERIC_METHOD, GENERIC_STREAM, Outgoing, Wiring
from toolkit.sdk import CallFailed, Context, Message, Refused
from toolkit.sdk.channels import Channels
from toolkit.sdk.function import Function, HandlingFailed
from toolkit.sdk.handling import Surroundings
from toolkit.sdk.sink import Sink
from toolkit.sdk.tracing import Tracing
from toolkit.sdk.transfers import Settings, TransferFailed
from toolkit.sdk.transfers.carrying import PIECE, Transfers, joined, pieces
from toolkit.sdk.transfers.reference import CONTENT_TYPE, Reference
from toolkit.sdk.transfers.settings import lack, secrets_told
from toolkit.sdk.transfers.store import digest, key, prefix
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest

BIG = bytes(range(256)) * (5 << 12)  # 5 MiB: more than gRPC lets through where nobody says otherwise


def carrying(handler: Any, wired: Wiring, folder: Path, kept: Kept, spans: Tracing | None = None) -> Function:
    """A function whose store is a folder."""
    transfers = Transfers(Settings(folder=str(folder)))
    around = Surroundings(wired, "replica", spans or Tracing(), Channels(), Sink(None, {}), transfers)
    return Function(handler, around, kept)


@asynccontextmanager
async def pair(
    folder: Path, ask: Any, answer: Any, kept: Kept, transfer: str = "file", spans: Zipkin | None = None
) -> AsyncIterator[str]:
    """An entry that calls `echo` over an edge with this transfer; the entry's target."""
    method = GENERIC_STREAM if transfer == "stream" else GENERIC_METHOD
    async with AsyncExitStack() as stack:
        echo = wiring("echo", serves=(method,), takes=(transfer,))
        traced = tracer(spans, "echo") if spans else None
        there = await stack.enter_async_context(serving(carrying(answer, echo, folder, kept, traced)))
        edge = Outgoing("echo", "call", method=method, address=there, most=None, transfer=transfer)  # type: ignore[arg-type]
        entry = wiring("ask", serves=(ENTRY_METHOD,), outgoing=(edge,))
        traced = tracer(spans, "ask") if spans else None
        asking = carrying(ask, entry, folder, kept, traced)
        yield await stack.enter_async_context(serving(asking))
        await asking.around.transfers.close()


async def said(target: str) -> str:
    raw = await raw_call(target, ENTRY_METHOD, HelloRequest(name="?").SerializeToString())
    return str(HelloReply.FromString(raw).message)


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("transfer", ["file", "stream"])
@pytest.mark.parametrize("data", [b"", b"x", BIG])
async def test_a_handler_gets_the_message_that_another_sent(tmp_path: Path, transfer: str, data: bytes) -> None:
    seen: list[Message] = []

    async def ask(ctx: Context, request: HelloRequest) -> str:
        reply: Message = await ctx.call(Message(data, "application/x-of-mine"))
        return reply.text

    async def echo(ctx: Context, message: Message) -> str:
        seen.append(message)
        return str(len(message.data))

    async with pair(tmp_path, ask, echo, Kept(), transfer) as target:
        assert await said(target) == str(len(data))
    assert [(each.data, each.content_type) for each in seen] == [(data, "application/x-of-mine")]
    assert left(tmp_path) == []


async def test_a_receipt_hashes_what_was_on_the_wire(tmp_path: Path) -> None:
    kept = Kept()
    async with pair(tmp_path, _ask, _count, kept) as target:
        await said(target)
    echo, ask = kept.receipts
    assert (echo.digest, echo.size) == (ask.sent[0].digest, ask.sent[0].size)
    assert echo.size < 512
    assert ask.sent[0].accepted


async def test_spans_tell_of_the_store_and_of_the_size_of_the_data(tmp_path: Path) -> None:
    zipkin = Zipkin()
    async with pair(tmp_path, _ask, _count, Kept(), spans=zipkin) as target:
        await said(target)
    await until_async(lambda: len(zipkin.spans) == 5)
    put, get = zipkin.span(name="put file"), zipkin.span(name="get file")
    client, server = zipkin.span(kind="CLIENT"), zipkin.span(kind="SERVER", service="echo")
    assert put["parentId"] == zipkin.span(kind="SERVER", service="ask")["id"]
    assert get["parentId"] == server["id"]
    for each in (put, get):
        assert "kind" not in each
        assert each["tags"].items() >= {"payload.transfer": "file", "payload.size": str(len(BIG))}.items()
    for each in (client, server):
        assert each["tags"]["payload.transferred"] == str(len(BIG))
        assert int(each["tags"]["payload.size"]) < 512
    zipkin.close()


async def test_data_that_somebody_changed_meanwhile_is_lost_and_never_handled(tmp_path: Path) -> None:
    handled: list[Message] = []

    async def echo(ctx: Context, message: Message) -> str:
        handled.append(message)
        return ""

    async def ask(ctx: Context, request: HelloRequest) -> str:
        with pytest.raises(CallFailed) as failed:
            await ctx.call(BIG)
        return f"{failed.value.code} {failed.value.details}"

    kept = Kept()
    async with pair(tmp_path, ask, echo, kept) as target:
        original = Transfers.put

        async def spoiling(self: Transfers, parcel: Any, within_s: float) -> None:
            await original(self, parcel, within_s)
            place = tmp_path.joinpath(*parcel.key.split("/"))
            place.write_bytes(b"?" + place.read_bytes()[1:])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Transfers, "put", spoiling)
            answer = await said(target)
    assert answer.startswith("DATA_LOSS transfer file: what is there is not what was sent")
    assert handled == []
    assert [each.error is not None for each in kept.receipts] == [True, False]


async def test_calls_at_once_get_each_its_own(tmp_path: Path) -> None:
    async def ask(ctx: Context, request: HelloRequest) -> str:
        data = [bytes([number]) * (1000 + number) for number in range(32)]
        replies = await asyncio.gather(*(ctx.call(each) for each in data))
        return str([reply.data for reply in replies] == [each[:1] * 2 for each in data])

    async def echo(ctx: Context, message: Message) -> bytes:
        assert set(message.data) == {message.data[0]}
        return message.data[:1] * 2

    async with pair(tmp_path, ask, echo, Kept()) as target:
        assert set(await asyncio.gather(*(said(target) for _ in range(4)))) == {"True"}
    assert left(tmp_path) == []


async def test_a_store_that_is_not_there_is_the_callers_failure(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a file where a folder should be")
    kept = Kept()

    async def ask(ctx: Context, request: HelloRequest) -> str:
        with pytest.raises(TransferFailed, match="transfer file") as failed:
            await ctx.call(BIG)
        return failed.value.code

    async with pair(tmp_path / "f", ask, _count, kept) as target:
        assert await said(target) == "UNAVAILABLE"
    assert [(each.function, each.sent[0].accepted) for each in kept.receipts] == [("ask", False)]


async def test_an_event_takes_its_data_along_and_leaves_it_for_every_receiver(tmp_path: Path) -> None:
    seen: list[Message] = []

    async def consume(ctx: Context, message: Message) -> None:
        seen.append(message)

    consumer = carrying(consume, wiring("b", consumes=True, takes=("file",)), tmp_path, Kept())
    async with consuming(consumer) as url:
        edge = Outgoing("b", "event", type="t", transfer="file")
        around = Surroundings(
            wiring("a", serves=(ENTRY_METHOD,), outgoing=(edge,)),
            "replica",
            Tracing(),
            Channels(),
            Sink(url, {}),
            Transfers(Settings(folder=str(tmp_path))),
        )

        async def emit(ctx: Context, request: Any) -> None:
            await ctx.emit({"big": "x" * len(BIG)})

        kept = Kept()
        metadata = contract.Metadata("c", "call-1", "").encode()
        await Function(emit, around, kept).handle(arrival(metadata=metadata), lambda *_: None)
        await around.sink.close()  # type: ignore[attr-defined]  # Sink, here
    assert [(each.content_type, each.type, each.source) for each in seen] == [("application/json", "t", "a")]
    assert len(seen[0].json()["big"]) == len(BIG)
    assert len(left(tmp_path)) == 1
    assert kept.receipts[0].sent[0].size < 512


def reference(**other: Any) -> bytes:
    fields = {"transfer": "file", "key": "c/r/call-1/m-1", "size": 3, "digest": digest(b"abc"), "content_type": None}
    return json.dumps({**fields, **other}).encode()


HOSTILE = {
    "another store": reference(transfer="s3"),
    "no store": reference(transfer="stream"),
    "another call": reference(key="c/r/call-2/m-1"),
    "another run": reference(key="c/r2/call-1/m-1"),
    "up": reference(key="c/r/call-1/../../../secret"),
    "up at once": reference(key="c/r/call-1/.."),
    "down": reference(key="c/r/call-1/m-1/more"),
    "absolute": reference(key="/etc/passwd"),
    "nowhere": reference(key=""),
    "a list": reference(key=["c"]),
    "negative": reference(size=-1),
    "true": reference(size=True),
    "no number": reference(size="3"),
    "no digest": reference(digest="abc"),
    "more": reference(more=1),
    "no object": b"[]",
    "no JSON": b"\xff{",
    "nothing": b"",
    "deep": b"[" * 4000,
    "long": reference(content_type="x" * 5000),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_reference_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"abc")
    made = carrying(_count, wiring(serves=(GENERIC_METHOD,), takes=("file",)), tmp_path, Kept())
    with pytest.raises(HandlingFailed) as failed:
        await made.handle(arrival(Message(HOSTILE[name], CONTENT_TYPE)), lambda *_: None)
    assert failed.value.code == "INVALID_ARGUMENT"


async def test_a_reference_to_what_is_gone_names_it(tmp_path: Path) -> None:
    made = carrying(_count, wiring(serves=(GENERIC_METHOD,), takes=("file",)), tmp_path, Kept())
    with pytest.raises(HandlingFailed, match=r"NOT_FOUND: transfer file: nothing is there.*c/r/call-1/m-1"):
        await made.handle(arrival(Message(reference(), CONTENT_TYPE)), lambda *_: None)


async def test_where_no_edge_has_a_store_a_reference_is_a_message_like_any_other() -> None:
    async def handler(ctx: Context, message: Message) -> bytes:
        return message.data

    made = function(handler, wiring(serves=(GENERIC_METHOD,)))
    assert await made.handle(arrival(Message(reference(), CONTENT_TYPE)), lambda _, value: value) == reference()


def test_a_reference_says_itself() -> None:
    made = Reference("s3", "c/r/call/m", 3, digest(b"abc"), "text/plain")
    assert Reference.decode(made.encode()) == made
    with pytest.raises(Refused):
        Reference.decode(made.encode() + b"x")


@pytest.mark.parametrize("call", ["../../etc", "", "a/b", "*", "x" * 300, "käse", ".", "\udc80"])
def test_a_call_of_any_name_has_a_place_of_its_own_below_its_run(call: str) -> None:
    made = prefix("chain", "run", call)
    assert made.startswith("chain/run/")
    assert made.count("/") == 2
    assert made == prefix("chain", "run", call) != prefix("chain", "run", call + "x")
    assert key(wiring(), call, "../m", digest(b"")).count("/") == 3


async def _as_stream(messages: list[Message]) -> AsyncIterator[Message]:
    for each in messages:
        yield each


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
async def test_pieces_are_the_message_again(size: int) -> None:
    message = Message(bytes(size), "text/plain")
    found = list(pieces(message))
    assert len(found) == max(1, -(-size // PIECE))
    assert await joined(_as_stream(found)) == message


@pytest.mark.parametrize(
    ("transfer", "store", "environment", "said"),
    [
        ("s3", {}, {}, "no bucket"),
        ("s3", {"bucket": "b"}, {}, "no credentials"),
        ("s3", {"bucket": "b", "s3": "ftp://x"}, {}, "no http"),
        ("s3", {"bucket": "b", "s3": "http://[x"}, {}, "no http"),
        ("s3", {"bucket": "b"}, {"AWS_ENDPOINT_URL": "http://x:y"}, "no http"),
        ("s3", {"bucket": "b"}, {"AWS_ENDPOINT_URL": "http://me:word@h"}, "more than scheme"),
        ("s3", {"bucket": "b"}, {"AWS_ENDPOINT_URL": "http://h/?key=word"}, "more than scheme"),
        ("redis", {}, {}, "no server"),
        ("redis", {"redis": "http://x"}, {}, "no redis://"),
        ("redis", {}, {"REDIS_URL": "x"}, "no redis://"),
        ("file", {}, {}, "no folder"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_told(
    transfer: str, store: dict[str, str], environment: dict[str, str], said: str
) -> None:
    found = lack(transfer, Settings.of(store, environment))
    assert found is not None
    assert said in found.why
    assert "word@" not in f"{found.why} {found.next_step}"


async def test_what_a_store_says_names_host_and_port_of_an_endpoint_and_nothing_else_of_it() -> None:
    from toolkit.sdk.transfers.s3 import S3Store

    credentials = {"access_key_id": "me", "secret_access_key": "hidden"}
    store = S3Store("mine", "http://me:word@127.0.0.1:9/path?key=word", None, credentials)
    with pytest.raises(TransferFailed, match=r": 127\.0\.0\.1:9, bucket mine: ") as failed:
        await store.get("a/b/c", 1)
    assert "word" not in str(failed.value)
    assert "word" not in repr(Settings(endpoint="http://me:word@h"))


def test_the_environment_counts_more_than_the_chain_and_s3_has_its_own_variable() -> None:
    environment = {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b", "REDIS_URL": "redis://c"}
    found = Settings.of({"s3": "http://x", "redis": "redis://x", "bucket": "b"}, environment)
    assert (found.endpoint, found.redis, found.bucket) == ("http://b", "redis://c", "b")
    assert "redis://c" not in repr(found)


@pytest.mark.parametrize(
    "store",
    [
        *(
            {"redis": url}
            for url in ("redis://:word@host", "redis://word@host", "redis://h/0?password=word@", "redis://h?")
        ),
        *({"redis": url} for url in ("redis://h#word@", "unix:///s?password=word@", "redis://[word@")),
        *({"s3": url} for url in ("http://me:word@host", "http://me@host", "https://h?key=word@", "https://h/#word@")),
    ],
)
def test_a_secret_in_a_file_is_refused_and_not_repeated(store: dict[str, str]) -> None:
    found = secrets_told(store)
    assert found is not None
    assert "word@" not in f"{found.why} {found.next_step}"


async def _ask(ctx: Context, request: HelloRequest) -> str:
    reply: Message = await ctx.call(BIG)
    return reply.text


async def _count(ctx: Context, message: Message) -> str:
    return str(len(message.data))
