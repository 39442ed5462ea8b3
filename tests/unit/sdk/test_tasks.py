"""Tasks and joins around a handler, with a real ledger and a real sink."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.ledger.running import ledger
from tests.unit.sdk.scaffold import Kept, arrival, wiring
from tests.unit.sdk.test_events import Broker
from toolkit import contract
from toolkit.contract import Outgoing, Receipt, Wiring
from toolkit.sdk.channels import Channels
from toolkit.sdk.cloudevents import Event
from toolkit.sdk.context import Context
from toolkit.sdk.failures import NoSuchEdge, Refused
from toolkit.sdk.function import Function, Handler, HandlingFailed
from toolkit.sdk.handling import Surroundings
from toolkit.sdk.message import Message
from toolkit.sdk.parts import Place, read, written
from toolkit.sdk.sink import Sink
from toolkit.sdk.tasks import Memory
from toolkit.sdk.tracing import Tracing

WORK = Outgoing("worker", "event", type="work", tasks=3, least=0, most=None)
DONE = Outgoing("last", "event", type="done", done=True)


class World:
    """One ledger and one sink, and any number of functions that know them."""

    def __init__(self, memory: Memory, broker: Broker, sink: str) -> None:
        self.memory, self.broker, self.kept, self._sink = memory, broker, Kept(), sink

    async def handle(self, handler: Handler, wired: Wiring, **fields: Any) -> Any:
        around = Surroundings(wired, "replica", Tracing(), Channels(), Sink(self._sink, {}), memory=self.memory)
        return await Function(handler, around, self.kept).handle(arrival(**fields), lambda _, value: value)

    async def task(self, handler: Handler, event: Event, **more: Any) -> Any:
        """As the worker gets a task that was sent."""
        extensions = {name: event.attributes[name] for name in (contract.TASK_EXTENSION, contract.DEPTH_EXTENSION)}
        wired = wiring("worker", consumes=True, outgoing=(WORK, DONE), **more)
        request = Message(event.data or b"", id=event.id, extensions=extensions)
        return await self.handle(handler, wired, via="event", message=event.id, request=request)

    @property
    def last(self) -> Receipt:
        return self.kept.receipts[-1]

    def of(self, kind: str) -> list[Event]:
        return [each for each in self.broker.events if each.type == kind]


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    broker = Broker()
    async with ledger() as client, broker.listening() as sink:
        yield World(Memory(client), broker, sink)


ENTRY = wiring("start", outgoing=(WORK,))


async def spawn_two(ctx: Context, request: Any) -> list[str]:
    return [await ctx.spawn({"n": n}) for n in range(2)]


async def nothing(ctx: Context, message: Message) -> None:
    assert ctx.task is not None


def counted(calls: list[str], value: Any = None) -> Callable[[Context, Message], Any]:
    async def handler(ctx: Context, message: Message) -> Any:
        calls.append(ctx.message_id)
        return value

    return handler


async def test_what_is_spawned_outside_a_task_leaves_once_the_handler_is_through() -> None:
    async with world() as here:

        async def handler(ctx: Context, request: Any) -> str:
            task = await ctx.spawn("work")
            assert here.broker.events == []
            assert (await here.memory.ledger.state())["open"] == 1
            return task

        task = await here.handle(handler, ENTRY)
        (event,) = here.of("work")
        assert (event.id, event.data) == (task, b"work")
        assert (event.attributes[contract.TASK_EXTENSION], event.attributes[contract.DEPTH_EXTENSION]) == (
            "call-1",
            "0",
        )
        assert [sent.message for sent in here.last.sent] == [task]


async def test_a_repeated_handling_spawns_the_same_tasks() -> None:
    async with world() as here:
        assert await here.handle(spawn_two, ENTRY) == await here.handle(spawn_two, ENTRY)
        assert (await here.memory.ledger.state())["tasks"] == 2


async def test_a_key_makes_the_same_task_whatever_its_place() -> None:
    async with world() as here:

        async def keyed(ctx: Context, request: Any) -> list[str]:
            return [await ctx.spawn(1, key="a"), await ctx.spawn(1), await ctx.spawn(1, key="a")]

        first, other, again = await here.handle(keyed, ENTRY)
        assert (first == again, first == other, len(here.of("work"))) == (True, False, 2)


async def test_a_task_knows_itself_and_its_value_is_its_result_not_a_reply() -> None:
    async with world() as here:
        await here.handle(spawn_two, ENTRY)
        event = here.of("work")[0]

        async def handler(ctx: Context, message: Message) -> dict[str, int]:
            assert ctx.task is not None
            assert (ctx.task.id, ctx.task.parent, ctx.task.depth, ctx.task.attempt) == (event.id, "call-1", 0, 1)
            return {"found": 7}

        assert await here.task(handler, event) is None
        assert await here.memory.ledger.results("call-1") == [(event.id, "application/json", b'{"found": 7}')]


async def test_a_task_that_was_done_is_acknowledged_without_running() -> None:
    async with world() as here:
        await here.handle(spawn_two, ENTRY)
        event, calls = here.of("work")[0], list[str]()
        await here.task(counted(calls), event)
        await here.task(counted(calls), event)
        assert (len(calls), here.last.waits, here.last.error) == (1, True, None)


async def test_the_last_task_tells_that_all_are_done_once() -> None:
    async with world() as here:
        await here.handle(spawn_two, ENTRY)
        first, second = here.of("work")
        await here.task(nothing, first)
        assert here.of("done") == []
        await here.task(nothing, second)
        await here.task(nothing, second)
        (done,) = here.of("done")
        assert done.data == b'{"tasks": 2, "failed": 0}'


async def test_an_end_that_could_not_be_told_is_told_with_the_same_id_when_the_task_comes_again() -> None:
    async with world() as here:
        await here.handle(spawn_two, ENTRY)
        first, second = here.of("work")
        await here.task(nothing, first)
        here.broker.status = 503
        with pytest.raises(HandlingFailed):
            await here.task(nothing, second)
        here.broker.status = 202
        await here.task(nothing, second)
        assert len({each.id for each in here.of("done")}) == 1
        assert (here.last.waits, [sent.type for sent in here.last.sent]) == (True, ["done"])


async def broken(ctx: Context, message: Message) -> None:
    raise KeyError("colour")


async def refused(ctx: Context, message: Message) -> None:
    raise Refused("INVALID_ARGUMENT", "no such colour")


@pytest.mark.parametrize(("handler", "attempts", "state"), [(broken, 2, "running"), (broken, 1, "failed"),
                                                            (refused, 9, "failed")])  # fmt: skip
async def test_a_task_fails_at_the_last_attempt_or_when_it_is_refused(
    handler: Handler, attempts: int, state: str
) -> None:
    async with world() as here:
        await here.handle(spawn_two, ENTRY)
        event = here.of("work")[0]
        with pytest.raises(HandlingFailed):
            await here.task(handler, event, attempts=attempts)
        (found,) = (each for each in await here.memory.ledger.changes() if each["task"] == event.id)
        assert found["state"] == state


async def test_a_cancelled_call_spawns_nothing_more() -> None:
    async with world() as here:

        async def handler(ctx: Context, request: Any) -> bool:
            await ctx.spawn(1)
            await ctx.cancel()
            await ctx.spawn(2)
            return await ctx.cancelled()

        assert await here.handle(handler, ENTRY)
        assert (await here.memory.ledger.state())["cancelled"] == 2


async def test_a_function_without_task_edges_is_told_so() -> None:
    async with world() as here:
        with pytest.raises(HandlingFailed, match=NoSuchEdge.__name__):
            await here.handle(spawn_two, wiring("start"))


async def test_a_stranger_s_event_that_calls_itself_a_task_is_none() -> None:
    async with world() as here:

        async def handler(ctx: Context, message: Message) -> bool:
            return ctx.task is None

        request = Message(b"", id="forged", extensions={contract.TASK_EXTENSION: "x"})
        assert await here.handle(handler, wiring("worker"), via="event", message="forged", request=request)


async def test_a_join_runs_once_with_all_parts_in_order() -> None:
    async with world() as here:
        runs: list[list[str]] = []

        async def handler(ctx: Context, parts: list[Message]) -> None:
            runs.append([part.text for part in parts])

        joining = wiring("join", consumes=True, join=0)
        for message, index in (("z", 1), ("y", 0), ("z", 1), ("y", 0)):
            said = {
                contract.PART_EXTENSION: str(index),
                contract.PARTS_EXTENSION: "2",
                contract.SCATTER_EXTENSION: "a" * 32,
            }
            request = Message(f"part {index}".encode(), "text/plain", "t", "s", message, said)
            await here.handle(handler, joining, via="event", message=message, sender="s", request=request)
        assert runs == [["part 0", "part 1"]]
        assert [each.waits for each in here.kept.receipts] == [True, False, True, True]
        assert here.kept.receipts[1].joined == ("z",)


async def test_a_part_that_does_not_say_of_how_many_is_refused() -> None:
    async with world() as here:
        request = Message(b"", id="m")
        with pytest.raises(HandlingFailed, match="does not say how many"):
            await here.handle(nothing, wiring("join", join=0), via="event", message="m", request=request)


async def test_a_key_that_was_refused_is_refused_again() -> None:
    async with world() as here:

        async def handler(ctx: Context, request: Any) -> None:
            for key in "abc":
                await ctx.spawn(1, key=key)
            for _ in range(2):
                with pytest.raises(Refused, match="allows 3 tasks"):
                    await ctx.spawn(1, key="d")

        await here.handle(handler, ENTRY)
        assert len(here.of("work")) == 3


async def test_what_a_failed_handling_spawned_was_never_there() -> None:
    async with world() as here:

        async def handler(ctx: Context, request: Any) -> None:
            await spawn_two(ctx, request)
            raise Refused("UNAVAILABLE", "not yet")

        with pytest.raises(HandlingFailed, match="not yet"):
            await here.handle(handler, ENTRY)
        assert (await here.memory.ledger.state())["tasks"] == 0
        await here.handle(spawn_two, ENTRY, message="another attempt")
        for event in here.of("work"):
            await here.task(nothing, event)
        assert [json.loads(each.data or b"") for each in here.of("done")] == [{"tasks": 2, "failed": 0}]


async def test_a_task_that_is_cut_off_in_its_last_attempt_has_failed_and_the_end_is_told() -> None:
    async with world() as here:
        began = asyncio.Event()

        async def endless(ctx: Context, message: Message) -> None:
            began.set()
            await asyncio.Event().wait()

        async def one(ctx: Context, request: Any) -> str:
            return await ctx.spawn("x")

        await here.handle(one, ENTRY)
        work = asyncio.ensure_future(here.task(endless, here.of("work")[0], attempts=1))
        await began.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert [json.loads(each.data or b"") for each in here.of("done")] == [{"tasks": 1, "failed": 1}]


@pytest.mark.parametrize("width", [1, 3])
async def test_a_join_of_parts_of_parts_gives_back_the_outer_part(width: int) -> None:
    async with world() as here:
        outer = Place("a" * 32, 1, 2)
        edge = Outgoing("next", "event", type="next")

        async def handler(ctx: Context, parts: list[Message]) -> None:
            await ctx.emit(f"{len(parts)}")

        joining = wiring("join", consumes=True, join=0, outgoing=(edge,))
        for at in range(width):
            said = written((Place("b" * 32, at, width), outer))
            request = Message(b"", "text/plain", "t", "s", f"m{at}", said)
            await here.handle(handler, joining, via="event", message=f"m{at}", sender="s", request=request)
        (event,) = here.of("next")
        assert (event.data, read(event.attributes)) == (f"{width}".encode(), (outer,))
