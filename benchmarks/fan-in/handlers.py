"""Producers, and a reducer: one that asks them (`gather`), or one that waits for what they send (`start`, `merge`)."""

import work

from toolkit.sdk import BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def gather(ctx: Context, request: HelloRequest) -> str:
    runs = await ctx.forward({"seed": ctx.seed})
    return work.summary([run.json() for run in runs])


async def start(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit({"seed": ctx.seed})
    return "started"


def produce(ctx: BlockingContext, message: Message) -> list[int]:
    numbers = work.generate_input(message.json()["seed"], int(ctx.parameters["size"]))
    return work.run(numbers, work.position(ctx.function), int(ctx.parameters["width"]))


def merge(ctx: BlockingContext, messages: list[Message]) -> None:
    ctx.answer(work.summary([message.json() for message in messages]))
