"""A consumer that fails with as long an error as it is told."""

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def produce(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit({"n": request.name})
    return "emitted"


async def fail(ctx: Context, message: Message) -> None:
    raise ValueError("x" * int(ctx.parameters["error"]))


async def drain(ctx: Context, message: Message) -> None:
    ctx.log.info("drained %s after %s", message.id, message.extensions["knativeerrorcode"])
