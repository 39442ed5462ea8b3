"""One function of its own; the other three are whole chains, reached as any caller reaches them."""

import work

from toolkit.sdk import Context
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def archive(ctx: Context, request: HelloRequest) -> str:
    log = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    packed = await ctx.call(HelloRequest(name=log), to="pack")
    sealed = await ctx.call(HelloRequest(name=packed.message), to="seal")
    opened = await ctx.call(HelloRequest(name=sealed.message), to="open")
    return work.told(sealed.message, opened.message)
