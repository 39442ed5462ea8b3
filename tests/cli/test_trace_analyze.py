"""`toolkit trace analyze`: of a file, a run, a store and a Zipkin; and of whatever else it is given."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import call, start, wait_until
from tests.perf import trace_file
from tests.unit.checks.simulation import MIXED, healthy
from tests.unit.checks.test_patterns import scattered
from tests.unit.measure.many import Lasting, trace
from tests.unit.report.sample import REPORT
from toolkit import runs, spanfile
from toolkit.cli import main
from toolkit.contract import CALLER
from toolkit.engines import zipkin_client
from toolkit.traces.model import Span

SLOW = 30_000
MANY = [
    span
    for number in range(1, 201)
    for span in trace(
        number,
        Lasting(1000, 2000, SLOW if number > 190 else 3000, 4000),
    )
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    spanfile.write(tmp_path / "spans.json", MANY)
    return tmp_path / "spans.json"


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_file_is_told_from_its_fastest_traces_to_its_slowest(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["trace", "analyze", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{file}: 200 traces, 800 spans\n")
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "traces 200 100 80 18 2" in rows
    assert "a → b (event) network 4.35 38% 3.00 30% 3.00 30% 15.0 68% 30.0 81%" in rows
    assert "whole 11.3 100% 10.0 100% 10.0 100% 22.0 100% 37.0 100%" in rows
    assert (
        "traces from p90 to p99 take 12.0 ms longer than the faster half, most of all a → b (event): network +12.0 ms"
        in rows
    )
    assert "a ~event~▶ b 200 4.35 3.00 — network 100%" in rows
    assert f"slowest 37.0 ms toolkit trace show {200:016x} --file {file}" in rows
    assert main(["trace", "show", f"{200:016x}", "--file", str(file)]) == 0
    assert capsys.readouterr().out.startswith(f"trace {200:016x} · 4 spans")


def test_failed_traces_are_told_apart_unless_they_are_pooled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    spanfile.write(tmp_path / "mixed.json", [each for n in range(1, 31) for each in trace(n, failed=n > 27)])
    subject = str(tmp_path / "mixed.json")
    assert main(["trace", "analyze", subject]) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{subject}: 27 traces, 108 spans"
    assert second.startswith("beside them 3 failed")
    assert any(line.split()[:2] == ["failed", "3"] for line in rest)
    for pooling in (["--include", "cold,failed"], ["--all"]):
        assert main(["trace", "analyze", subject, *pooling]) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[:2] == [f"{subject}: 30 traces, 120 spans", "among them 3 failed"]
        assert not any(line.startswith("failed") for line in told)
    spanfile.write(tmp_path / "failed.json", trace(1, failed=True))
    assert main(["trace", "analyze", str(tmp_path / "failed.json")]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "there are no others: 1 failed"
    assert main(["trace", "analyze", subject, "--include", "warm"]) == 2
    assert "'warm' is neither 'cold' nor 'failed'" in capsys.readouterr().err


def test_as_json_it_tells_what_was_sent_several_times_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spanfile.write(tmp_path / "scatter.json", scattered(16, 16, 16).spans)
    assert main(["trace", "analyze", str(tmp_path / "scatter.json"), "-o", "json"]) == 0
    (fan,) = told(capsys)["analysis"]["fans"]
    extents = ("branches", "at_once", "share", "wall_us", "slowest_us", "stretch")
    assert set(fan) == {"source", "to", "via", "n", "trace", *extents}
    assert all(set(fan[each]) == {"least", "median", "most"} for each in extents)
    assert (fan["source"], fan["to"], fan["via"], fan["n"]) == ("a", "b", "call", 1)
    assert (fan["branches"], fan["at_once"]["most"]) == ({"least": 16, "median": 16.0, "most": 16}, 16)
    assert main(["trace", "analyze", str(tmp_path / "scatter.json")]) == 0
    assert "several at once, median" in capsys.readouterr().out


def test_as_json_it_is_the_analysis_and_what_it_is_of(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "analyze", str(file), "-o", "json"]) == 0
    found = told(capsys)
    assert list(found) == ["schema", "subject", "source", "partial", "notes", "analysis", "against"]
    assert (found["schema"], found["source"], found["partial"], found["against"]) == (1, "file", None, None)
    assert (found["analysis"]["traces"], found["analysis"]["failed"]) == (200, 0)
    assert found["analysis"]["durations_us"]["max"] == 37_000
    assert [band["n"] for band in found["analysis"]["bands"]] == [200, 100, 80, 18, 2]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    run = healthy(MIXED, 30)
    edges = tuple((edge.source, edge.to, edge.via) for edge in MIXED.edges)
    runs.save(tmp_path / "runs", replace(REPORT, edges=edges, entry=MIXED.entry), run.calls, run.evidence)
    return tmp_path


def test_a_run_is_held_against_its_own_chain_and_says_what_to_type_next(
    stored: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stored)
    assert main(["trace", "analyze"]) == 0
    out = capsys.readouterr().out
    assert "30 of 30 traces show every edge of the chain" in out
    command = next(line for line in out.splitlines() if line.startswith("slowest")).partition(" ms  ")[2]
    assert command.startswith("toolkit trace show ")
    assert main(command.split()[1:]) == 0
    assert capsys.readouterr().out.startswith("trace ")


def test_two_sides_are_told_by_their_largest_difference(
    file: Path, stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(stored / "runs")
    assert main(["trace", "analyze", str(file), "--against", REPORT.run, "--out", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"A: {REPORT.run}: 30 traces"
    assert lines[1] == f"B: {file}: 200 traces"
    head = next(at for at, line in enumerate(lines) if line.startswith("critical path"))
    assert lines[head + 1].split() == ["a", "→", "b", "(event)", "network", "—", "4.35", "+4.35"]
    assert main(["trace", "analyze", str(file), "--against", REPORT.run, "--out", out, "-o", "json"]) == 0
    against = told(capsys)["against"]
    assert against["subject"] == REPORT.run
    assert against["segments"][0] == {"label": "a → b (event)", "what": "network", "one_us": None, "other_us": 4350.0}


def test_sides_that_are_not_alike_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spanfile.write(tmp_path / "one.json", trace(1))
    spanfile.write(tmp_path / "fewer.json", trace(1)[:2])
    spanfile.write(tmp_path / "failed.json", trace(1, failed=True))
    one, fewer, failed = (str(tmp_path / name) for name in ("one.json", "fewer.json", "failed.json"))
    assert main(["trace", "analyze", one, "--against", fewer]) == 0
    assert f"warning: only {one} has a ~event~▶ b: not the same chain" in capsys.readouterr().err
    assert main(["trace", "analyze", one, "--against", failed]) == 0
    assert "warning: the traces are not alike" in capsys.readouterr().err
    assert main(["trace", "analyze", one, "--against", one]) == 0
    assert "warning" not in capsys.readouterr().err


def test_a_chain_can_be_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "analyze", str(file), "--chain", "chained-serving", "-o", "json"]) == 0
    found = told(capsys)["analysis"]["completeness"]
    assert (found["traces"], found["complete"]) == (200, 0)
    assert {"source": CALLER, "to": "producer", "via": "call", "traces": 200} in found["missing"]
    assert {"source": "a", "to": "b", "via": "event", "traces": 200} in found["unknown"]


def test_with_a_limit_it_says_that_there_is_more(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "analyze", str(file), "--limit", "50", "-o", "json"]) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["analysis"]["traces"] == 50
    assert "there are more traces than the 50 of --limit" in found.err
    assert main(["trace", "analyze", str(file), "--limit", "200"]) == 0
    assert "--limit" not in capsys.readouterr().err


def test_a_file_that_is_cut_off_is_told_as_far_as_it_goes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(file.read_bytes()[:-400])
    assert main(["trace", "analyze", str(file), "-o", "json"]) == 2
    found = capsys.readouterr()
    document = json.loads(found.out)
    assert document["analysis"]["traces"] == 199
    assert "cut off" in document["partial"]
    assert "PARTIAL: " in found.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nothing-here"], "no run 'nothing-here' here"),
        (["empty.json"], "empty.json holds no trace"),
        (["none.json"], "none.json holds no trace"),
        (["garbage.json"], "garbage.json: not JSON"),
        (["binary.json"], "binary.json: not UTF-8"),
        (["spans.json", "--zipkin", "http://127.0.0.1:1"], "exclude each other"),
        (["--store", "no.db"], "no.db is not there"),
        (["spans.json", "--service", "a"], "--service says nothing without --zipkin"),
        (["spans.json", "--chain", "no-such-chain"], "no-such-chain"),
        (["spans.json", "--against", "nobody"], "no run 'nobody'"),
        (["--limit", "0"], "--limit"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_bad_input_is_one_clear_error(
    file: Path, words: list[str], reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    for name, data in {
        "empty": b"",
        "none": b"[]",
        "garbage": b"<html>",
        "binary": random.Random(1).randbytes(99),
    }.items():
        Path(f"{name}.json").write_bytes(data)
    assert main(["trace", "analyze", *words]) == 2
    found = capsys.readouterr()
    assert reason in found.err
    assert found.out == ""


def test_traces_of_no_use_are_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spanfile.write(tmp_path / "spans.json", trace(1)[1:])
    assert main(["trace", "analyze", str(tmp_path / "spans.json")]) == 0
    assert "0 traces, 0 spans\n1 trace more without a root that tells its time" in capsys.readouterr().out


def test_hostile_names_are_shown_and_not_obeyed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spanfile.write(tmp_path / "s.json", [replace(each, service=f"\x1b[31m{each.service}\u202e") for each in trace(1)])
    assert main(["trace", "analyze", str(tmp_path / "s.json")]) == 0
    out = capsys.readouterr().out
    assert not {"\x1b", "\u202e"} & set(out)


def test_nobody_there_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "analyze", "--zipkin", "http://127.0.0.1:1"]) == 3
    assert "cannot be reached" in capsys.readouterr().err


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[str, Path, subprocess.Popen[str]]]:
    """A store with 450 traces, its file and its process."""
    path = tmp_path / "store.db"
    process = start(tmp_path, "trace", "serve", "--listen", "127.0.0.1:0", "--store", str(path))
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1].removesuffix("/api/v2/spans")
        asyncio.run(zipkin_client.send(url, recent(450)))
        yield url, path, process
    finally:
        ended(process)


def recent(traces: int) -> list[Span]:
    """Traces of the last seconds: a store is asked by time."""
    import time

    late = time.time_ns() // 1000 - 10_000_000
    return [
        replace(span, timestamp=(span.timestamp or 0) - (each[0].timestamp or 0) + late + 1500 * (number % 150))
        for number in range(1, traces + 1)
        for each in (trace(number),)
        for span in each
    ]


def ended(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def test_more_traces_than_one_answer_holds_come_out_of_a_store(
    store: tuple[str, Path, subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url, path, process = store
    assert main(["trace", "analyze", "--zipkin", url, "--lookback", "1h", "-o", "json"]) == 0
    assert told(capsys)["analysis"]["traces"] == 450
    assert main(["trace", "analyze", "--zipkin", url, "--service", "nobody"]) == 2
    assert "holds no trace" in capsys.readouterr().err
    ended(process)
    assert main(["trace", "analyze", "--store", str(path), "-o", "json"]) == 0
    assert told(capsys)["analysis"]["traces"] == 450


def test_an_interrupted_analysis_tells_what_it_has(tmp_path: Path) -> None:
    pipe = tmp_path / "spans.json"
    spanfile.write(pipe, [span for number in range(1, 60_001) for span in trace(number)])
    process = start(tmp_path, "trace", "analyze", str(pipe), "-o", "json")
    wait_for_reading(process, pipe)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "PARTIAL: " in err
    assert "interrupted after" in json.loads(out)["partial"]


def wait_for_reading(process: subprocess.Popen[str], path: Path) -> None:
    """Returns once the program has the file open."""

    def opened() -> bool:
        assert process.poll() is None
        names = Path(f"/proc/{process.pid}/fd").iterdir()
        return any(os.path.realpath(name) == str(path) for name in names)

    wait_until(opened, "the file is read")


def test_the_example_of_the_docs_is_what_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).parents[2] / "docs" / "where.md"
    shown = page.read_text(encoding="utf-8").partition("```console\n$ toolkit trace analyze spans.json\n")[2]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "118")
    trace_file.write(Path("spans.json"), 2000)
    assert main(["trace", "analyze", "spans.json"]) == 0
    assert capsys.readouterr().out == shown.partition("```")[0]


def test_help_says_what_it_takes(tmp_path: Path) -> None:
    found = call(tmp_path, "trace", "analyze", "--help")
    assert found.returncode == 0
    assert "--against RUN|FILE" in found.stdout
