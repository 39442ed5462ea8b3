"""What other programs say of themselves, read as they wrote it; figures are for reading, not for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.perf import load_perf, programs
from tests.perf.__main__ import main
from tests.perf.load_perf import Client, Told, Turn

H2LOAD = """
starting benchmark...
finished in 2.00s, 71541.50 req/s, 3.41MB/s
requests: 143083 total, 143147 started, 143083 done, 143083 succeeded, 2 failed, 0 errored, 0 timeout
status codes: 143083 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 6.82MB (7154196) total, 1.09MB (1144664) headers (space savings 96.76%), 2.46MB (2575494) data
"""
GHZ = {"count": 1010, "total": 2_000_000_000, "statusCodeDistribution": {"OK": 1000, "Canceled": 6, "Internal": 4}}


def test_what_h2load_prints_is_understood() -> None:
    assert load_perf._of_h2load(H2LOAD) == Told(143083, 2, 2.0)


def test_calls_that_ghz_cut_off_at_the_end_have_not_failed() -> None:
    assert load_perf._of_ghz(json.dumps(GHZ)) == Told(1000, 4, 2.0)


def test_a_table_says_how_many_times_faster_ours_is_turn_by_turn_and_who_else_was_there() -> None:
    clients = [Client("ours", (), load_perf._of_plain), Client("ghz", (), load_perf._of_plain, 1.25)]
    found = {
        "ours": [Turn(200, 0, 1.0, 0.5, 0.9, 0.0), Turn(100, 0, 1.0, 0.5, 0.9, 0.5)],
        "ghz": [Turn(100, 1, 1.0, 1.0, 0.5, 0.0), Turn(50, 0, 1.0, 1.0, 0.5, 0.0)],
    }
    told = load_perf._table(clients, found, 2, 1, [0, 1]).splitlines()
    assert told[-2].split() == ["ghz", "75", "50..100", "15000.0", "50%", "1", "2.00", "x", "1.25", "x"]
    assert "50% in the worst: not a fair measurement" in told[-1]


def test_a_client_that_fails_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(client: Client, core: int, server: int) -> Turn:
        if client.name == "ghz":
            raise RuntimeError("ghz left with 1")
        return Turn(1, 0, 1.0, 1.0, 1.0, 0.0)

    monkeypatch.setattr(load_perf, "_turn", take)
    missing: dict[str, str] = {}
    clients = [Client(name, (), load_perf._of_plain) for name in ("ours", "ghz")]
    found = load_perf._take_turns(clients, 3, 0, 0, missing)
    assert {name: len(turns) for name, turns in found.items()} == {"ours": 3, "ghz": 0}
    assert missing == {"ghz": "ghz left with 1"}


def test_without_go_the_programs_are_missing_and_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(programs.Missing, match="Go is not installed"):
        programs.built(programs.SERVER)


def test_a_program_that_is_there_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho built > "$2"\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    place = programs.built(programs.SERVER)
    assert place.read_text() == "built\n"
    place.write_text("kept")
    assert programs.built(programs.SERVER).read_text() == "kept"


def test_a_section_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lode"]) == 2
    assert "no section lode; there are sdk, broker, render, load" in capsys.readouterr().err


def test_grpc_aio_tells_what_it_did() -> None:
    """Against a server of ours: the program runs, and speaks the form that is read."""
    from tests.unit.load.far_side import greeter

    with greeter() as (_, port):
        command = [sys.executable, "-m", "tests.perf.aio_load", str(port), "2", "4", "1", "100"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    told = load_perf._of_plain(done.stdout)
    assert told.ok > 0
    assert told.failed == 0
