"""A producer, relays and a consumer, each a server of one link and a client of the next."""

from toolkit.sdk import Context, Refused
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest


async def produce(ctx: Context, request: HelloRequest) -> HelloReply:
    reply = await ctx.call(ConsumeByteRequest(value=ctx.payload()))
    if not reply.value:
        raise Refused("DATA_LOSS", "the consumer did not get what was sent")
    return HelloReply(message=f"{request.name}: consumed")


async def relay(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    return await ctx.call(request)


async def consume(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    ctx.answer(len(request.value))
    return ConsumeByteReply(value=True)
