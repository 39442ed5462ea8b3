"""A producer and a consumer. How the data travels between them is the edge's word: neither of them knows."""

import work

from toolkit.sdk import BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def produce(ctx: Context, request: HelloRequest) -> str:
    account: Message = await ctx.call(work.generate_input(ctx.seed, int(ctx.parameters["payload"])))
    return account.text


async def announce(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit(work.generate_input(ctx.seed, int(ctx.parameters["payload"])))
    return "sent"


def consume(ctx: BlockingContext, message: Message) -> str:
    return work.account(message.data)


def receive(ctx: BlockingContext, message: Message) -> None:
    ctx.answer(work.account(message.data))
