"""What a handler may do with its edges: one message, the same over all of them, many over one; and trying again.

May live here: which edges, at the same time or one after the other. May not: what one message is on the wire
(`sending`), nor what a handler sees (`context`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from toolkit import contract
from toolkit.contract import Outgoing
from toolkit.sdk import edges, parts, sending
from toolkit.sdk.attempts import persistently
from toolkit.sdk.message import Message

if TYPE_CHECKING:
    from toolkit.sdk.handling import Handling

Work = Callable[[], Coroutine[Any, Any, Any]]


async def over(
    handling: Handling, edge: Outgoing, request: Any, timeout_s: float | None = None, key: str | None = None
) -> Any:
    """One message over this call edge; the reply. Raises CallFailed, EdgeTaken, and TypeError."""
    handling.taken.call(edge)
    identity = handling.next_id() if key is None else handling.keyed_id("call", edge.to, key)
    return await persistently(handling, edge, request, timeout_s, identity)


async def emit(handling: Handling, message: Message, kind: str | None, key: str | None = None) -> None:
    """One event. Raises EmitFailed, NoSink, NoSuchEdge."""
    kind = edges.event_type(handling.wiring, kind, message.type)
    handling.taken.event(kind)
    identity = handling.next_id() if key is None else handling.keyed_id("event", kind, key)
    await sending.emit(handling, message, kind, identity, {})


async def forward(handling: Handling, value: Any) -> list[Any]:
    """Over every steady edge at once; the replies of the calls. Raises the first failure after all have ended."""
    calls, types = edges.steady(handling.wiring)
    message = Message.of(value) if types else Message()
    for edge in calls:
        handling.taken.call(edge)
    for kind in types:  # consumers of one type share one event: the broker makes the copies
        handling.taken.event(kind)
    work = [partial(persistently, handling, edge, value, None, handling.next_id()) for edge in calls]
    events = [partial(sending.emit, handling, message, kind, handling.next_id(), {}) for kind in types]
    return (await _all([*work, *events]))[: len(calls)]


async def scatter(
    handling: Handling, items: Iterable[Any], to: str | None, kind: str | None, limit: int | None
) -> list[Any]:
    """One message each over one edge, `limit` at a time; the replies of calls, in order.

    Raises the first failure, in that order, after all have ended; NoSuchEdge and TypeError before anything is sent.
    """
    values = _values(items)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit={limit!r}: at least 1 at a time")
    edge = edges.scattered(handling.wiring, to, kind)
    if edge.via == "event":
        messages = [Message.of(value) for value in values]
        handling.taken.event(edge.type or "", len(values))
        await _all(_parts(handling, messages, edge.type or ""), limit)
        return []
    handling.taken.call(edge, len(values))
    return await _all([partial(persistently, handling, edge, each, None, handling.next_id()) for each in values], limit)


def _parts(handling: Handling, messages: Sequence[Message], kind: str) -> list[Work]:
    scatter = contract.scatter_id(handling.arrival.message, handling.wiring.function, kind, handling.scatters)
    handling.scatters += 1
    total = len(messages)
    stamps = [parts.written((parts.Place(scatter, index, total), *handling.parts)) for index in range(total)]
    return [
        partial(sending.emit, handling, message, kind, handling.next_id(), stamp)
        for message, stamp in zip(messages, stamps, strict=True)
    ]


def _values(items: object) -> list[Any]:
    """Text, bytes and mappings can be iterated too, but nobody means to scatter letters, bytes or keys."""
    if isinstance(items, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(items, Iterable):
        raise TypeError(f"scatter takes an iterable of messages, such as a list, not a {type(items).__name__}")
    return list(items)


async def _all(work: Sequence[Work], limit: int | None = None) -> list[Any]:
    """What each gives, in order. Raises the first failure after all have ended; cancelled, it ends them all."""
    if limit is not None and limit < len(work):
        turns = asyncio.Semaphore(limit)
        work = [partial(_in_turn, turns, each) for each in work]
    results = await asyncio.gather(*(each() for each in work), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)


async def _in_turn(turns: asyncio.Semaphore, work: Work) -> Any:
    async with turns:
        return await work()
