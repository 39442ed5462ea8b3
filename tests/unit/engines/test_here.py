"""The load of this machine: sent by processes that do nothing else, and that leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.load.entry import Entry, entry, when_opened
from toolkit import catalog
from toolkit import plan as plans
from toolkit.engines import here
from toolkit.engines.base import Driven
from toolkit.engines.base import Entry as Place
from toolkit.engines.here import Here
from toolkit.engines.waiting import until
from toolkit.errors import EngineError, UsageError
from toolkit.load import wire
from toolkit.results import Load, Progress
from toolkit.stubs.helloworld_pb2 import HelloReply


class Standing:
    """A deployment, as far as a source of load looks at it."""

    def __init__(self, target: str) -> None:
        self.entry = Place(target)


async def driven(
    target: str,
    load: Load,
    source: Here | None = None,
    *,
    stop: asyncio.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Driven:
    plan = plans.make(catalog.load("chained-serving"), "run-1")
    standing: Any = Standing(target)
    stop = stop or asyncio.Event()
    return await (source or Here()).drive(plan, standing, load, stop=stop, on_progress=on_progress)


def workers() -> dict[int, bytes]:
    """The generator processes that this test has: their command lines."""
    found: dict[int, bytes] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                line, status = (each / "cmdline").read_bytes(), (each / "stat").read_text()
            except OSError:
                continue
            if b"toolkit.load.worker" in line and int(status.rpartition(")")[2].split()[1]) == os.getpid():
                found[int(each.name)] = line
    return found


@pytest.fixture(autouse=True)
async def nobody_is_left() -> AsyncIterator[None]:
    yield
    assert workers() == {}


async def test_a_process_of_its_own_sends_the_load_and_its_conditions_are_told() -> None:
    told: list[Progress] = []
    async with entry() as there:
        found = await driven(there.target, Load(requests=30, rate=100.0), on_progress=told.append)
    assert [each.seq for each in found.calls] == list(range(30))
    assert all(each.ok and each.due_ns <= each.sent_ns <= (each.first_ns or 0) for each in found.calls)
    assert len(found.roots) == len(there.requests) == 30
    assert (found.invalid, found.incidents, found.notes) == ((), (), ())
    cpu = found.origin["cpu"]
    assert {**found.origin, "cpu": None, "scheduling": None} == {
        "from": "here",
        "generators": 1,
        "to": there.target,
        "clock_error_us": 0.0,
        "cpu": None,
        "scheduling": None,
    }
    assert len(cpu) == 1
    assert 0 < cpu[0] < 1
    assert found.origin["scheduling"] in ("realtime", "normal")
    assert (told[-1].planned, told[-1].ok) == (30, 30)


async def test_several_generators_share_the_load() -> None:
    async with entry() as there:
        found = await driven(there.target, Load(requests=31, rate=100.0), Here(generators=3))
    assert [each.seq for each in found.calls] == list(range(31))
    assert {each.due_ns - found.calls[0].due_ns for each in found.calls} == {k * 10_000_000 for k in range(31)}
    assert found.origin["generators"] == len(found.origin["cpu"]) == 3


async def test_more_connections_than_addresses_share_the_calls() -> None:
    peers: set[str] = set()

    async def note(there: Entry, request: bytes, context: Any) -> bytes:
        peers.add(context.peer())
        return b""

    async with entry(note) as there:
        found = await driven(there.target, Load(requests=12, rate=100.0), Here(connections=3))
    assert all(each.ok for each in found.calls)
    assert len(peers) == 3


async def test_long_answers_come_through_whole() -> None:
    async def much(there: Entry, request: bytes, context: Any) -> bytes:
        return HelloReply(message="x" * 1_500_000).SerializeToString()

    async with entry(much) as there:
        found = await driven(there.target, Load(requests=40, concurrency=2))
    assert [(each.status, len(each.reply or "")) for each in found.calls] == [("OK", 1_500_000)] * 40
    assert found.invalid == ()


async def test_a_stop_keeps_what_there_is() -> None:
    stop = asyncio.Event()
    async with entry() as there:

        def stop_after_some(progress: Progress) -> None:
            if progress.ok >= 5:
                stop.set()

        found = await driven(there.target, Load(duration_s=600, rate=50.0), stop=stop, on_progress=stop_after_some)
    assert 5 <= len(found.calls) < 1000
    assert all(each.ok for each in found.calls)


async def test_a_stop_before_the_load_sends_nothing() -> None:
    stop = asyncio.Event()
    stop.set()
    async with entry() as there:
        found = await driven(there.target, Load(requests=5, rate=50.0), stop=stop)
    assert (found.calls, there.requests) == ((), [])


async def test_a_generator_that_is_killed_is_told_and_its_calls_are_on_the_record() -> None:
    async with entry(when_opened) as there:

        async def some_came() -> bool:
            return len(there.requests) >= 6

        async def kill() -> None:
            assert await until(some_came, within_s=20)
            [victim] = [pid for pid, line in workers().items() if line.endswith(b"\x001\x00")]
            os.kill(victim, signal.SIGKILL)
            there.gate.set()

        killer = asyncio.create_task(kill())
        found = await driven(there.target, Load(requests=40, rate=30.0), Here(generators=2))
        await killer
    assert [each.seq for each in found.calls] == list(range(40))
    told = "generator 2 of 2 was gone during the load: it was ended by SIGKILL"
    assert found.invalid == (told,)
    assert [(each.kind, each.subject, each.text) for each in found.incidents] == [("warning", "generator-1", told)]
    assert found.origin["cpu"][1] is None
    assert all(each.ok for each in found.calls[::2])
    assert found.calls[39].refused


async def test_a_cancelled_load_leaves_no_process() -> None:
    begun = asyncio.Event()
    async with entry(when_opened) as there:
        loading = asyncio.create_task(
            driven(there.target, Load(requests=100, rate=50.0), on_progress=lambda _: begun.set())
        )
        await begun.wait()
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading


async def test_a_generator_that_cannot_start_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "PROGRAM", (sys.executable, "-c", "raise SystemExit('no memory left')"))
    async with entry() as there:
        with pytest.raises(
            EngineError, match="did not come: it left with exit status 1; its last words: no memory left"
        ):
            await driven(there.target, Load(requests=1, rate=1.0))


async def test_a_generator_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "VERSION", wire.VERSION + 1)  # here, and not in the process that comes
    async with entry() as there:
        with pytest.raises(EngineError, match=f"speaks version {wire.VERSION - 1}, and {wire.VERSION} is spoken here"):
            await driven(there.target, Load(requests=1, rate=1.0))


@pytest.mark.parametrize(
    ("target", "load", "source"),
    [
        ("h:1", Load(requests=1), Here()),
        ("h:1", Load(requests=1, rate=1.0), Here(generators=2)),
        ("unix:/x", Load(requests=1, rate=1.0), Here()),
    ],
)
async def test_what_makes_no_sense_is_refused_before_a_process_is_started(
    target: str, load: Load, source: Here
) -> None:
    with pytest.raises(UsageError):
        await driven(target, load, source)
