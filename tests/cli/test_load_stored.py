"""What `toolkit load` leaves behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.cli.program import TOOLKIT, all_gone, call, descendants, environment, start
from tests.unit.load.far_side import Address, Peer, greeter, scripted
from toolkit import loads, rows
from toolkit.columns import DTYPE, LOST, WARMUP
from toolkit.load import sending

METHOD = "helloworld.Greeter/SayHello"
counted = threading.Semaphore(0)


def counting(data: bytes, context: grpc.ServicerContext) -> bytes:
    counted.release()
    return data


def calls_come(number: int) -> None:
    """Waits until so many more have come."""
    for _ in range(number):
        assert counted.acquire(timeout=30)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """What came in earlier tests does not count."""
    while counted.acquire(blocking=False):
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with greeter(counting) as (host, port):
        yield f"h2c://{host}:{port}/{METHOD}"


def stored(folder: Path) -> tuple[dict[str, Any], Any]:
    """The one run in `runs`: its report, and its rows. Nothing else is left."""
    (run,) = (folder / "runs").iterdir()
    assert {"calls.npy", "report.json"} <= {each.name for each in run.iterdir()}
    report = json.loads((run / "report.json").read_text())
    assert report["run"]["id"] == run.name
    return report, rows.read(run / "calls.npy")


def test_a_load_is_stored_with_its_conditions_and_a_row_a_call(server: str, tmp_path: Path) -> None:
    words = ("--rate", "400", "--requests", "120", "--warmup", "20", "--header", "authorization=Bearer secret")
    done = call(tmp_path, "load", "--target", server, *words, "-o", "json")
    assert done.returncode in (0, 6), done.stderr  # the machine may be busy
    report, kept = stored(tmp_path)
    assert json.loads(done.stdout) == report
    assert (kept.dtype, len(kept)) == (np.dtype(DTYPE), 120)
    assert kept["seq"].tolist() == list(range(120))
    assert np.count_nonzero(kept["flags"] & WARMUP) == 20
    assert (report["load"]["sent"], report["load"]["warmup"], report["latency_us"]["n"]) == (100, 20, 100)
    assert report["load"]["asked"]["seed"] == 1
    assert report["load"]["generators"][0]["cpu"] > 0
    assert report["run"]["environment"]["cpus"] >= 1
    assert report["run"]["command"][:3] == ["load", "--target", server]
    assert "secret" not in json.dumps(report)
    began, started = (datetime.fromisoformat(report["run"][key]) for key in ("load_started", "started"))
    assert began > started, "generators get ready in between"
    due_s = (time.time_ns() - time.monotonic_ns() + int(kept["due_ns"].min())) / 1e9
    assert began.timestamp() == pytest.approx(due_s, abs=0.1), "the wall clock is not moved meanwhile"
    assert loads.load(tmp_path / "runs" / report["run"]["id"]).load_started == report["run"]["load_started"]


def test_a_stored_report_is_read_as_it_was_written(server: str, tmp_path: Path) -> None:
    call(tmp_path, "load", "--target", server, "--concurrency", "2", "--requests", "50")
    (run,) = (tmp_path / "runs").iterdir()
    found = loads.load(run)
    assert (found.run, found.load.concurrency, found.numbers.ok, found.statuses) == (run.name, 2, 50, ("OK",))
    assert loads.is_one(json.loads((run / "report.json").read_text()))


def test_several_processes_send_one_schedule(server: str, tmp_path: Path) -> None:
    done = call(tmp_path, "load", "--target", server, "--rate", "300", "--requests", "150", "--generators", "3")
    assert "150 sent · 150 ok · 0 failed · 0 lost" in done.stdout
    assert "3 processes" in done.stdout
    report, kept = stored(tmp_path)
    assert kept["seq"].tolist() == list(range(150))
    assert set(np.diff(kept["due_ns"]).tolist()) <= {3_333_333, 3_333_334}
    assert [each["sent"] for each in report["load"]["generators"]] == [50, 50, 50]
    assert all_gone(tmp_path) == {}


def test_the_workers_of_a_closed_loop_are_divided(server: str, tmp_path: Path) -> None:
    done = call(tmp_path, "load", "--target", server, "--concurrency", "4", "--requests", "101", "--generators", "2")
    assert "101 sent · 101 ok" in done.stdout
    assert stored(tmp_path)[1]["seq"].tolist() == list(range(101))


def test_a_generator_that_is_killed_is_told_and_its_calls_are_counted(server: str, tmp_path: Path) -> None:
    words = ("--rate", "200", "--duration", "10s", "--generators", "2", "-o", "json")
    with start(tmp_path, "load", "--target", server, *words) as process:
        calls_come(200)
        victim = next(pid for pid, command in descendants(tmp_path).items() if sending.__name__ in command)
        os.kill(victim, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    report = json.loads(out)
    load = report["load"]
    assert process.returncode in (4, 6), err
    assert load["valid"] is False
    assert "it was killed by signal 9" in load["invalid"][0]
    assert load["sent"] + load["refused"] == 2000, "each call that was due is in one count"
    assert load["refused"] > 0
    assert len(stored(tmp_path)[1]) == load["ok"] + load["failed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_interrupted_is_stored_as_partial(server: str, tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path, "load", "--target", server, "--rate", "100", "--duration", "60s") as process:
        calls_come(20)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "PARTIAL" in out
    report, kept = stored(tmp_path)
    assert report["partial"] is True
    assert len(kept) == report["load"]["sent"] < 6000
    assert all_gone(tmp_path) == {}


def test_who_does_not_answer_in_time_is_lost(tmp_path: Path) -> None:
    over = threading.Event()

    def deaf(peer: Peer) -> None:
        for _ in peer.calls():
            pass
        over.wait(30)

    with scripted(deaf) as address:
        words = ("--rate", "100", "--requests", "20", "--drain", "200ms", "-o", "json")
        done = call(tmp_path, "load", "--target", _target(address), *words)
        over.set()
    assert done.returncode == 4, done.stderr
    report, kept = stored(tmp_path)
    assert (report["load"]["lost"], report["statuses"], report["latency_us"]) == (20, {"LOST": 20}, None)
    assert set(kept["status"].tolist()) == {LOST}


def _target(address: Address) -> str:
    return f"h2c://{address[0]}:{address[1]}/{METHOD}"


def test_statuses_of_several_generators_point_into_one_table(tmp_path: Path) -> None:
    answers: Counter[str] = Counter()

    def moody(data: bytes, context: grpc.ServicerContext) -> bytes:
        answers["all"] += 1
        if answers["all"] % 3 == 0:
            context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")
        if answers["all"] % 3 == 1:
            context.abort(grpc.StatusCode.ABORTED, "not now")
        return data

    with greeter(moody) as address:
        words = ("--concurrency", "2", "--requests", "90", "--generators", "2")
        call(tmp_path, "load", "--target", _target(address), *words)
    report, kept = stored(tmp_path)
    names = [report["tables"]["statuses"][code] for code in kept["status"].tolist()]
    assert Counter(names) == report["statuses"]
    assert set(names) == {"OK", "NOT_FOUND", "ABORTED"}


def test_a_full_disk_is_told_and_the_numbers_are_printed(server: str, tmp_path: Path) -> None:
    """A limit on the size of files does what a full disk does: writing fails in the middle."""
    words = ("load", "--target", server, "--rate", "1000", "--requests", "1500", "-o", "json")
    done = subprocess.run(
        ("sh", "-c", 'ulimit -f 128 && exec "$@"', "sh", *TOOLKIT, *words),  # 128 blocks of 512 bytes
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "File too large" in done.stderr
    found = json.loads(done.stdout)
    assert (found["load"]["sent"], found["load"]["ok"], found["load"]["valid"]) == (1500, 1500, False)
    assert found["latency_us"]["p99"] > 0
    assert list((tmp_path / "runs").iterdir()) == [], "whole or not at all"


def test_nothing_is_stored_when_nothing_is_wanted(server: str, tmp_path: Path) -> None:
    assert call(tmp_path, "load", "--target", server, "--requests", "5", "--no-out").returncode in (0, 6)
    assert [each.name for each in tmp_path.iterdir()] == ["tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--warmup", "200"), "nothing would be left"),
        (("--warmup", "5s", "--duration", "5s"), "nothing would be left"),
        (("--warmup", "soon"), "--warmup"),
        (("--drain", "0"), "--drain"),
        (("--generators", "65"), "--generators"),
        (("--generators", "3", "--concurrency", "2"), "some would have nothing to do"),
        (("--out", "/proc/nowhere"), "--out"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = call(tmp_path, "load", "--target", "h2c://127.0.0.1:1/a.B/C", *words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
