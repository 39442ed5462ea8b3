"""Long silences between one receipt and the next."""

import asyncio

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest

seen: set[str] = set()


async def produce(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit(request.name)
    return "emitted"


async def relay(ctx: Context, message: Message) -> None:
    await asyncio.sleep(float(ctx.parameters["pause"]))
    await ctx.emit(message.data)


async def consume(ctx: Context, message: Message) -> None:
    if message.id not in seen:
        seen.add(message.id)
        raise RuntimeError("not yet")
