"""A producer, relays and a consumer, each a server of one link and a client of the next."""

from toolkit.sdk import Context
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest


async def produce(ctx: Context, request: HelloRequest) -> HelloReply:
    reply = await ctx.call(ConsumeByteRequest(value=ctx.payload()))
    return HelloReply(message=f"{request.name}: {'consumed' if reply.value else 'refused'}")


async def relay(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    return await ctx.call(request)


async def consume(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    return ConsumeByteReply(value=len(request.value) == ctx.parameters["payload"])
