"""Each step is a task of its own, spawned by the one before."""

import work

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def start(ctx: Context, request: HelloRequest) -> str:
    await ctx.spawn({"number": work.generate_input(ctx.seed) + 1, "left": ctx.parameters["limit"]})
    return "counting"


async def step(ctx: Context, message: Message) -> int:
    at = message.json()
    if at["left"] > 1:
        await ctx.spawn({"number": at["number"] + 1, "left": at["left"] - 1})
    return at["number"]


async def finish(ctx: Context, message: Message) -> None:
    numbers = (result.json() for _, result in await ctx.results())
    ctx.answer(work.trail(numbers, ctx.parameters["limit"]))
