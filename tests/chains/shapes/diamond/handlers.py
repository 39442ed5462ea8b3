"""Both arms at once."""

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def split(ctx: Context, request: HelloRequest) -> str:
    left, right = await ctx.forward(ctx.payload())
    return f"{left.text} and {right.text}"


async def pass_on(ctx: Context, message: Message) -> str:
    await ctx.emit(message.data)
    return ctx.function


async def join(ctx: Context, message: Message) -> None:
    assert message.source in ("left", "right")
