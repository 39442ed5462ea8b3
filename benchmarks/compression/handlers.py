"""One function. Callers bring no text, so it makes a log; as a part of another chain it takes what that chain sends."""

import work

from toolkit.sdk import BlockingContext
from toolkit.stubs.helloworld_pb2 import HelloRequest


def compress(ctx: BlockingContext, request: HelloRequest) -> str:
    text = work.generate_input(ctx.seed, int(ctx.parameters["size"])) if ctx.sender == "caller" else request.name
    packed = work.packed(text, int(ctx.parameters["level"]))
    ctx.annotate("compression.ratio", round(len(text) / len(packed), 3))
    return work.armoured(packed)
