"""Mappers and reducers: a driver calls them (`drive`), or events go from one to the next (`split`, `reduce_all`)."""

import work

from toolkit.sdk import BaseContext, BlockingContext, Context, Message, Refused
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def drive(ctx: Context, request: HelloRequest) -> str:
    mapped = await ctx.scatter(_parts(ctx), to="mapper")
    shares = work.shuffled(_job(ctx), [reply.json() for reply in mapped], int(ctx.parameters["reducers"]))
    return work.answer(_job(ctx), [reply.json() for reply in await ctx.scatter(shares, to="reducer")])


async def split(ctx: Context, request: HelloRequest) -> str:
    await ctx.scatter(_parts(ctx))
    return "split"


def map_part(ctx: BlockingContext, message: Message) -> dict[str, int]:
    return work.mapped(_job(ctx), message.text)


def reduce_share(ctx: BlockingContext, message: Message) -> dict[str, int]:
    return work.reduced(message.json())


def reduce_all(ctx: BlockingContext, messages: list[Message]) -> None:
    ctx.answer(work.answer(_job(ctx), [work.reduced([message.json() for message in messages])]))


def _job(ctx: BaseContext) -> str:
    return str(ctx.parameters["job"])


def _parts(ctx: BaseContext) -> list[str]:
    try:
        data = work.data(_job(ctx), ctx.seed, int(ctx.parameters["size"]))
    except ValueError as why:
        raise Refused("INVALID_ARGUMENT", str(why)) from None
    return work.parts(data, int(ctx.parameters["part"]))
