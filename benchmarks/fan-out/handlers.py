"""A driver and a worker that has as many messages at once as the driver makes."""

import time

import work

from toolkit.sdk import BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def drive(ctx: Context, request: HelloRequest) -> str:
    numbers = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    counts = await ctx.scatter(work.cut(*numbers, int(ctx.parameters["width"])))
    return str(sum(reply.json() for reply in counts))


def count(ctx: BlockingContext, message: Message) -> int:
    time.sleep(float(ctx.parameters["pause"]))
    return work.primes(*message.json())
