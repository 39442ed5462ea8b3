"""One function that does nothing but count."""

import work

from toolkit.sdk import BlockingContext
from toolkit.stubs.helloworld_pb2 import HelloRequest


def spin(ctx: BlockingContext, request: HelloRequest) -> str:
    steps = int(ctx.parameters["size"])
    return str(work.spun(work.generate_input(ctx.seed, steps), steps))
