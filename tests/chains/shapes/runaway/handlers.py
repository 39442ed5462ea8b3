from toolkit.sdk import Context, Message


async def start(ctx: Context, request: object) -> str:
    await ctx.spawn("first")
    return "running away"


async def breed(ctx: Context, message: Message) -> None:
    await ctx.spawn("left")
    await ctx.spawn("right")


async def finish(ctx: Context, message: Message) -> None:
    ctx.log.info("done: %s", message.text)
