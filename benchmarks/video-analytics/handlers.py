"""A source of video, a decoder, and recognisers that look at all frames at once."""

import json

import work

from toolkit.sdk import BlockingContext, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


def stream(ctx: BlockingContext, request: HelloRequest) -> str:
    return ctx.call(work.generate_input(ctx.seed, int(ctx.parameters["size"]))).text


def decode(ctx: BlockingContext, message: Message) -> str:
    frames = [work.packed(work.decoded(image)) for image in work.images(message.data)]
    return json.dumps([reply.text for reply in ctx.scatter(frames)])


def recognise(ctx: BlockingContext, message: Message) -> str:
    return work.read(work.unpacked(message.data))
