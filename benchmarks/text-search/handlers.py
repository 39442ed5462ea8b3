"""Search asks for vectors, has every shard searched for them at once, and has the findings ranked."""

import work

from toolkit.sdk import BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def search(ctx: Context, request: HelloRequest) -> str:
    questions = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    vectors = (await ctx.call(questions, to="embed")).json()
    shards = int(ctx.parameters["shards"])
    asked = [{"vectors": vectors, "shard": shard, "shards": shards} for shard in range(shards)]
    found = [reply.json() for reply in await ctx.scatter(asked, to="retrieve")]
    candidates = [[number for shard in found for number in shard[place]] for place in range(len(questions))]
    return (await ctx.call({"questions": questions, "candidates": candidates}, to="rank")).text


def embed(ctx: BlockingContext, message: Message) -> list[list[float]]:
    return work.embedded(message.json())


def retrieve(ctx: BlockingContext, message: Message) -> list[list[int]]:
    asked = message.json()
    return work.nearest(asked["vectors"], asked["shard"], asked["shards"])


def rank(ctx: BlockingContext, message: Message) -> list[list[int]]:
    asked = message.json()
    return work.ranked(asked["questions"], asked["candidates"])
