"""Whatever comes in goes on, by whichever edge there is."""

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def start(ctx: Context, request: HelloRequest) -> str:
    await ctx.forward(ctx.payload())
    return "started"


async def middle(ctx: Context, message: Message) -> None:
    await ctx.forward(message.data)


async def last(ctx: Context, message: Message) -> None:
    assert len(message.data) == ctx.parameters["payload"]
