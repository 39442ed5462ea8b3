"""The generator against a real gRPC server: what it sends, when, and what it writes down."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from tests.unit.checks.simulation import PAIR
from tests.unit.load.entry import Entry, entry, when_opened
from toolkit.contract import digest
from toolkit.errors import UsageError
from toolkit.load import driving, generator
from toolkit.load.generator import Way, drive
from toolkit.load.identity import identities
from toolkit.measure import measure
from toolkit.results import CallRecord, Evidence, Load, Progress
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest

MS = 1_000_000


async def driven(
    target: str,
    load: Load,
    *,
    run: str = "run-1",
    on_progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
) -> list[CallRecord]:
    """From a thread of its own; what is to be told of is told in the loop."""
    loop, stop = asyncio.get_running_loop(), stop or asyncio.Event()

    def tell(progress: Progress) -> None:
        if on_progress is not None:
            loop.call_soon_threadsafe(on_progress, progress)

    options = {"run": run, "chain": "pair", "stopped": stop.is_set, "on_progress": tell}
    return await asyncio.to_thread(drive, Way(target), load, **options)  # type: ignore[arg-type]


async def test_every_call_is_answered_and_on_the_record() -> None:
    async with entry() as there:
        calls = await driven(there.target, Load(requests=20, rate=500))
    assert [call.seq for call in calls] == list(range(20))
    assert {(call.status, call.error, call.reply) for call in calls} == {("OK", None, "hello")}
    assert all(call.due_ns <= call.sent_ns < (call.done_ns or 0) for call in calls)


async def test_a_call_is_what_vswarm_sends_plus_who_sends_it_and_its_place_in_a_trace() -> None:
    async with entry() as there:
        [call] = await driven(there.target, Load(requests=1, rate=100))
    [sent], [metadata] = there.requests, there.metadata
    hello = HelloRequest.FromString(sent)
    said = json.loads(hello.vHiveMetadata)
    assert (hello.name, said["WorkflowId"], said["InvocationId"]) == ("0", "pair", call.call)
    assert len(said["InvokedOn"]) == len("2024-05-01T12:00:00.000000001Z")
    assert metadata["traceparent"] == f"00-{call.trace}-{next(identities('run-1', Load())).span}-01"
    assert (metadata["toolkit-sender"], metadata["toolkit-message"]) == ("caller", call.call)


async def test_the_record_has_the_digest_and_the_size_of_the_bytes_that_left() -> None:
    async with entry() as there:
        calls = await driven(there.target, Load(requests=5, rate=500))
    assert {(call.digest, call.size) for call in calls} == {(digest(each), len(each)) for each in there.requests}


async def test_the_record_has_the_digest_of_the_answer_as_it_came() -> None:
    async def garbage(there: Entry, request: bytes, context: Any) -> bytes:
        return b"\xff\xff\xff"

    async with entry() as there, entry(garbage) as strange:
        [call] = await driven(there.target, Load(requests=1, rate=100))
        [other] = await driven(strange.target, Load(requests=1, rate=100))
    assert call.reply_digest == digest(HelloReply(message="hello").SerializeToString())
    assert other.reply_digest == digest(b"\xff\xff\xff")


async def test_ids_follow_from_the_run_and_the_seed() -> None:
    async with entry() as there:

        async def ids(run: str, seed: int) -> list[tuple[str, str]]:
            load = Load(requests=3, concurrency=2, seed=seed)
            calls = await driven(there.target, load, run=run)
            return [(call.call, call.trace) for call in calls]

        first, same = await ids("one", 1), await ids("one", 1)
        others = [*await ids("two", 1), *await ids("one", 2)]
    assert first == same
    assert len({*first, *others}) == 9
    assert all(len(call) == len(trace) == 32 for call, trace in first)


async def test_due_times_are_the_schedules_whatever_happens() -> None:
    async with entry() as there:
        calls = await driven(there.target, Load(requests=10, rate=200))
    assert {after.due_ns - before.due_ns for before, after in itertools.pairwise(calls)} == {5 * MS}


async def test_a_stalled_chain_does_not_slow_down_the_open_loop_and_its_latency_shows_the_stall() -> None:
    """Coordinated omission, and its absence: nothing is answered before everything was sent."""
    async with entry(when_opened) as there:

        def open_at_the_end(progress: Progress) -> None:
            if progress.sent == progress.planned:
                there.gate.set()

        calls = await driven(there.target, Load(requests=50, rate=500), on_progress=open_at_the_end)
    assert all(call.ok for call in calls)
    last_due = calls[-1].due_ns
    for call in calls:
        assert (call.done_ns or 0) - call.due_ns >= last_due - call.due_ns
    assert len(there.requests) == 50


async def test_the_closed_loop_omits_what_it_could_not_send_which_is_why_it_is_not_the_default() -> None:
    async with entry(when_opened) as there:
        seen: list[int] = []

        def open_after_a_while(progress: Progress) -> None:
            if not there.gate.is_set():
                seen.append(progress.sent)
            if seen.count(2) == 3:
                there.gate.set()

        await driven(there.target, Load(requests=50, concurrency=2), on_progress=open_after_a_while)
    assert max(seen) == 2


async def test_beyond_the_most_in_flight_a_call_is_refused_on_the_record_never_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driving, "MOST_IN_FLIGHT", 5)
    async with entry(when_opened) as there:

        def open_at_the_end(progress: Progress) -> None:
            if progress.sent == 5:
                there.gate.set()

        load = Load(requests=20, rate=1000)
        calls = await driven(there.target, load, on_progress=open_at_the_end)
    assert [call.status for call in calls] == ["OK"] * 5 + ["RESOURCE_EXHAUSTED"] * 15
    assert [call.refused for call in calls] == [False] * 5 + [True] * 15
    assert calls[5].error == "the generator did not send it: 5 calls are in flight"
    assert len(there.requests) == 5
    found = measure(calls, Evidence(), chain=PAIR, asked=load)
    assert (found.sent, found.ok, found.failed, found.refused) == (5, 5, 0, 15)
    assert any("the generator did not send 15 of 20 calls" in reason for reason in found.invalid)


async def test_what_the_chain_refused_is_the_chains_result() -> None:
    async def full(there: Entry, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        raise AssertionError

    load = Load(requests=3, rate=100)
    async with entry(full) as there:
        calls = await driven(there.target, load)
    found = measure(calls, Evidence(), chain=PAIR, asked=load)
    assert (found.sent, found.failed, found.refused) == (3, 3, 0)


async def test_replicas_that_are_a_list_of_addresses_share_the_calls() -> None:
    async with entry() as one, entry() as other:
        addresses = f"ipv4:{one.target},{other.target}"
        calls = await driven(addresses, Load(requests=60, rate=600))
    assert {call.status for call in calls} == {"OK"}
    assert min(len(one.requests), len(other.requests)) >= 10


async def test_a_refused_connection_fails_call_by_call() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and nobody answers
        calls = await driven(f"127.0.0.1:{taken.getsockname()[1]}", Load(requests=3, rate=100))
    assert [call.status for call in calls] == ["UNAVAILABLE"] * 3
    assert [call.reply_digest for call in calls] == [None] * 3
    assert all(call.done_ns is not None and call.error for call in calls)


async def test_a_target_that_is_none_fails_call_by_call() -> None:
    calls = await driven("no such host.invalid:1", Load(requests=2, rate=100, timeout_s=2.0))
    assert {call.status for call in calls} <= {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


async def test_a_call_beyond_its_deadline_failed() -> None:
    async with entry(when_opened) as there:
        calls = await driven(there.target, Load(requests=2, rate=100, timeout_s=0.05))
    assert [call.status for call in calls] == ["DEADLINE_EXCEEDED"] * 2
    assert all((call.done_ns or 0) - call.sent_ns >= 50 * MS for call in calls)


async def test_a_call_that_is_not_answered_before_the_drain_ends_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "DRAIN_S", 0.05)
    async with entry(when_opened) as there:
        calls = await driven(there.target, Load(requests=2, rate=100))
    assert [(call.status, call.done_ns, call.error) for call in calls] == [(None, None, None)] * 2


async def test_a_failure_keeps_its_status_and_its_words() -> None:
    async def abort(there: Entry, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no — not \x1b[31mnow")
        raise AssertionError

    async with entry(abort) as there:
        [call] = await driven(there.target, Load(requests=1, rate=10))
    assert (call.status, call.error) == ("FAILED_PRECONDITION", "no — not \x1b[31mnow")


async def test_an_answer_that_is_no_hello_is_still_an_answer() -> None:
    async def garbage(there: Entry, request: bytes, context: Any) -> bytes:
        return b"\xff\xff\xff"

    async with entry(garbage) as there:
        [call] = await driven(there.target, Load(requests=1, rate=10))
    assert (call.status, call.reply) == ("OK", None)


async def test_a_stop_ends_the_sending_and_keeps_what_there_is() -> None:
    stop = asyncio.Event()

    def stop_after_three(progress: Progress) -> None:
        if progress.sent >= 3:
            stop.set()

    async with entry() as there:
        calls = await driven(there.target, Load(duration_s=60, rate=100), on_progress=stop_after_three, stop=stop)
    assert 3 <= len(calls) < 6000
    assert all(call.ok for call in calls)


async def test_a_stop_is_noticed_long_before_the_next_call_is_due() -> None:
    stop = asyncio.Event()

    def stop_after_one(progress: Progress) -> None:
        if progress.ok:
            stop.set()

    async with entry() as there:
        calls = await driven(there.target, Load(requests=2, rate=0.001), on_progress=stop_after_one, stop=stop)
    assert [call.status for call in calls] == ["OK"]


async def test_a_stop_ends_the_closed_loop_and_gives_up_unanswered_calls() -> None:
    stop = asyncio.Event()

    async def unanswered(there: Entry, request: bytes, context: Any) -> bytes:
        if len(there.requests) == 3:
            stop.set()
        return await when_opened(there, request, context)

    async with entry(unanswered) as there:
        calls = await driven(there.target, Load(requests=1000, concurrency=3), stop=stop)
    assert [call.done_ns for call in calls] == [None] * 3


async def test_a_stop_that_came_before_the_start_sends_nothing() -> None:
    stop = asyncio.Event()
    stop.set()
    async with entry() as there:
        assert await driven(there.target, Load(requests=5, rate=100), stop=stop) == []
        assert await driven(there.target, Load(requests=5, concurrency=1), stop=stop) == []
    assert there.requests == []


async def test_the_closed_loop_has_as_many_calls_under_way_as_workers() -> None:
    async with entry() as there:
        calls = await driven(there.target, Load(requests=40, concurrency=4))
    assert len(calls) == len(there.requests) == 40
    assert 1 <= there.most_inside <= 4
    assert all(call.due_ns == call.sent_ns for call in calls)


async def test_the_closed_loop_ends_with_its_duration() -> None:
    async with entry() as there:
        calls = await driven(there.target, Load(duration_s=0.1, concurrency=2))
    assert len(calls) >= 2
    assert all(call.ok for call in calls)


async def test_the_last_progress_tells_the_whole_story() -> None:
    told: list[Progress] = []
    async with entry() as there:
        await driven(there.target, Load(requests=7, rate=500), on_progress=told.append)
    assert (told[-1].planned, told[-1].sent, told[-1].ok, told[-1].failed, told[-1].in_flight) == (7, 7, 7, 0, 0)


async def test_a_load_that_makes_no_sense_is_refused_before_anything_is_sent() -> None:
    async with entry() as there:
        with pytest.raises(UsageError, match="--rate"):
            await driven(there.target, Load(requests=1, rate=-1))
    assert there.requests == []
