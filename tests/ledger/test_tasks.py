"""What the ledger remembers of tasks."""

from __future__ import annotations

import asyncio

import pytest

from tests.ledger.running import ledger, spawn
from toolkit.sdk.ledger import Begun, Ended, Ending, LedgerFailed
from toolkit.sdk.ledger.words import MOST_RESULT


async def test_a_task_is_spawned_once_however_often_it_is_said() -> None:
    async with ledger() as client:
        assert [await spawn(client, "t"), await spawn(client, "t")] == ["waiting", "waiting"]
        assert await client.state() == {"calls": 1, "tasks": 1, "open": 1, "failed": 0, "cancelled": 0}


async def test_a_task_beyond_the_bound_is_refused_and_a_known_one_is_not() -> None:
    async with ledger() as client:
        await spawn(client, "a", most=2)
        await spawn(client, "b", most=2)
        with pytest.raises(LedgerFailed, match=r"from f to g allows 2 tasks of a call \(`tasks: 2`\)") as refused:
            await spawn(client, "c", most=2)
        assert refused.value.code == "FAILED_PRECONDITION"
        assert await spawn(client, "a", most=2) == "waiting"
        assert (await client.state())["tasks"] == 2


async def test_the_bound_holds_when_many_spawn_at_once() -> None:
    async with ledger() as client:
        results = await asyncio.gather(*(spawn(client, f"t{n}", most=30) for n in range(50)), return_exceptions=True)
        assert sum(isinstance(each, LedgerFailed) for each in results) == 20
        assert (await client.state())["tasks"] == 30


async def test_the_bound_is_each_call_s_own() -> None:
    async with ledger() as client:
        await spawn(client, "t", call="one", most=1)
        assert await spawn(client, "t", call="two", most=1) == "waiting"


async def test_an_attempt_is_counted_once_though_it_was_asked_for_twice() -> None:
    async with ledger() as client:
        await spawn(client, "t")
        first = await client.begin("c", "t", "g", "replica/0")
        assert first == Begun("running", 1, "m", 0)
        assert await client.begin("c", "t", "g", "replica/0") == first
        assert (await client.begin("c", "t", "g", "replica/1")).attempt == 2


async def test_a_task_that_was_done_does_not_begin_again() -> None:
    async with ledger() as client:
        await spawn(client, "t")
        await spawn(client, "other")
        await client.begin("c", "t", "g", "1")
        assert await client.finish("c", "t") == Ended("done", True)
        assert (await client.begin("c", "t", "g", "2")).state == "done"
        assert await client.fail("c", "t", "late") == Ended("done", False)


@pytest.mark.parametrize(("call", "task", "function"), [("c", "?", "g"), ("?", "t", "g"), ("c", "t", "f")])
async def test_what_is_no_task_for_a_function_is_told(call: str, task: str, function: str) -> None:
    async with ledger() as client:
        await spawn(client, "t")
        assert await client.begin(call, task, function, "1") == Begun(None)


async def test_the_last_task_s_end_is_told_to_it_alone_until_it_is_confirmed() -> None:
    async with ledger() as client:
        for task in ("a", "b"):
            await spawn(client, task)
            await client.begin("c", task, "g", "1")
        assert (await client.finish("c", "a")).ending is None
        assert (await client.finish("c", "b")).ending == Ending(2, 0, 0)
        assert (await client.begin("c", "a", "g", "2")).ending is None
        assert (await client.begin("c", "b", "g", "2")).ending == Ending(2, 0, 0)
        await client.told("c")
        assert (await client.begin("c", "b", "g", "3")).ending is None


async def test_a_call_is_done_with_a_task_that_failed() -> None:
    async with ledger() as client:
        await spawn(client, "t")
        assert await client.fail("c", "t", "KeyError: 'x'") == Ended("failed", True, Ending(1, 1, 0))
        (task,) = await client.changes()
        assert (task["state"], task["error"]) == ("failed", "KeyError: 'x'")


async def test_no_task_is_spawned_after_all_have_ended() -> None:
    async with ledger() as client:
        await spawn(client, "t")
        await client.finish("c", "t")
        with pytest.raises(LedgerFailed, match="all tasks of this call have ended"):
            await spawn(client, "late")


async def test_a_cancelled_call_s_tasks_do_not_begin_and_one_of_them_says_so() -> None:
    async with ledger() as client:
        await spawn(client, "a")
        await spawn(client, "b")
        assert await client.cancel("c") == 2
        assert await client.stopped("c")
        assert await client.begin("c", "b", "g", "1") == Begun("cancelled", 0, "m", 0, Ending(2, 0, 2))
        assert await client.begin("c", "a", "g", "1") == Begun("cancelled", 0, "m", 0)


async def test_what_runs_in_a_cancelled_call_may_end_and_spawns_nothing() -> None:
    async with ledger() as client:
        await spawn(client, "a")
        await client.begin("c", "a", "g", "1")
        await client.cancel("c")
        assert await spawn(client, "child") == "cancelled"
        assert await client.finish("c", "a") == Ended("done", True, Ending(2, 0, 1))


async def test_tasks_of_many_calls_do_not_disturb_each_other() -> None:
    async with ledger() as client:

        async def one(call: str) -> Ending | None:
            await spawn(client, "t", call=call)
            await client.begin(call, "t", "g", "1")
            return (await client.finish(call, "t")).ending

        assert await asyncio.gather(*(one(f"c{n}") for n in range(40))) == [Ending(1, 0, 0)] * 40


async def test_results_come_in_the_order_of_spawning_whatever_their_bytes() -> None:
    async with ledger() as client:
        left = {"a": b"\n\0{}", "b": b"", "c": None}
        for task in left:
            await spawn(client, task)
        for task in reversed(left):
            await client.finish("c", task, "text/plain", left[task])
        assert await client.results("c") == [("a", "text/plain", b"\n\0{}"), ("b", "text/plain", b"")]


async def test_results_larger_than_a_page_come_all_the_same() -> None:
    async with ledger() as client:
        for n in range(11):
            await spawn(client, f"t{n}", most=20)
        for n in range(11):
            await client.finish("c", f"t{n}", None, bytes([n]) * MOST_RESULT)
        assert [data[:1] for _, _, data in await client.results("c")] == [bytes([n]) for n in range(11)]


async def test_a_result_that_is_too_large_is_refused_and_the_task_is_not_done() -> None:
    async with ledger() as client:
        await spawn(client, "t")
        with pytest.raises(LedgerFailed, match="1,048,577 bytes; 1,048,576 are allowed"):
            await client.finish("c", "t", None, bytes(MOST_RESULT + 1))
        assert (await client.state())["open"] == 1


async def test_changes_are_told_since_a_version_and_of_one_call() -> None:
    async with ledger() as client:
        await spawn(client, "a", call="one")
        await spawn(client, "b", call="two")
        seen = (await client.changes())[-1]["version"]
        await client.begin("one", "a", "g", "1")
        assert [(each["task"], each["state"]) for each in await client.changes(seen)] == [("a", "running")]
        assert [each["task"] for each in await client.changes(0, "two")] == ["b"]


async def test_a_forgotten_call_leaves_nothing() -> None:
    async with ledger() as client:
        await spawn(client, "t")
        await client.finish("c", "t", None, b"x")
        await client.forget("c")
        assert await client.state() == dict.fromkeys(("calls", "tasks", "open", "failed", "cancelled"), 0)
        assert await client.results("c") == []
