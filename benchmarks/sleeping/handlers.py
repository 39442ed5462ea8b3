"""One function that waits."""

import asyncio
import time

import work

from toolkit.sdk import Context
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def sleep(ctx: Context, request: HelloRequest) -> str:
    began = time.monotonic_ns()
    await asyncio.sleep(work.generate_input(ctx.seed, int(ctx.parameters["size"])))
    return f"slept {time.monotonic_ns() - began} ns"
