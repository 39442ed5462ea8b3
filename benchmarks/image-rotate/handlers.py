"""One function: an image in, an image out."""

import work

from toolkit.sdk import BlockingContext
from toolkit.stubs.helloworld_pb2 import HelloRequest


def rotate(ctx: BlockingContext, request: HelloRequest) -> str:
    image = work.decoded(work.generate_input(ctx.seed, int(ctx.parameters["size"])))
    return work.armoured(work.encoded(work.turned(image)))
