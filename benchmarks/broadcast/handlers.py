"""One query, many shards: all are called at once (`ask`), or all receive one event (`publish`, `rank` at the end)."""

import work

from toolkit.sdk import BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def ask(ctx: Context, request: HelloRequest) -> str:
    found = await ctx.forward({"seed": ctx.seed, "query": work.query(ctx.seed)})
    return work.best([reply.json() for reply in found])


async def publish(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit({"seed": ctx.seed, "query": work.query(ctx.seed)})
    return "asked"


def find(ctx: BlockingContext, message: Message) -> list[list[int]]:
    asked = message.json()
    points = work.generate_input(asked["seed"], int(ctx.parameters["size"]))
    return work.nearest(points, asked["query"], work.position(ctx.function), int(ctx.parameters["width"]))


def rank(ctx: BlockingContext, messages: list[Message]) -> None:
    ctx.answer(work.best([message.json() for message in messages]))
