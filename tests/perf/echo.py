"""The functions that are measured: as handlers of ours, and (run as a program) as what one would write without us.

`python -m tests.perf.echo bare|stock PORT [SPANS-URL]` serves Greeter with plain grpc.aio, with `stock` under
opentelemetry-instrumentation-grpc and its Zipkin JSON exporter.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest


async def echo(ctx: Context, request: HelloRequest) -> HelloReply:
    return HelloReply(message=request.name)


async def forward(ctx: Context, request: HelloRequest) -> HelloReply:
    reply: HelloReply = await ctx.call(HelloRequest(name=request.name))
    return reply


async def emit(ctx: Context, request: HelloRequest) -> HelloReply:
    await ctx.emit(request.name)
    return HelloReply()


async def take(ctx: Context, message: Message) -> None: ...


async def relay(ctx: Context, message: Message) -> None:
    await ctx.emit(message)


async def serve(kind: str, port: str, spans: str = "") -> None:
    import grpc.aio

    from toolkit.stubs.helloworld_pb2_grpc import GreeterServicer, add_GreeterServicer_to_server

    class Greeter(GreeterServicer):
        async def SayHello(self, request: HelloRequest, context: Any) -> HelloReply:  # noqa: N802 - the service's word
            return HelloReply(message=request.name)

    server = grpc.aio.server(
        interceptors=_stock(spans) if kind == "stock" else None, options=[("grpc.so_reuseport", 0)]
    )
    add_GreeterServicer_to_server(Greeter(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def _stock(spans: str) -> list[Any]:
    from opentelemetry.exporter.zipkin.json import ZipkinExporter
    from opentelemetry.instrumentation.grpc import aio_server_interceptor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(ZipkinExporter(endpoint=spans), schedule_delay_millis=200))
    interceptor: Any = aio_server_interceptor  # untyped, over there
    return [interceptor(tracer_provider=provider)]


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
