"""`toolkit report`: a stored run again, in every form."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli import program
from tests.unit.checks.simulation import MIXED, healthy
from tests.unit.report.sample import REPORT
from tests.unit.test_exports import of_load
from toolkit import runs
from toolkit.cli.report_command import MADE
from toolkit.report import load as load_json
from toolkit.results import Report

RUN = healthy(MIXED, 30)
ID = REPORT.run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `runs/` has a chain's run and a load."""
    runs.save(tmp_path / "runs", REPORT, RUN.calls, RUN.evidence)
    loaded = tmp_path / "runs" / "load-1"
    loaded.mkdir()
    report = of_load(loaded).report
    assert not isinstance(report, Report)
    (loaded / "report.json").write_text(json.dumps(load_json.to_json(report)))
    return tmp_path


@pytest.mark.parametrize("run", [ID, "load-1"])
def test_every_form_can_be_written_to_a_file_or_a_pipe(folder: Path, run: str) -> None:
    for form in ("csv", "html"):
        kept = program.call(folder, "report", run, "-o", form, "--to", "kept")
        piped = program.call(folder, "report", run, "-o", form)
        assert (kept.returncode, piped.returncode, kept.stdout) == (0, 0, "")
        assert (folder / "kept").read_text() == piped.stdout


def test_csv_has_a_line_a_call(folder: Path) -> None:
    done = program.call(folder, "report", ID, "-o", "csv", "--to", "calls.csv")
    assert done.returncode == 0
    with (folder / "calls.csv").open(newline="") as file:
        assert [row["trace_id"] for row in csv.DictReader(file)] == [call.trace for call in RUN.calls]


def test_a_load_is_told_again_as_it_was(folder: Path) -> None:
    done = program.call(folder, "report", "load-1", "-o", "json")
    assert json.loads(done.stdout)["kind"] == "load"
    assert done.returncode == 4
    assert program.call(folder, "report", "load-1").stdout.startswith("h2c://127.0.0.1:1/a.B/C")


def test_the_page_has_another_run_beside(folder: Path) -> None:
    done = program.call(folder, "report", ID, "--with", "load-1", "-o", "html")
    assert "Beside another run" in done.stdout
    assert "latency of load-1" in done.stdout


def test_the_page_holds_the_runs_traces(folder: Path) -> None:
    done = program.call(folder, "report", ID, "-o", "html")
    assert done.returncode == 0
    assert 'id="traces-data"' in done.stdout
    assert 'id="traces-data"' in (folder / "runs" / ID / "report.html").read_text()
    assert 'id="traces-data"' not in program.call(folder, "report", "load-1", "-o", "html").stdout


def test_spans_that_cannot_be_read_cost_the_page_its_traces_and_nothing_else(folder: Path) -> None:
    (folder / "runs" / ID / "spans.json").write_text('[{"traceId":')
    done = program.call(folder, "report", ID, "-o", "html")
    assert done.returncode == 0
    assert "the page says nothing of traces" in done.stderr
    assert "traces-data" not in done.stdout
    assert "Latency" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere", "-o", "html"), "no run 'nowhere'"),
        ((ID, "--with", "load-1"), "--with draws another run on the page"),
        ((ID, "--with", "nowhere", "-o", "html"), "no run 'nowhere'"),
        ((ID, "-o", "csv", "--to", "."), "--to .: Is a directory"),
        ((ID, "-o", "csv", "--to", "no/such/folder"), "--to no/such/folder: No such file or directory"),
        ((ID, "-o", "xml"), "invalid choice"),
    ],
)
def test_what_cannot_be_is_told_without_a_traceback(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    done = program.call(folder, "report", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_whose_calls_are_gone_is_told(folder: Path) -> None:
    (folder / "runs" / ID / "calls.ndjson").unlink()
    done = program.call(folder, "report", ID, "-o", "ndjson")
    assert done.returncode == 2
    assert "calls.ndjson: cannot be read" in done.stderr


def test_a_form_in_the_environment_is_for_those_who_know_it(folder: Path) -> None:
    done = program.call(folder, "list", TOOLKIT_OUTPUT="csv")
    assert done.returncode == 0


def test_there_is_a_form_for_each_that_is_promised() -> None:
    assert MADE == ("html", "ndjson", "csv", "hlog", "hgrm", "ghz")
