"""The spans of opentelemetry-instrumentation-grpc beside ours: the same story, and where theirs goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.unit.sdk.scaffold import CONSUME, Zipkin, failing_call, function, raw_call, serving, to, tracer, wiring
from tests.unit.sdk.scaffold import until_async as until
from toolkit.contract import ENTRY_METHOD
from toolkit.sdk import Context, Refused
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteRequest

Story = tuple[str | None, str]  # of a span: the status of its call, and whether it is an error


@pytest.fixture
def zipkin() -> Iterator[Zipkin]:
    server = Zipkin()
    yield server
    server.close()


class Stock:
    """Two hops as one would write them without us, under the stock interceptors."""

    def __init__(self) -> None:
        self._server: Any = aio_server_interceptor  # untyped, over there
        self._client: Any = aio_client_interceptors
        self._memory = InMemorySpanExporter()
        self._provider = TracerProvider()
        self._provider.add_span_processor(SimpleSpanProcessor(self._memory))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._memory.get_finished_spans()

    def story(self, kind: str, method: str) -> Story:
        found = [each for each in self.spans if (each.kind.name, each.name) == (kind, f"/{method}")]
        assert len(found) == 1, self.spans
        status = (found[0].attributes or {}).get("rpc.grpc.status_code")
        return None if status is None else str(status), found[0].status.status_code.name

    @contextlib.asynccontextmanager
    async def serving(self, method: str, behaviour: Any) -> AsyncIterator[str]:
        server = grpc.aio.server(interceptors=[self._server(tracer_provider=self._provider)])
        service, _, name = method.partition("/")
        handlers: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(behaviour)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        yield f"127.0.0.1:{port}"
        await server.stop(0)

    @contextlib.asynccontextmanager
    async def hops(self, behaviour: Any) -> AsyncIterator[str]:
        """The entry's target; it calls `behaviour` and answers what that does."""
        interceptors = self._client(tracer_provider=self._provider)
        async with (
            self.serving(CONSUME, behaviour) as there,
            grpc.aio.insecure_channel(there, interceptors=interceptors) as channel,
        ):

            async def produce(request: bytes, context: Any) -> bytes:
                call: Any = channel.unary_unary("/" + CONSUME)
                return bytes(await call(b"", timeout=context.time_remaining()))

            async with self.serving(ENTRY_METHOD, produce) as target:
                yield target


@contextlib.asynccontextmanager
async def ours(zipkin: Zipkin, handler: Any) -> AsyncIterator[str]:
    async def produce(ctx: Context, request: HelloRequest) -> None:
        await ctx.call(ConsumeByteRequest())

    last = function(handler, wiring("consumer", serves=(CONSUME,)), tracer=tracer(zipkin, "consumer"))
    async with serving(last) as there:
        wired = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(to("consumer", there),))
        async with serving(function(produce, wired, tracer=tracer(zipkin, "producer"))) as target:
            yield target


def our_story(zipkin: Zipkin, kind: str, method: str) -> Story:
    tags = zipkin.span(kind=kind, name=method)["tags"]
    return tags.get("rpc.grpc.status_code"), "ERROR" if "error" in tags else "UNSET"


async def test_a_success_is_told_alike(zipkin: Zipkin) -> None:
    """The same kinds, names, parents and statuses."""

    async def fine(request: bytes, context: Any) -> bytes:
        return b""

    async def fine_ours(ctx: Context, request: ConsumeByteRequest) -> bool:
        return False

    stock = Stock()
    async with stock.hops(fine) as target:
        await raw_call(target, ENTRY_METHOD, b"")
    async with ours(zipkin, fine_ours) as target:
        await raw_call(target, ENTRY_METHOD, b"")
    by_id = {each.context.span_id: each for each in stock.spans if each.context is not None}
    theirs = {
        (each.kind.name, each.name.lstrip("/"), _kind(by_id.get(each.parent.span_id)) if each.parent else None)
        for each in by_id.values()
    }
    ours_by_id = {span["id"]: span for span in zipkin.spans}
    told = {
        (span["kind"], span["name"], ours_by_id[span["parentId"]]["kind"] if "parentId" in span else None)
        for span in zipkin.spans
    }
    assert told == theirs
    for kind, method in (("SERVER", ENTRY_METHOD), ("CLIENT", CONSUME), ("SERVER", CONSUME)):
        assert our_story(zipkin, kind, method) == stock.story(kind, method) == ("0", "UNSET")


def _kind(span: ReadableSpan | None) -> str | None:
    return None if span is None else span.kind.name


async def raising(request: bytes, context: Any) -> bytes:
    raise ValueError("no colour")


async def aborting(request: bytes, context: Any) -> bytes:
    await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
    return b""


async def sleeping(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(60)
    return b""


async def raising_ours(ctx: Context, request: ConsumeByteRequest) -> None:
    raise ValueError("no colour")


async def aborting_ours(ctx: Context, request: ConsumeByteRequest) -> None:
    raise Refused("NOT_FOUND", "gone")


async def sleeping_ours(ctx: Context, request: ConsumeByteRequest) -> None:
    await asyncio.sleep(60)


@dataclass(frozen=True)
class Case:
    """A second hop that fails, as each side writes it, and what is told of it: entry, its client span, second hop."""

    theirs: Any
    mine: Any
    ours: tuple[Story, Story, Story]
    stock: tuple[Story, Story | None, Story]
    timeout_s: float = 10.0


CASES = {
    # The server's spans know of nothing: neither status nor error.
    "an exception nobody caught": Case(
        raising,
        raising_ours,
        (("13", "ERROR"), ("13", "ERROR"), ("13", "ERROR")),
        (("0", "UNSET"), ("2", "ERROR"), ("0", "UNSET")),
    ),
    # By OpenTelemetry's conventions a refusal is no error of the server that refuses (NOT_FOUND is none of the codes
    # that are); ours is one, for a chain's verdicts are such refusals. The entry's, of what came from below, is lost.
    "a status the handler chose": Case(
        aborting,
        aborting_ours,
        (("5", "ERROR"), ("5", "ERROR"), ("5", "ERROR")),
        (("0", "UNSET"), ("5", "ERROR"), ("5", "UNSET")),
    ),
    # A handler that is cancelled looks like one that answered, and what it was calling leaves no span at all.
    "a deadline": Case(
        sleeping,
        sleeping_ours,
        (("4", "ERROR"), ("4", "ERROR"), ("4", "ERROR")),
        (("0", "UNSET"), None, ("0", "UNSET")),
        timeout_s=1.5,  # enough for a busy machine to reach the last function, which then sleeps
    ),
}
HOPS = (("SERVER", ENTRY_METHOD), ("CLIENT", CONSUME), ("SERVER", CONSUME))


@pytest.mark.parametrize("name", CASES)
async def test_every_failure_is_an_error_of_ours(zipkin: Zipkin, name: str) -> None:
    case = CASES[name]
    async with ours(zipkin, case.mine) as target:
        await failing_call(target, ENTRY_METHOD, b"", timeout_s=case.timeout_s)
    assert tuple(our_story(zipkin, *hop) for hop in HOPS) == case.ours


@pytest.mark.parametrize("name", CASES)
async def test_the_stock_interceptors_miss_failures(name: str) -> None:
    """If this fails after an upgrade, they have been mended: look again at whether ours are still needed."""
    case, stock = CASES[name], Stock()
    async with stock.hops(case.theirs) as target:
        await failing_call(target, ENTRY_METHOD, b"", timeout_s=case.timeout_s)
        await until(lambda: len(stock.spans) == sum(each is not None for each in case.stock))
    told = [stock.story(*hop) if wanted else None for hop, wanted in zip(HOPS, case.stock, strict=True)]
    assert tuple(told) == case.stock
