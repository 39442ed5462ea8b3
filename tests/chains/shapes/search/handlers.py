"""A plain handler looks, so that the blocking half of the context is used too."""

from toolkit.sdk import BlockingContext, Context, Message


async def start(ctx: Context, request: object) -> str:
    for place in range(40):
        await ctx.spawn({"place": place}, key=f"place-{place}")
        await ctx.spawn({"place": place}, key=f"place-{place}")  # the same task
    return "looking"


def look(ctx: BlockingContext, message: Message) -> dict | None:
    if message.json()["place"] == 0:
        ctx.cancel()
        return {"found": 0, "cancelled": ctx.cancelled()}
    return None


async def finish(ctx: Context, message: Message) -> None:
    ctx.answer({"said": message.json(), "found": [result.json() for _, result in await ctx.results()]})
