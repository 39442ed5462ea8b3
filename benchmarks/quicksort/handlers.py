"""A task sorts a few numbers, or spawns two tasks that sort those below and above a pivot.

A task says where its numbers belong (`at`), and what it leaves says so too: sorting the pieces puts them together.
"""

from array import array

import work

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def start(ctx: Context, request: HelloRequest) -> str:
    await ctx.spawn(_piece(0, work.generate_input(ctx.seed, ctx.parameters["size"])))
    return "sorting"


async def sort(ctx: Context, message: Message) -> Message:
    at, numbers = _read(message)
    if len(numbers) <= ctx.parameters["leaf"]:
        return _piece(at, array("i", sorted(numbers)))
    below, equal, above = work.partition(numbers)
    for start_at, part in ((at, below), (at + len(below) + len(equal), above)):
        if part:
            await ctx.spawn(_piece(start_at, part))
    return _piece(at + len(below), equal)


async def finish(ctx: Context, message: Message) -> None:
    pieces = sorted((_read(result) for _, result in await ctx.results()), key=lambda piece: piece[0])
    ctx.answer(work.proof(number for _, numbers in pieces for number in numbers))


def _piece(at: int, numbers: array) -> Message:
    return Message(array("i", [at]).tobytes() + numbers.tobytes())


def _read(message: Message) -> tuple[int, array]:
    numbers = array("i", message.data)
    return numbers[0], numbers[1:]
