"""Four functions: called, called, sent an event, called."""

from toolkit.sdk import Context, Message, Refused
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply, ConsumeByteRequest


async def produce(ctx: Context, request: HelloRequest) -> HelloReply:
    reply = await ctx.call(ctx.payload())
    if reply.text != "published":
        raise Refused("DATA_LOSS", f"the publisher answered {reply.text!r}")
    return HelloReply(message=f"{request.name}: {reply.text}")


async def publish(ctx: Context, message: Message) -> str:
    await ctx.emit(message.data, content_type="application/octet-stream")
    return "published"


async def subscribe(ctx: Context, message: Message) -> None:
    reply = await ctx.call(ConsumeByteRequest(value=message.data))
    if not reply.value:
        raise Refused("DATA_LOSS", "the consumer did not get what was sent")


async def consume(ctx: Context, request: ConsumeByteRequest) -> ConsumeByteReply:
    ctx.answer(len(request.value))
    return ConsumeByteReply(value=True)
