"""One event, two who do something with it, and one who needs what both have done."""

import work

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def take(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit(work.generate_input(ctx.seed, int(ctx.parameters["size"])))
    return "ordered"


async def price(ctx: Context, message: Message) -> dict[str, int]:
    return {"goods": work.price(message.json())}


async def weigh(ctx: Context, message: Message) -> dict[str, int]:
    return {"shipping": work.shipping(message.json())}


async def invoice(ctx: Context, messages: list[Message]) -> None:
    ctx.answer(work.invoice(messages[0].json() | messages[1].json()))
