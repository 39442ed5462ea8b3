"""The only part in Python: it has the work done elsewhere, and says what came out."""

import json

import work

from toolkit.sdk import Context
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def front(ctx: Context, request: HelloRequest) -> str:
    invoice = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    page = await ctx.call(invoice, to="render")
    rounds = ctx.parameters["rounds"]
    summed = await ctx.call(f"{rounds}\n{page.text}", to="checksum")
    return json.dumps({"bytes": len(page.data), "rounds": rounds, **json.loads(summed.message)})
