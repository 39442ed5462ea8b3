"""A trip of three steps, each of which can be taken and taken back."""

import work

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def book(ctx: Context, request: HelloRequest) -> str:
    party = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    done: list[str] = []
    for step in work.STEPS:
        reply = await ctx.call({"do": "book", **party}, to=step)
        if reply.text == work.SOLD_OUT:
            back = [await ctx.call({"do": "cancel", **party}, to=each) for each in reversed(done)]
            return work.told([each.text for each in back], failed=step)
        done.append(step)
    return work.told(done)


async def step(ctx: Context, message: Message) -> str:
    asked = message.json()
    return work.step(ctx.function, asked["do"], asked["people"], asked["left"])
