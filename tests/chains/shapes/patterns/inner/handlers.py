"""The squares of as many numbers as the chain around it wants."""

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def scatter(ctx: Context, request: HelloRequest) -> str:
    numbers = [ctx.seed * 100 + at for at in range(int(ctx.parameters["size"]))]
    return str([reply.json() for reply in await ctx.scatter(numbers)])


async def square(ctx: Context, message: Message) -> int:
    return int(message.json()) ** 2
