"""The loop of a load in simulated time: whole minutes of arrivals and answers, exact, in a blink."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

import numpy as np
import pytest

from tests.unit.load.kept import Kept
from toolkit.columns import DTYPE, WARMUP
from toolkit.load import pacing
from toolkit.load.driving import LOST, MOST_IN_FLIGHT, SECOND, Driver, Pace
from toolkit.load.http2.stream import Ended
from toolkit.load.ledger import Ledger
from toolkit.measure.direct import numbers
from toolkit.results import CallNumbers, Load

MS = 1_000_000


class Simulated:
    """A server that answers after `service_ns`, one call after the other never waiting for another, except while it is
    `frozen`: what came by its end is answered then. Lines to it, and the clock; nothing else moves the clock.

    `asleep` is a stretch of time in which the generator itself does not run.
    """

    def __init__(
        self, service_ns: int = MS, frozen: tuple[int, int] = (0, 0), asleep: tuple[int, int] = (0, 0)
    ) -> None:
        self._service_ns, self._frozen, self._asleep = service_ns, frozen, asleep
        self._now = 0
        self._answers: list[tuple[int, int]] = []

    def clock(self) -> int:
        return self._now

    @property
    def in_flight(self) -> int:
        return len(self._answers)

    def dial(self) -> str | None:
        return None

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        start, end = self._frozen
        begins = end if start <= self._now < end else self._now
        heappush(self._answers, (begins + self._service_ns, token))

    def step(self, until_ns: int) -> list[Ended]:
        self._move(min([until_ns, *(at for at, _ in self._answers[:1])]))
        ended = []
        while self._answers and self._answers[0][0] <= self._now:
            at, token = heappop(self._answers)
            ended.append(Ended(token, "OK", "", b"", at, self._now))
        return ended

    def _move(self, to_ns: int) -> None:
        self._now = max(self._now, to_ns)
        start, end = self._asleep
        if start <= self._now < end:
            self._now = end

    def give_up(self, status: str, why: str) -> list[Ended]:
        ended = [Ended(token, status, why, None, None, self._now) for _, token in self._answers]
        self._answers.clear()
        return ended

    def close(self) -> None:
        self._answers.clear()


class Noted:
    """Calls that say nothing, and a ledger of them."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.ledger = Ledger(self.kept)
        self.refusals: list[str] = []
        self._seq = 0

    def next(self, due_ns: int, now_ns: int) -> tuple[int, bytes, bytes]:
        self.ledger.add(self._seq, due_ns, now_ns, 0)
        self._seq += 1
        return self._seq - 1, b"", b""

    def ended(self, each: Ended) -> None:
        self.ledger.end(each, lost=each.status == LOST)

    def refused(self, due_ns: int, now_ns: int, why: str) -> None:
        self.refusals.append(why)
        self.ledger.refuse(self._seq, due_ns, now_ns, 0)
        self._seq += 1


def simulate(
    load: Load, server: Simulated, *, drain_s: float | None = None, stopped: Callable[[], bool] = lambda: False
) -> Noted:
    calls = Noted()
    times = None if load.model == "closed" else pacing.times(load)
    pace = Pace(times, pacing.count(load), SECOND, drain_s)
    Driver(server, calls, load, pace, clock=server.clock, stopped=stopped).run()
    return calls


def measured(calls: Noted, load: Load) -> tuple[CallNumbers, Callable[[float], float]]:
    """The numbers, and the latency in seconds that a share of the calls does not exceed."""
    rows = np.array([tuple(each) for each in calls.kept.rows()], DTYPE)
    latencies = np.sort(rows["done_ns"] - rows["due_ns"]) / 1e9
    return numbers([rows], load, None), lambda share: float(latencies[int(np.ceil(share * len(latencies))) - 1])


FREEZE = (50 * SECOND, 51 * SECOND)  # after the beginning


def test_an_open_loop_sees_a_server_that_froze_for_a_second_as_its_callers_would() -> None:
    """100/s for 100 s, one freeze of 1 s: the 100 calls that fall into it wait 0..1 s, one per cent of all.

    So a share s of all calls waits no longer than 1 s · (s - 0.99) / 0.01 beside its service: p99.5 0.5 s, p99.9 0.9 s.
    """
    load = Load(rate=100.0, duration_s=100.0)
    found, latency = measured(simulate(load, Simulated(frozen=FREEZE)), load)
    assert (found.sent, found.ok, found.invalid) == (10_000, 10_000, ())
    assert latency(0.989) == pytest.approx(0.001)
    for share, waited in ((0.995, 0.5), (0.997, 0.7), (0.999, 0.9)):
        assert latency(share) == pytest.approx(waited + 0.001, abs=0.0101), "one interval between two calls"
    assert found.latency_us is not None
    assert found.latency_us.max == pytest.approx(1.001e6)
    assert found.service_time_us is not None
    assert found.service_time_us.p999 == pytest.approx(901_000, abs=10_100)


def test_a_closed_loop_misses_the_same_freeze() -> None:
    """One caller that waits for each answer sends nothing while the server is frozen: one slow call of ten thousand."""
    load = Load(requests=10_000, concurrency=1)
    found, latency = measured(simulate(load, Simulated(service_ns=10 * MS, frozen=FREEZE)), load)
    assert found.ok == 10_000
    assert latency(0.999) == pytest.approx(0.01), "nothing of the freeze to be seen"
    assert found.latency_us is not None
    assert found.latency_us.max == pytest.approx(1.01e6, rel=0.02)


def test_when_the_generator_itself_freezes_calls_count_from_when_they_were_due_and_the_run_is_invalid() -> None:
    load = Load(rate=100.0, duration_s=20.0)
    found, latency = measured(simulate(load, Simulated(asleep=(10 * SECOND, 11 * SECOND))), load)
    assert latency(0.999) == pytest.approx(0.98, abs=0.03)
    assert found.service_time_us is not None
    assert found.service_time_us.max == pytest.approx(1_000, rel=0.01), "which service time alone would hide"
    assert found.lateness_us is not None
    assert found.lateness_us.max == pytest.approx(1e6, rel=0.01)
    assert any("the generator was late" in each for each in found.invalid)


def test_calls_beyond_the_most_in_flight_are_refused_one_by_one_and_the_run_is_invalid() -> None:
    load = Load(rate=5_000.0, duration_s=3.0)
    calls = simulate(load, Simulated(service_ns=60 * SECOND), drain_s=0.5)
    assert len(calls.refusals) == 15_000 - MOST_IN_FLIGHT
    assert set(calls.refusals) == {"10,000 calls are in flight"}
    assert calls.ledger.counts() == {"LOST": MOST_IN_FLIGHT}
    found, _ = measured(calls, load)
    assert (found.sent, found.lost, found.refused) == (MOST_IN_FLIGHT, MOST_IN_FLIGHT, 5_000)
    assert found.latency_us is None
    assert any("did not send 5,000 of 15,000 calls" in each for each in found.invalid)


def test_a_drain_ends_with_its_deadline_and_what_is_missing_is_lost() -> None:
    load = Load(rate=10.0, requests=10)
    server = Simulated(service_ns=SECOND)
    calls = simulate(load, server, drain_s=0.55)
    assert calls.ledger.counts() == {"OK": 5, "LOST": 5}
    assert server.clock() == SECOND + 900 * MS + 550 * MS


def test_a_stopped_load_waits_a_second_and_no_longer() -> None:
    server = Simulated(service_ns=10 * SECOND)
    calls = simulate(Load(rate=10.0, requests=100), server, stopped=lambda: server.clock() >= 3 * SECOND)
    assert set(calls.ledger.counts()) == {"LOST"}
    assert 4 * SECOND <= server.clock() <= 4.2 * SECOND


def test_no_row_of_a_measured_call_is_marked_as_warm_up() -> None:
    calls = simulate(Load(rate=10.0, requests=10), Simulated())
    assert not any(each.flags & WARMUP for each in calls.kept.rows())


def test_calls_that_end_while_they_are_sent_leave_no_worker_behind() -> None:
    class AtOnce(Simulated):
        """Whose calls are in flight for no moment."""

        @property
        def in_flight(self) -> int:
            return 0

    calls = simulate(Load(requests=20, concurrency=2, think="1ms"), AtOnce())
    assert len(calls.kept.rows()) == 20


def test_a_call_without_a_first_byte_has_no_moment_of_one() -> None:
    calls = Noted()
    calls.next(1, 2)
    calls.ended(Ended(0, "DEADLINE_EXCEEDED", "", None, None, 9))
    (row,) = calls.kept.rows()
    assert (row.first, row.done) == (0, 9)
