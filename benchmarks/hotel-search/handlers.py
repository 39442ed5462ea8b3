"""Six services: the frontend asks search and recommendation at once, search asks geo and then rate."""

import asyncio
import json

import work

from toolkit.sdk import BaseContext, BlockingContext, Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def find(ctx: Context, request: HelloRequest) -> str:
    asked = work.generate_input(ctx.seed, _size(ctx))
    found, other = await asyncio.gather(ctx.call(asked, to="search"), ctx.call(asked, to="recommendation"))
    offers, recommended = found.json(), other.json()
    profiles = await ctx.call([*(offer["id"] for offer in offers), *recommended], to="profile")
    return json.dumps({"offers": offers, "recommended": recommended, "profiles": profiles.json()})


async def search(ctx: Context, message: Message) -> Message:
    asked = message.json()
    near = await ctx.call(asked, to="geo")
    return await ctx.call(asked | {"near": near.json()}, to="rate")


def near(ctx: BlockingContext, message: Message) -> list[tuple[int, int]]:
    asked = message.json()
    return work.near(work.hotels(_size(ctx)), asked["at"], asked["most"])


def priced(ctx: BlockingContext, message: Message) -> list[dict[str, int]]:
    asked = message.json()
    return work.priced(work.hotels(_size(ctx)), asked["near"], asked["from"], asked["nights"])


def recommended(ctx: BlockingContext, message: Message) -> list[int]:
    return work.recommended(work.hotels(_size(ctx)), message.json())


def profiles(ctx: BlockingContext, message: Message) -> list[dict[str, str]]:
    return work.profiles(work.hotels(_size(ctx)), message.json())


def _size(ctx: BaseContext) -> int:
    return int(ctx.parameters["size"])
