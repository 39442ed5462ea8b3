"""One or two lines for each place that a function can have in a pattern."""

import asyncio
import time

import work

from toolkit.sdk import BlockingContext, Context, Invoke, Message, Refused
from toolkit.stubs.helloworld_pb2 import HelloRequest

# --- calls ------------------------------------------------------------------------------------------------------------


async def scatter(ctx: Context, request: HelloRequest) -> str:
    return str([reply.json() for reply in await ctx.scatter(_numbers(ctx), to="worker")])


async def square(ctx: Context, message: Message) -> int:
    await asyncio.sleep(float(ctx.parameters["pause"]))
    return work.worked(message.json())


async def ask_both(ctx: Context, request: HelloRequest) -> str:
    left, right = await asyncio.gather(*(ctx.call(_numbers(ctx)[at], to=to) for at, to in enumerate(("left", "right"))))
    return str([left.json(), right.json()])


async def plant(ctx: Context, request: HelloRequest) -> str:
    return str((await ctx.call([4, 4])).text)


def grow(ctx: BlockingContext, message: Message) -> int:
    width, depth = message.json()
    return sum(reply.json() for reply in ctx.scatter([[width, depth - 1]] * width)) if depth else 1


async def ask_on(ctx: Context, message: Message) -> Message:
    reply: Message = await ctx.call(message)
    return reply


async def pass_the_answer_on(ctx: Context, request: HelloRequest) -> str:
    reply = await ctx.call(request)
    return str(reply.message)


async def choose(ctx: Context, request: HelloRequest) -> str:
    reply = await ctx.call("which?", to=("left", "right")[ctx.seed % 2])
    return str(reply.text)


async def name_itself(ctx: Context, message: Message) -> str:
    return str(ctx.function)


async def begin(ctx: Context, request: HelloRequest) -> str:
    reply = await ctx.call(0)
    return str(reply.text)


async def count_on(ctx: Context, message: Message) -> Invoke | int:
    number = message.json()
    return Invoke("counter", number + 1) if number < int(ctx.parameters["size"]) else number


async def ask_patiently(ctx: Context, request: HelloRequest) -> str:
    reply = await ctx.call(_numbers(ctx)[0], to="moody")
    return str([reply.json()])


_asked: dict[str, int] = {}


async def refuse_at_first(ctx: Context, message: Message) -> int:
    """As often as it is told for each call, and for ever at `refusals: -1`."""
    _asked[ctx.call_id] = asked = _asked.get(ctx.call_id, 0) + 1
    refusals = int(ctx.parameters["refusals"])
    if refusals < 0 or asked <= refusals:
        raise Refused("UNAVAILABLE", "not now")
    return work.worked(message.json())


async def square_at_once(ctx: Context, message: Message) -> int:
    return work.worked(message.json())


# --- events -----------------------------------------------------------------------------------------------------------


async def split(ctx: Context, request: HelloRequest) -> str:
    await ctx.scatter(_numbers(ctx))
    return "under way"


async def map_one(ctx: Context, message: Message) -> int:
    await asyncio.sleep(float(ctx.parameters["pause"]))
    return work.worked(message.json())


async def add_up(ctx: Context, messages: list[Message]) -> None:
    ctx.answer(sum(message.json() for message in messages))


async def publish(ctx: Context, request: HelloRequest) -> str:
    await ctx.forward(_numbers(ctx)[0])
    return "under way"


async def pass_on(ctx: Context, message: Message) -> None:
    await ctx.emit(message.json())


async def compare(ctx: Context, messages: list[Message]) -> None:
    (number,) = {message.json() for message in messages}
    ctx.answer(work.worked(number))


async def take(ctx: Context, message: Message) -> None:
    await asyncio.sleep(float(ctx.parameters["pause"]))


async def start_counting(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit(0)
    return "under way"


async def count_or_tell(ctx: Context, message: Message) -> Invoke:
    number = message.json()
    return Invoke("counter", number + 1) if number < int(ctx.parameters["size"]) else Invoke("end", number)


async def tell(ctx: Context, message: Message) -> None:
    ctx.answer(message.json())


async def square_and_add_up(ctx: Context, messages: list[Message]) -> None:
    """A join that calls: several at once, for all that came."""
    numbers = [message.json() for message in messages]
    ctx.answer(sum(reply.json() for reply in await ctx.scatter(numbers, to="worker")))


def _numbers(ctx: Context | BlockingContext) -> list[int]:
    return work.generate_input(ctx.seed, int(ctx.parameters["size"]))


def spin(ctx: BlockingContext, message: Message) -> int:
    """Work, not sleep."""
    until = time.perf_counter() + float(ctx.parameters["pause"])
    while time.perf_counter() < until:
        pass
    return work.worked(message.json())
