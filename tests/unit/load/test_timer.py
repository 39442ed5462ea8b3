from __future__ import annotations

import select
import sys
import time

import pytest

from toolkit.load.timer import Timer

MS = 1_000_000
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="timerfd is Linux's")


def rings(timer: Timer, within_ms: int = 2000) -> bool:
    poll = select.poll()
    assert timer.descriptor is not None
    poll.register(timer.descriptor, select.POLLIN)
    return bool(poll.poll(within_ms))


def test_a_timer_that_is_set_for_the_same_moment_again_is_not_missed() -> None:
    """Whether it rang meanwhile or not, and whether somebody heard it or not."""
    timer = Timer()
    try:
        due_ns = time.monotonic_ns() + MS
        timer.set(due_ns)
        timer.set(due_ns)
        assert rings(timer), "set twice, it rings"
        timer.set(due_ns)
        assert rings(timer), "it rang, nobody heard it, and it was set again"
        timer.ring()
        timer.set(due_ns)
        assert rings(timer), "it was heard, and set again for a moment that has passed"
        timer.set(time.monotonic_ns() + MS)  # before the last one was heard
        timer.ring()  # which comes late
        assert rings(timer), "a late ear does not switch off what was set since"
        timer.ring()
        timer.set(0)
        assert rings(timer), "the beginning of time has passed, and is not `never`"
    finally:
        timer.close()


def test_a_timer_never_rings_early() -> None:
    timer = Timer()
    try:
        for ahead_ns in (1, 50_000, MS, 20 * MS):
            due_ns = time.monotonic_ns() + ahead_ns
            timer.set(due_ns)
            assert rings(timer)
            assert time.monotonic_ns() >= due_ns
            timer.ring()
            assert not rings(timer, 0)
    finally:
        timer.close()
