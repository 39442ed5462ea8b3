"""One function: some tokens come, and for each a word on whether its bearer is let in."""

import work

from toolkit.sdk import BlockingContext
from toolkit.stubs.helloworld_pb2 import HelloRequest


def authorize(ctx: BlockingContext, request: HelloRequest) -> str:
    tokens = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    return "\n".join(work.verdict(token, work.KEY, work.NOW) for token in tokens)
