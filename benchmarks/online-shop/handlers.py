"""Eight services. Checkout fetches the cart, asks for products and shipping at once, converts, charges, sends word."""

import asyncio
import json

import work

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def order(ctx: Context, request: HelloRequest) -> str:
    asked = work.generate_input(ctx.seed, int(ctx.parameters["size"]))
    return (await ctx.call(asked, to="checkout")).text


async def checkout(ctx: Context, message: Message) -> str:
    asked = message.json()
    cart = (await ctx.call(asked, to="cart")).json()
    looked_up, quoted = await asyncio.gather(
        ctx.scatter(cart, to="catalogue"), ctx.call({"items": cart, "to": asked["country"]}, to="shipping")
    )
    lines, shipping = [reply.json() for reply in looked_up], quoted.json()
    amounts = [*(line["cents"] for line in lines), shipping["cents"]]
    converted = (await ctx.call({"cents": amounts, "into": asked["currency"]}, to="currency")).json()
    paid = (await ctx.call({"card": asked["card"], "units": sum(converted)}, to="payment")).json()
    done = work.ordered(asked, lines, converted, shipping, paid)
    if paid["charged"]:
        await ctx.emit(done)
    return json.dumps(done)


async def filled(ctx: Context, message: Message) -> list[dict[str, int]]:
    return work.cart(message.json()["wanted"])


async def looked_up(ctx: Context, message: Message) -> dict[str, int | str]:
    return work.line(message.json())


async def quoted(ctx: Context, message: Message) -> dict[str, int | str]:
    asked = message.json()
    return work.shipping(asked["items"], asked["to"])


async def converted(ctx: Context, message: Message) -> list[int]:
    asked = message.json()
    return [work.convert(cents, asked["into"]) for cents in asked["cents"]]


async def charged(ctx: Context, message: Message) -> dict[str, bool | str]:
    asked = message.json()
    return work.charge(asked["card"], asked["units"])


async def confirmed(ctx: Context, message: Message) -> None:
    ctx.log.info("%s", work.letter(message.json()))
