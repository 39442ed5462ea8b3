"""Whole loads over HTTP/1.1, as `toolkit load` sends them, against servers that misbehave: each call is one row."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import IO

import pytest

from tests.unit.load.http1.far_side import EMPTY, Address, Peer, Script, echoing, scripted
from tests.unit.load.kept import Kept
from toolkit.load.direct import Manner, drive
from toolkit.load.http1.request import HttpRequest
from toolkit.load.target import Url
from toolkit.results import Load


def to(address: Address, method: str = "POST", body: bytes = b"hello") -> HttpRequest:
    return HttpRequest(Url(*address, "/"), method, body)


def test_every_call_of_an_open_loop_is_due_where_the_schedule_says_and_answered() -> None:
    rows = Kept()
    with echoing() as (address, asked):
        ledger = drive(to(address), Load(requests=200, rate=400.0), rows)
    kept = rows.rows()
    assert ledger.counts() == {"OK": 200}
    assert [each.seq for each in kept] == list(range(200))
    assert {after.due - before.due for before, after in itertools.pairwise(kept)} == {2_500_000}
    assert all(each.due <= each.sent <= each.first <= each.done for each in kept)
    assert {(each.size, each.reply_size, each.messages) for each in kept} == {(5, 5, 0)}
    assert len({headers["traceparent"] for _, _, headers, _ in asked}) == 200


def test_an_open_loop_has_as_many_connections_as_calls_are_open() -> None:
    together = threading.Barrier(20)

    def wait_for_all(peer: Peer) -> None:
        for _ in peer.requests():
            together.wait(10)
            peer.send(EMPTY)

    with scripted(wait_for_all) as address:
        ledger = drive(to(address), Load(requests=20, rate=1000.0), Kept())
    assert ledger.counts() == {"OK": 20}


def test_calls_beyond_the_limit_wait_and_their_wait_is_latency() -> None:
    def slow(peer: Peer) -> None:
        pause = threading.Event()
        for _ in peer.requests():
            pause.wait(0.02)
            peer.send(EMPTY)

    rows = Kept()
    with scripted(slow) as address:
        drive(to(address), Load(requests=10, rate=10_000.0), rows, manner=Manner(connections=1))
    latencies = [each.done - each.due for each in rows.rows()]
    assert latencies == sorted(latencies)
    assert latencies[-1] >= 10 * 20_000_000


def misbehaving(seed: int) -> Script:
    """Answers, dawdles, dies, resets, half-closes, babbles and says too much, as the seed has it."""
    draw = random.Random(seed)

    def serve(peer: Peer) -> None:
        for _ in peer.requests():
            chance = draw.random()
            if chance < 0.6:
                peer.send(EMPTY)
            elif chance < 0.7:
                peer.send(b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n")
            elif chance < 0.75:
                peer.send(EMPTY + EMPTY)
            elif chance < 0.8:
                peer.send(bytes(draw.randrange(256) for _ in range(50)))
                return
            elif chance < 0.85:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                return
            elif chance < 0.9:
                return
            else:
                peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")
                return

    return serve


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("load", [Load(requests=500, rate=1000.0), Load(requests=500, concurrency=10)])
def test_whatever_a_server_does_each_call_is_one_row(load: Load, method: str) -> None:
    rows = Kept()
    with scripted(*(misbehaving(seed) for seed in range(300))) as address:
        ledger = drive(to(address, method), load, rows)
    counts: Counter[str] = Counter(ledger.counts())
    assert [each.seq for each in rows.rows()] == list(range(500))
    assert counts.total() == 500
    assert counts["OK"] > 200
    assert set(counts) == {"OK", "HTTP 503", "INTERNAL", "UNAVAILABLE"}


def test_a_server_that_is_killed_in_the_middle_of_a_load_fails_what_follows_at_once(tmp_path: Path) -> None:
    words = (sys.executable, "-u", "-m", "http.server", "0", "--protocol", "HTTP/1.1", "--bind", "127.0.0.1")
    rows = Kept()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        port = int(server.stdout.readline().split()[5])

        def kill_after_a_hundred(log: IO[str] = server.stderr) -> None:
            for _ in itertools.islice(log, 100):
                pass
            server.kill()

        killing = threading.Thread(target=kill_after_a_hundred)
        killing.start()
        ledger = drive(to(("127.0.0.1", port), "GET", b""), Load(requests=500, rate=500.0), rows)
        killing.join()
    counts = ledger.counts()
    assert [each.seq for each in rows.rows()] == list(range(500))
    assert counts["OK"] >= 50
    assert counts["OK"] + counts["UNAVAILABLE"] == 500
    assert ledger.errors["UNAVAILABLE", "Connection refused"] > 0
