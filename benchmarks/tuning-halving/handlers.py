"""A driver that sends one round of trials after the other, and trials that run side by side."""

import json

import work

from toolkit.sdk import BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def tune(ctx: Context, request: HelloRequest) -> str:
    left, rounds = work.generate_input(ctx.seed), []
    for budget in work.budgets(int(ctx.parameters["size"])):
        trials = [{"settings": settings, "budget": budget} for settings in left]
        scores = [reply.json() for reply in await ctx.scatter(trials)]
        rounds.append({"budget": budget, "trials": [*zip(left, scores, strict=True)]})
        left = work.better_half(left, scores)
    return json.dumps({"winner": left[0], "rounds": rounds})


def try_out(ctx: BlockingContext, message: Message) -> int:
    trial = message.json()
    return work.score(trial["settings"], trial["budget"], ctx.seed)
