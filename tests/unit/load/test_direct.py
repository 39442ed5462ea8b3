from __future__ import annotations

import itertools
import socket
import threading
import time
from collections import Counter

import grpc
import pytest

from tests.unit.load.far_side import METHOD, Address, Peer, greeter, scripted
from tests.unit.load.kept import Kept
from toolkit.columns import LOST, REFUSED, SAMPLED, WARMUP
from toolkit.load.direct import Manner, Request, Unreachable, drive
from toolkit.load.http2.stream import Ended
from toolkit.load.ledger import MOST_WORDS, OTHER, Ledger
from toolkit.load.share import Share
from toolkit.load.target import Target
from toolkit.results import Load, Progress


def to(address: Address, message: bytes = b"hello") -> Request:
    return Request(Target(*address, METHOD), message)


def test_every_call_of_an_open_loop_is_due_where_the_schedule_says_and_answered() -> None:
    rows = Kept()
    with greeter() as address:
        ledger = drive(to(address), Load(requests=200, rate=400.0), rows, manner=Manner(connections=2))
    assert ledger.counts() == {"OK": 200}
    kept = rows.rows()
    assert [each.seq for each in kept] == list(range(200))
    assert {after.due - before.due for before, after in itertools.pairwise(kept)} == {2_500_000}
    assert all(each.due <= each.sent <= each.first <= each.done for each in kept)
    assert {(each.size, each.reply_size, each.status, each.flags) for each in kept} == {(5, 5, 0, SAMPLED)}


def test_of_two_generators_each_sends_its_share_of_the_one_schedule_under_the_same_contexts() -> None:
    whole, shares = Kept(), [Kept(), Kept()]
    contexts: list[str] = []

    def keep(data: bytes, context: grpc.ServicerContext) -> bytes:
        contexts.append(str(dict(context.invocation_metadata())["traceparent"]))
        return data

    load = Load(requests=20, rate=200.0, sample=0.5)
    with greeter(keep) as address:
        drive(to(address), load, whole)
        for at, rows in enumerate(shares):
            drive(to(address), load, rows, share=Share(at, 2))
    assert sorted(contexts[:20]) == sorted(contexts[20:])
    assert [[each.seq for each in rows.rows()] for rows in shares] == [list(range(0, 20, 2)), list(range(1, 20, 2))]
    flags = {each.seq: each.flags for rows in shares for each in rows.rows()}
    assert flags == {each.seq: each.flags for each in whole.rows()}
    assert set(flags.values()) == {0, SAMPLED}


def test_the_warm_up_is_marked_and_in_no_count() -> None:
    for manner, warm in ((Manner(warmup_calls=15), 15), (Manner(warmup_s=0.05), 10)):
        rows = Kept()
        with greeter() as address:
            ledger = drive(to(address), Load(requests=40, rate=200.0), rows, manner=manner)
        assert [bool(each.flags & WARMUP) for each in rows.rows()] == [True] * warm + [False] * (40 - warm)
        assert (ledger.counts(), ledger.warmup, ledger.latency.total) == ({"OK": 40 - warm}, warm, 40 - warm)


def test_answers_that_come_after_the_drain_are_lost() -> None:
    go = threading.Event()

    def patient(peer: Peer) -> None:
        for _ in peer.calls():
            pass
        go.wait(10)

    rows = Kept()
    with scripted(patient) as address:
        ledger = drive(to(address), Load(requests=3, rate=100.0), rows, manner=Manner(drain_s=0.1))
        go.set()
    assert ledger.counts() == {"LOST": 3}
    assert {(each.status, each.done, each.first) for each in rows.rows()} == {(LOST, 0, 0)}


def test_a_call_that_is_hopelessly_late_is_not_sent_and_has_a_row() -> None:
    rows = Kept()
    with greeter() as address:
        begin = time.monotonic_ns() - 60_000_000_000
        ledger = drive(to(address), Load(requests=5, rate=100.0), rows, begin=lambda: begin)
    assert (ledger.refused, ledger.sent) == (5, 0)
    assert {each.flags & REFUSED for each in rows.rows()} == {REFUSED}


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

    rows = Kept()
    with greeter(busy) as address:
        ledger = drive(to(address), Load(requests=60, concurrency=3), rows)
    assert (ledger.counts(), most[0]) == ({"OK": 60}, 3)
    assert all(each.due == each.sent for each in rows.rows())


def test_a_closed_loop_ends_with_its_time() -> None:
    rows = Kept()
    with greeter() as address:
        ledger = drive(to(address), Load(duration_s=0.3, concurrency=2), rows)
    assert set(ledger.counts()) == {"OK"}
    sent = [each.sent for each in rows.rows()]
    assert max(sent) - min(sent) <= 300_000_000


def test_each_call_has_a_trace_context_of_its_own_and_every_run_of_a_seed_the_same() -> None:
    def contexts(seed: int, sample: float) -> list[str]:
        found: list[str] = []

        def keep(data: bytes, context: grpc.ServicerContext) -> bytes:
            found.append(str(dict(context.invocation_metadata())["traceparent"]))
            return data

        with greeter(keep) as address:
            drive(to(address), Load(requests=40, concurrency=1, seed=seed, sample=sample), Kept())
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
        told.update((name, str(value)) for name, value in context.invocation_metadata())
        left.append(context.time_remaining())
        return data

    with greeter(keep) as address:
        request = Request(Target(*address, METHOD), b"x", ((b"x-tenant", b"a b"),), "somewhere.example.com")
        drive(request, Load(requests=1, concurrency=1, timeout_s=7.0), Kept())
    assert told["x-tenant"] == "a b"
    assert 6 < left[0] <= 7


def test_failures_are_counted_by_status_and_words() -> None:
    def refuse(data: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        raise AssertionError

    with greeter(refuse) as address:
        ledger = drive(to(address), Load(requests=5, concurrency=1), Kept())
    assert ledger.counts() == {"NOT_FOUND": 5}
    assert ledger.errors == {("NOT_FOUND", "no such thing"): 5}


def test_a_call_without_an_answer_ends_at_its_deadline() -> None:
    shut = threading.Event()

    def deaf(peer: Peer) -> None:
        for _ in peer.calls():
            pass
        shut.wait(10)

    with scripted(deaf) as address:
        ledger = drive(to(address), Load(requests=3, rate=100.0, timeout_s=0.2), Kept())
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
        ledger = drive(to(address), Load(requests=1000, rate=200.0), Kept(), stopped=stop.is_set)
    counts = ledger.counts()
    assert counts["OK"] == 5
    assert 0 < counts["LOST"] == len(ledger) - 5 < 995


def test_progress_is_told_and_ends_with_all() -> None:
    told: list[Progress] = []
    with greeter() as address:
        drive(to(address), Load(requests=50, rate=100.0), Kept(), on_progress=lambda progress, _: told.append(progress))
    assert len(told) > 2
    assert (told[-1].planned, told[-1].sent, told[-1].ok, told[-1].failed, told[-1].in_flight) == (50, 50, 50, 0, 0)


def test_where_nobody_listens_nothing_is_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    with pytest.raises(Unreachable, match="Connection refused"):
        drive(to(address), Load(requests=1, concurrency=1), Kept())


def test_more_errors_than_anybody_reads_are_counted_together() -> None:
    rows = Kept()
    ledger = Ledger(rows)
    for number in range(MOST_WORDS + 7):
        ledger.add(number, 1, 1, 0)
        ledger.end(Ended(number, "INTERNAL", f"reason {number}", None, None, 2))
    assert ledger.errors["INTERNAL", OTHER] == 7
    assert ledger.counts() == {"INTERNAL": MOST_WORDS + 7}
    assert ledger.statuses[rows.rows()[0].status] == "INTERNAL"
