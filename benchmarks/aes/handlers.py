"""One function. Callers bring no text, so it makes one; as a part of another chain it takes what that chain sends."""

import work

from toolkit.sdk import BlockingContext
from toolkit.stubs.helloworld_pb2 import HelloRequest


def cipher(ctx: BlockingContext, request: HelloRequest) -> str:
    secret = work.secret(ctx.seed)
    if ctx.parameters["direction"] == "decrypt":
        return work.decrypt(request.name, secret)
    text = work.generate_input(ctx.seed, int(ctx.parameters["size"])) if ctx.sender == "caller" else request.name
    return work.encrypt(text, secret)
