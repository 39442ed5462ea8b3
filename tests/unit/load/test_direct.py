from __future__ import annotations

import socket
import threading
import time
from collections import Counter

import grpc
import pytest

from tests.unit.load.far_side import METHOD, Address, Peer, greeter, scripted
from toolkit.load.direct import Request, Unreachable, drive
from toolkit.load.ledger import LOST, MOST_WORDS, Ledger
from toolkit.load.target import Target
from toolkit.results import Load, Progress


def to(address: Address, message: bytes = b"hello") -> Request:
    return Request(Target(*address, METHOD), message)


def test_every_call_of_an_open_loop_is_due_where_the_schedule_says_and_answered() -> None:
    with greeter() as address:
        ledger = drive(to(address), Load(requests=200, rate=400.0), connections=2)
    assert ledger.counts() == {"OK": 200}
    gaps = {after - before for before, after in zip(ledger.due, ledger.due[1:], strict=False)}
    assert gaps <= {2_500_000}
    assert all(due <= sent <= first <= done for due, sent, first, done in _rows(ledger))


def _rows(ledger: Ledger) -> list[tuple[int, int, int, int]]:
    return list(zip(ledger.due, ledger.sent, ledger.first, ledger.done, strict=True))


def test_a_closed_loop_has_as_many_calls_open_as_it_should_and_no_more() -> None:
    inside, most, guard = [0], [0], threading.Lock()

    def busy(data: bytes, context: grpc.ServicerContext) -> bytes:
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.005)
        with guard:
            inside[0] -= 1
        return data

    with greeter(busy) as address:
        ledger = drive(to(address), Load(requests=60, concurrency=3))
    assert (ledger.counts(), most[0]) == ({"OK": 60}, 3)
    assert ledger.due == ledger.sent


def test_a_closed_loop_ends_with_its_time() -> None:
    with greeter() as address:
        ledger = drive(to(address), Load(duration_s=0.3, concurrency=2))
    assert set(ledger.counts()) == {"OK"}
    assert max(ledger.sent) - min(ledger.sent) <= 300_000_000


def test_each_call_has_a_trace_context_of_its_own_and_every_run_of_a_seed_the_same() -> None:
    def contexts(seed: int, sample: float) -> list[str]:
        found: list[str] = []

        def keep(data: bytes, context: grpc.ServicerContext) -> bytes:
            found.append(dict(context.invocation_metadata())["traceparent"])
            return data

        with greeter(keep) as address:
            drive(to(address), Load(requests=40, concurrency=1, seed=seed, sample=sample))
        return found

    first = contexts(7, 0.5)
    assert len({each.split("-")[1] for each in first}) == 40
    assert {len(each) for each in first} == {55}
    assert Counter(each[-2:] for each in first).keys() == {"00", "01"}
    assert contexts(7, 0.5) == first
    assert contexts(8, 0.5) != first


def test_the_server_is_told_the_deadline_the_authority_and_the_metadata() -> None:
    told: dict[str, str] = {}
    left: list[float] = []

    def keep(data: bytes, context: grpc.ServicerContext) -> bytes:
        told.update(dict(context.invocation_metadata()))
        left.append(context.time_remaining())
        return data

    with greeter(keep) as address:
        request = Request(Target(*address, METHOD), b"x", ((b"x-tenant", b"a b"),), "somewhere.example.com")
        drive(request, Load(requests=1, concurrency=1, timeout_s=7.0))
    assert told["x-tenant"] == "a b"
    assert 6 < left[0] <= 7


def test_failures_are_counted_by_status_and_words() -> None:
    def refuse(data: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        raise AssertionError

    with greeter(refuse) as address:
        ledger = drive(to(address), Load(requests=5, concurrency=1))
    assert ledger.counts() == {"NOT_FOUND": 5}
    assert ledger.errors == {("NOT_FOUND", "no such thing"): 5}


def test_a_call_without_an_answer_ends_at_its_deadline() -> None:
    shut = threading.Event()

    def deaf(peer: Peer) -> None:
        for _ in peer.calls():
            pass
        shut.wait(10)

    with scripted(deaf) as address:
        ledger = drive(to(address), Load(requests=3, rate=100.0, timeout_s=0.2))
        shut.set()
    assert ledger.counts() == {"DEADLINE_EXCEEDED": 3}


def test_a_load_that_is_stopped_gives_back_what_there_is() -> None:
    stop = threading.Event()

    def slow(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls(), 1):
            if count <= 5:
                peer.answer(stream)
            else:
                stop.set()

    with scripted(slow) as address:
        ledger = drive(to(address), Load(requests=1000, rate=200.0), stopped=stop.is_set)
    counts = ledger.counts()
    assert counts["OK"] == 5
    assert 0 < counts["LOST"] == len(ledger) - 5 < 995


def test_progress_is_told_and_ends_with_all() -> None:
    told: list[Progress] = []
    with greeter() as address:
        drive(to(address), Load(requests=50, rate=100.0), on_progress=told.append)
    assert len(told) > 2
    assert (told[-1].planned, told[-1].sent, told[-1].ok, told[-1].failed, told[-1].in_flight) == (50, 50, 50, 0, 0)


def test_where_nobody_listens_nothing_is_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    with pytest.raises(Unreachable, match="Connection refused"):
        drive(to(address), Load(requests=1, concurrency=1))


def test_more_errors_than_anybody_reads_are_counted_together() -> None:
    ledger = Ledger()
    for number in range(MOST_WORDS + 7):
        ledger.end(ledger.add(1, 1), "INTERNAL", f"reason {number}", None, 2)
    assert ledger.errors["INTERNAL", "other reasons"] == 7
    assert ledger.counts() == {"INTERNAL": MOST_WORDS + 7}
    assert ledger.status[0] != LOST
