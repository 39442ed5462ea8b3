"""An event for many, and a reply event."""

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def emit_once(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit({"news": request.name})
    return "told"


async def take(ctx: Context, message: Message) -> None:
    ctx.log.info("heard %s", message.json())


async def answer(ctx: Context, message: Message) -> dict[str, str]:
    return {"answer to": message.json()["news"]}
