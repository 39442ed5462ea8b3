"""A worker of a closed loop may think about an answer before it calls again."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tests.unit.statistics import exponential, ks
from toolkit.errors import UsageError
from toolkit.load import pacing
from toolkit.load.driving import Driver, Pace
from toolkit.load.http2.stream import Ended
from toolkit.results import Load

MS = 1_000_000


class Instant:
    """Lines into a server that answers everything 5 ms later, on a clock that only this moves."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.sent_ns: list[int] = []
        self._open: list[tuple[int, int]] = []

    @property
    def in_flight(self) -> int:
        return len(self._open)

    def clock(self) -> int:
        return self.now_ns

    def dial(self) -> str | None:
        return None

    def submit(self, token: int, head: bytes, body: bytes, deadline_ns: int) -> None:
        self.sent_ns.append(self.now_ns)
        self._open.append((token, self.now_ns + 5 * MS))

    def step(self, until_ns: int) -> list[Ended]:
        self.now_ns = max(self.now_ns, min([until_ns, *(done for _, done in self._open)]))
        over = [each for each in self._open if each[1] <= self.now_ns]
        self._open = [each for each in self._open if each[1] > self.now_ns]
        return [Ended(token, "OK", "", None, done, done) for token, done in over]

    def give_up(self, status: str, why: str) -> list[Ended]:
        return []

    def close(self) -> None: ...


class Nothing:
    """Calls that say nothing."""

    def __init__(self) -> None:
        self.ended_calls = 0

    def next(self, due_ns: int, now_ns: int) -> tuple[int, bytes, bytes]:
        assert due_ns == now_ns
        return 0, b"", b""

    def ended(self, each: Ended) -> None:
        self.ended_calls += 1

    def refused(self, due_ns: int, now_ns: int, why: str) -> None:
        raise AssertionError(why)


def sent(load: Load, index: int = 0) -> list[int]:
    lines, calls = Instant(), Nothing()
    lines.now_ns = 1000 * MS
    Driver(lines, calls, load, Pace(None, load.requests, index=index), clock=lines.clock).run()
    assert calls.ended_calls == len(lines.sent_ns)
    return [each - 1000 * MS for each in lines.sent_ns]


def test_without_a_thought_the_next_call_leaves_with_the_answer() -> None:
    assert sent(Load(requests=4, concurrency=1)) == [0, 5 * MS, 10 * MS, 15 * MS]


def test_a_worker_waits_as_long_as_it_thinks_after_its_answer() -> None:
    assert sent(Load(requests=4, concurrency=1, think="20ms")) == [0, 25 * MS, 50 * MS, 75 * MS]


def test_workers_think_each_for_themselves() -> None:
    assert sent(Load(requests=6, concurrency=2, think="20ms")) == [0, 0, 25 * MS, 25 * MS, 50 * MS, 50 * MS]


def test_a_load_for_a_time_ends_while_somebody_thinks() -> None:
    assert sent(Load(duration_s=0.06, concurrency=1, think="20ms")) == [0, 25 * MS, 50 * MS]
    assert sent(Load(duration_s=0.06, concurrency=1, think="1h")) == [0]


def test_what_is_drawn_between_answer_and_call_is_exponential() -> None:
    due = sent(Load(requests=3001, concurrency=1, think="exponential:100ms"))
    thoughts = [(after - before) / MS - 5 for before, after in pairwise(due)]
    assert math.isclose(sum(thoughts) / len(thoughts), 100, rel_tol=0.06)
    assert ks(thoughts, exponential(100.0)) > 0.01


def test_thoughts_follow_from_the_seed_and_differ_between_generators() -> None:
    load = Load(requests=20, concurrency=3, think="exponential:10ms", seed=5)
    assert sent(load) == sent(load)
    assert sent(load) != sent(load, index=1)
    assert sent(load) != sent(Load(requests=20, concurrency=3, think="exponential:10ms", seed=6))


def test_who_does_not_think_has_no_thoughts() -> None:
    assert pacing.thinking(Load(requests=1, concurrency=1)) is None


@pytest.mark.parametrize(
    ("think", "told"),
    [
        ("", "is not a duration"),
        ("100", "is not a duration"),
        ("-1s", "is not a duration"),
        ("0", "not a time from 1us"),
        ("nan", "is not a duration"),
        ("１00ms", "is not a duration"),
        ("gamma:1s", "only exponential stands before a colon"),
        ("exponential:", "is not a duration"),
        ("exponential:1s:2s", "is not a duration"),
        ("x" * 100_000, "is not a duration"),
    ],
)
def test_a_thought_that_is_no_time_is_refused(think: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        pacing.validate(Load(requests=1, concurrency=1, think=think))
    assert told in str(refused.value)
    assert str(refused.value).startswith("--think ")
    assert len(str(refused.value)) < 300
    assert "exponential:100ms" in str(refused.value.next_step)
