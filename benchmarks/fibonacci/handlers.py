"""One function that does nothing but add."""

import work

from toolkit.sdk import BlockingContext
from toolkit.stubs.helloworld_pb2 import HelloRequest


def compute(ctx: BlockingContext, request: HelloRequest) -> str:
    return str(work.fibonacci(work.generate_input(ctx.seed, int(ctx.parameters["size"]))))
