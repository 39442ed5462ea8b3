"""An inbox that decides, three readers of which one is asked, and the books of the form with events."""

import work

from toolkit.sdk import BlockingContext, Context, Invoke, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def route(ctx: Context, request: HelloRequest) -> Invoke:
    document = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    return Invoke(work.kind(document), document)


def read_csv(ctx: BlockingContext, message: Message) -> str:
    return work.shown(work.of_csv(message.text))


def read_json(ctx: BlockingContext, message: Message) -> str:
    return work.shown(work.of_json(message.text))


def read_letter(ctx: BlockingContext, message: Message) -> str:
    return work.shown(work.of_letter(message.text))


async def book(ctx: Context, message: Message) -> None:
    ctx.answer(message.text)
