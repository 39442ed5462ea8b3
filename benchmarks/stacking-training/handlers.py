"""A driver, trainers side by side, and a metatrainer: called one after the other, or reached by events."""

import work

from toolkit.sdk import BaseContext, BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def drive(ctx: Context, request: HelloRequest) -> str:
    trained = await ctx.scatter(list(work.MODELS), to="trainer")
    return (await ctx.call([reply.json() for reply in trained], to="metatrainer")).text


async def order(ctx: Context, request: HelloRequest) -> str:
    await ctx.scatter(list(work.MODELS))
    return "ordered"


def train(ctx: BlockingContext, message: Message) -> work.Trained:
    return work.train(message.text, ctx.seed, _size(ctx))


def stack(ctx: BlockingContext, message: Message) -> str:
    return work.stack(message.json(), ctx.seed, _size(ctx))


def stack_all(ctx: BlockingContext, messages: list[Message]) -> None:
    ctx.answer(work.stack([message.json() for message in messages], ctx.seed, _size(ctx)))


def _size(ctx: BaseContext) -> int:
    return int(ctx.parameters["size"])
