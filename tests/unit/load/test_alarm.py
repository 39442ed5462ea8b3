"""Alarms ring when it is time, never before."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator

import pytest

from toolkit.load.alarm import Alarm, Waking, Yielding, alarm

MS = 1_000_000


@contextlib.contextmanager
def yielding() -> Iterator[Alarm]:
    yield Yielding()


KINDS = pytest.mark.parametrize("kind", [alarm, yielding], ids=["the system's", "yielding"])


@KINDS
async def test_it_never_rings_early(kind: type[contextlib.AbstractContextManager[Alarm]]) -> None:
    with kind() as clock:
        for ahead_ns in (1, 50_000, MS, 3 * MS, 20 * MS):
            due_ns = time.monotonic_ns() + ahead_ns
            await clock.sleep_until(due_ns)
            assert time.monotonic_ns() >= due_ns


@KINDS
async def test_a_moment_that_has_passed_still_lets_others_run(
    kind: type[contextlib.AbstractContextManager[Alarm]],
) -> None:
    ran: list[str] = []
    with kind() as clock:
        asyncio.get_running_loop().call_soon(ran.append, "somebody else")
        await clock.sleep_until(time.monotonic_ns() - MS)
    assert ran == ["somebody else"]


@KINDS
async def test_it_can_be_cancelled_and_used_again(kind: type[contextlib.AbstractContextManager[Alarm]]) -> None:
    with kind() as clock:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await clock.sleep_until(time.monotonic_ns() + 10_000 * MS)
        due_ns = time.monotonic_ns() + MS
        await clock.sleep_until(due_ns)
        assert time.monotonic_ns() >= due_ns


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="timerfd is Linux's")
async def test_linux_wakes_by_a_timer_of_its_own() -> None:
    with alarm() as clock:
        assert isinstance(clock, Waking)
