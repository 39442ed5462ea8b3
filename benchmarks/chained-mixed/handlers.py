"""Four functions: called, called, sent an event, called."""

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest


async def produce(ctx: Context, request: HelloRequest) -> HelloReply:
    reply = await ctx.call(ctx.payload())
    return HelloReply(message=f"{request.name}: {reply.text}")


async def publish(ctx: Context, message: Message) -> str:
    await ctx.emit(message.data, content_type="application/octet-stream")
    return "published"


async def subscribe(ctx: Context, message: Message) -> None:
    await ctx.call(ConsumeByteRequest(value=message.data))


async def consume(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    return ConsumeByteReply(value=len(request.value) == ctx.parameters["payload"])
