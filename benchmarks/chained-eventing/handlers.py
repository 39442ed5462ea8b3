"""The same chain as chained-serving, loosely coupled: nobody knows who consumes what they emit."""

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest


async def produce(ctx: Context, request: HelloRequest) -> HelloReply:
    await ctx.emit(ctx.payload(), content_type="application/octet-stream")
    return HelloReply(message=f"{request.name}: emitted")


async def relay(ctx: Context, message: Message) -> None:
    await ctx.emit(message.data, content_type=message.content_type)


async def consume(ctx: Context, message: Message) -> None:
    ctx.answer(len(message.data))
