"""A step towards a square root. Calls return through each other (`start`, `refine`); events go on to an end."""

import work

from toolkit.sdk import Context, Invoke, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def start(ctx: Context, request: HelloRequest) -> str:
    reply = await ctx.call(_first(ctx))
    return str(reply.text)


async def refine(ctx: Context, message: Message) -> Invoke | str:
    better = work.step(*message.json())
    return work.shown(*message.json()) if better is None else Invoke("refine", better)


async def begin(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit(_first(ctx))
    return "begun"


async def refine_or_tell(ctx: Context, message: Message) -> Invoke:
    better = work.step(*message.json())
    return Invoke("finish", message) if better is None else Invoke("refine", better)


async def finish(ctx: Context, message: Message) -> None:
    ctx.answer(work.shown(*message.json()))


def _first(ctx: Context) -> tuple[int, int]:
    return work.guess(work.generate_input(ctx.seed, int(ctx.parameters["size"])))
