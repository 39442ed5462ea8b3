"""Generators as processes of their own, against a real entry: together they are one load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from tests.unit.load.entry import Entry, entry, when_opened
from toolkit.contract import Metadata
from toolkit.engines.generators import Generators
from toolkit.engines.waiting import until
from toolkit.errors import EngineError
from toolkit.load import control, merging, share, wire, worker
from toolkit.load.generator import Way, drive
from toolkit.results import CallRecord, Load, Progress
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.traces.model import Span

HOST = "127.0.0.1"
LEAVES_WITHIN_S = 10.0


def order(target: str, load: Load) -> wire.Order:
    return wire.Order(target, "run-1", "pair", "producer", load, share.WHOLE)


@contextlib.asynccontextmanager
async def come(count: int) -> AsyncIterator[tuple[Generators, Sequence[Process]]]:
    """So many processes, all of which have come."""
    processes: list[Process] = []
    try:
        async with Generators(HOST, count) as generators:
            processes += [await _process(generators, index) for index in range(count)]

            async def here() -> bool:
                return generators.all_here

            assert await until(here, within_s=20), generators.refused
            yield generators, processes
    finally:
        for process in processes:
            await _ended(process)


async def _process(generators: Generators, index: int, *program: str) -> Process:
    host, port = generators.address
    command = (sys.executable, "-P", *(program or ("-m", "toolkit.load.worker")), host, str(port), str(index))
    environment = {**os.environ, wire.TOKEN: generators.token}
    return await asyncio.create_subprocess_exec(*command, env=environment, stderr=PIPE)


async def _ended(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        try:
            await asyncio.wait_for(process.wait(), LEAVES_WITHIN_S)
        except TimeoutError:
            process.kill()
    await process.communicate()


async def sent(
    generators: Generators, wanted: wire.Order, stop: asyncio.Event | None = None
) -> tuple[list[CallRecord], list[Span]]:
    """The load, as one."""
    stop = stop or asyncio.Event()
    assert await generators.get_ready(wanted, stop)
    start_ns, stopped_ns = await generators.load(stop, None)
    await generators.ask_for_clocks_again()
    parts = [generators.part(each, wanted, "it was killed") for each in generators.all]
    calls = merging.merged([part for part, _ in parts], wanted.load, wanted.run, start_ns, stopped_ns)
    return calls, [root for _, roots in parts for root in roots]


def invocations(there: Entry) -> list[str]:
    found = [Metadata.decode(HelloRequest.FromString(each).vHiveMetadata) for each in there.requests]
    return [each.invocation for each in found if each is not None]


async def test_three_generators_send_exactly_what_one_would_have_sent() -> None:
    load = Load(requests=31, rate=100.0, sample=0.5, arrivals="poisson")
    async with entry() as there:
        alone = await asyncio.to_thread(drive, Way(there.target), load, run="run-1", chain="pair")
        there.requests.clear()
        async with come(3) as (generators, _):
            calls, roots = await sent(generators, order(there.target, load))
    assert [(each.seq, each.call, each.trace, each.sampled) for each in calls] == [
        (each.seq, each.call, each.trace, each.sampled) for each in alone
    ]
    assert [each.due_ns - calls[0].due_ns for each in calls] == [each.due_ns - alone[0].due_ns for each in alone]
    assert all(each.ok for each in calls)
    assert sorted(invocations(there)) == sorted(each.call for each in calls)
    assert {root.trace for root in roots} == {each.trace for each in calls if each.sampled}


async def test_times_are_on_the_clock_of_whoever_asked() -> None:
    async with entry() as there, come(2) as (generators, _):
        calls, _roots = await sent(generators, order(there.target, Load(requests=4, rate=50.0)))
        assert [each.offset.ns for each in generators.all] == [0, 0]
    assert all(each.due_ns <= each.sent_ns <= (each.done_ns or 0) for each in calls)


async def test_a_generator_whose_clock_is_another_begins_with_the_others_and_its_times_are_moved_to_ours() -> None:
    behind = "import time; real = time.monotonic_ns; time.monotonic_ns = lambda: real() - 10**12"
    program = f"{behind}; import sys; from toolkit.load.worker import main; sys.exit(main(sys.argv[1:]))"
    async with entry() as there, Generators(HOST, 1) as generators:
        process = await _process(generators, 0, "-c", program)
        try:

            async def here() -> bool:
                return generators.all_here

            assert await until(here, within_s=20)
            calls, _roots = await sent(generators, order(there.target, Load(requests=5, rate=100.0)))
            (found,) = generators.all
        finally:
            process.kill()
            await _ended(process)
    assert abs(found.offset.ns + 10**12) <= found.offset.error_ns
    assert found.offset.error_ns > 0
    assert [each.due_ns - calls[0].due_ns for each in calls] == [0, 10**7, 2 * 10**7, 3 * 10**7, 4 * 10**7]
    assert all(each.due_ns <= each.sent_ns <= (each.done_ns or 0) < 2 * calls[0].due_ns for each in calls)
    assert abs(calls[0].due_ns - time.monotonic_ns()) < 100 * 10**9  # and not a thousand seconds ago


async def test_the_workers_of_a_closed_loop_are_divided() -> None:
    async with entry() as there, come(2) as (generators, _):
        calls, _roots = await sent(generators, order(there.target, Load(requests=21, concurrency=3)))
    assert [each.seq for each in calls] == list(range(21))
    assert len({each.call for each in calls}) == len(there.requests) == 21
    assert there.most_inside <= 3


async def test_progress_is_told_of_all_of_them() -> None:
    told: list[Progress] = []
    async with entry() as there, come(2) as (generators, _):
        assert await generators.get_ready(order(there.target, Load(requests=20, rate=50.0)), asyncio.Event())
        await generators.load(asyncio.Event(), told.append)
    assert (told[-1].planned, told[-1].sent, told[-1].ok) == (20, 20, 20)


async def test_a_stop_ends_all_of_them_soon_and_keeps_what_there_is() -> None:
    stop = asyncio.Event()
    async with entry() as there, come(2) as (generators, _):

        async def some_came() -> bool:
            return len(there.requests) >= 10

        async def stopping() -> None:
            assert await until(some_came, within_s=20)
            stop.set()

        stopper = asyncio.create_task(stopping())
        calls, _roots = await sent(generators, order(there.target, Load(duration_s=600.0, rate=40.0)), stop)
        await stopper
        assert generators.lost == []
    assert 10 <= len(calls) < 1000
    assert all(each.ok for each in calls)


async def test_calls_of_a_generator_that_is_killed_are_lost_or_never_sent_and_none_is_missing() -> None:
    async with entry(when_opened) as there, come(3) as (generators, processes):

        async def some_came() -> bool:
            return len(there.requests) >= 9

        async def kill() -> None:
            assert await until(some_came, within_s=20)
            processes[1].send_signal(signal.SIGKILL)
            await processes[1].wait()
            there.gate.set()

        killer = asyncio.create_task(kill())
        calls, _roots = await sent(generators, order(there.target, Load(requests=60, rate=30.0)))
        await killer
        assert [each.index for each in generators.lost] == [1]
    assert [each.seq for each in calls] == list(range(60))
    theirs, others = calls[1::3], [each for each in calls if each.seq % 3 != 1]
    assert all(each.ok for each in others)
    assert {each.error for each in theirs if not each.ok} == {"it was killed"}
    assert any(each.done_ns is None for each in theirs)
    assert theirs[-1].refused


async def test_whoever_was_not_sent_for_gets_no_share() -> None:
    async with Generators(HOST, 1) as generators:
        known = {"token": generators.token, "version": wire.VERSION, "kernel": ""}
        for hello, says in (
            ({**known, "token": "guessed", "index": 0}, "without the token"),
            ({**known, "index": 1}, "generator 1 was not sent for"),
            ({**known, "index": 0, "version": 99}, "speaks version 99"),
            ({}, "Hello"),
        ):
            reader, writer = await asyncio.open_connection(HOST, generators.address[1])
            writer.write(wire.line(hello=hello))
            assert await reader.read() == b""
            assert says in generators.refused
            writer.close()
        reader, writer = await asyncio.open_connection(HOST, generators.address[1])
        writer.write(b"\xff" * 100 + b"\n")
        assert await reader.read() == b""
        writer.close()
        assert not generators.came


async def test_a_generator_that_comes_twice_is_taken_once() -> None:
    async with come(1) as (generators, _):
        again = await _process(generators, 0)
        await again.communicate()
        assert "came twice" in generators.refused
        assert generators.all_here


async def test_generators_leave_when_nobody_wants_them_any_more() -> None:
    async with come(2) as (_, processes):
        pass
    assert [process.returncode for process in processes] == [0, 0]


async def test_a_target_that_does_not_exist_fails_call_by_call_as_it_does_from_here() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        async with come(1) as (generators, _):
            wanted = order(f"{HOST}:{taken.getsockname()[1]}", Load(requests=3, rate=100.0))
            calls, _roots = await sent(generators, wanted)
    assert [each.status for each in calls] == ["UNAVAILABLE"] * 3


async def test_a_load_that_makes_no_sense_ends_the_generator_with_its_reason() -> None:
    async with come(1) as (generators, processes):
        assert not await generators.get_ready(order("h:1", Load()), asyncio.Event())
        assert [each.index for each in generators.lost] == [0]
        assert processes[0].stderr is not None
        assert b"toolkit.load.worker: neither --requests nor --duration is set" in await processes[0].stderr.read()
        assert await processes[0].wait() == worker.CANNOT


async def test_a_target_that_does_not_serve_ends_the_generator_before_it_is_ready() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        target = f"{HOST}:{taken.getsockname()[1]}"
        async with come(1) as (generators, processes):
            wanted = replace(order(target, Load(requests=3, rate=100.0)), healthy_s=0.5)
            assert not await generators.get_ready(wanted, asyncio.Event())
            assert processes[0].stderr is not None
            said = await processes[0].stderr.read()
    assert f"asked {target} in vain whether it serves: UNAVAILABLE".encode() in said


async def test_nobody_waits_for_a_target_that_is_not_wanted_any_more() -> None:
    stop = asyncio.Event()
    stop.set()
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        async with come(1) as (generators, _):
            target = f"{HOST}:{taken.getsockname()[1]}"
            wanted = replace(order(target, Load(requests=3, rate=100.0)), healthy_s=600.0)
            assert not await generators.get_ready(wanted, stop)
            assert not generators.lost


async def test_an_address_that_is_not_ours_is_told_with_the_next_step() -> None:
    with pytest.raises(EngineError, match=r"generators cannot be heard at 192\.0\.2\.1") as caught:
        async with Generators("192.0.2.1", 1):
            pytest.fail("it was heard there")
    assert "--advertise" in str(caught.value.next_step)


def test_a_generator_that_reaches_nobody_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(control, "CONNECT_WITHIN_S", 0.3)
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        assert worker.main([HOST, str(port), "0"]) == worker.CANNOT
    assert f"toolkit.load.worker: cannot reach {HOST} port {port}: " in capsys.readouterr().err
