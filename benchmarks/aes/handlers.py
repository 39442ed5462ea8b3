"""One function. Callers bring no text, so it makes one; as a part of another chain it takes what that chain sends."""

import work

from toolkit.sdk import BlockingContext, Refused
from toolkit.stubs.helloworld_pb2 import HelloRequest


def cipher(ctx: BlockingContext, request: HelloRequest) -> str:
    called, direction, secret = ctx.sender == "caller", ctx.parameters["direction"], work.secret(ctx.seed)
    if direction == "decrypt" and not called:
        return work.decrypt(request.name, secret)
    if direction != "encrypt":
        raise Refused("INVALID_ARGUMENT", f"direction={direction}: encrypt, or decrypt what a function sends")
    text = work.generate_input(ctx.seed, int(ctx.parameters["size"])) if called else request.name
    return work.encrypt(text, secret)
