"""One function reads the sum and says who does it; four do it. The last one to return has the answer."""

import work

from toolkit.sdk import Context, Invoke, Message, Response
from toolkit.stubs.helloworld_pb2 import HelloRequest


async def calculate(ctx: Context, request: HelloRequest) -> Invoke | Response:
    try:
        asked = work.read(request.name) or work.generate_input(ctx.seed)
        return Invoke(work.OPERATIONS[asked["sign"]], asked)
    except work.NoSum as why:
        return Response(str(why), status=400)


async def addition(ctx: Context, message: Message) -> Response:
    return _told(message, "+")


async def subtraction(ctx: Context, message: Message) -> Response:
    return _told(message, "-")


async def multiplication(ctx: Context, message: Message) -> Response:
    return _told(message, "*")


async def division(ctx: Context, message: Message) -> Response:
    return _told(message, "/")


def _told(message: Message, sign: str) -> Response:
    asked = message.json()
    try:
        return Response(work.calculate(asked["a"], asked["b"], sign))
    except work.NoSum as why:
        return Response(str(why), status=422)
