"""A till that asks for rates; that it may have to ask twice, or another, is no business of its handler's."""

import work

from toolkit.sdk import Context, Message, Refused
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def convert(ctx: Context, request: HelloRequest) -> str:
    amounts = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    rates = await ctx.call({"seed": ctx.seed, "currencies": sorted({each["currency"] for each in amounts})}, to="bank")
    return work.total(amounts, rates.json())


async def bank(ctx: Context, message: Message) -> dict[str, str]:
    if work.turned_away(ctx.message_id, float(ctx.parameters["busy"])):
        raise Refused("UNAVAILABLE", "too many customers")
    return await copy(ctx, message)


async def copy(ctx: Context, message: Message) -> dict[str, str]:
    asked = message.json()
    return work.rates(asked["seed"], asked["currencies"])
