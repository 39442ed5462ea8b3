"""Runs on disk: whole or not at all, never overwritten, and read back as they were."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.checks.simulation import MIXED, healthy
from tests.unit.report.sample import REPORT
from toolkit import runs
from toolkit.contract import Receipt
from toolkit.errors import UsageError
from toolkit.results import CallRecord, Evidence
from toolkit.traces import zipkin

RUN = healthy(MIXED, 2)


def saved(out: Path) -> Path:
    return runs.save(out, REPORT, RUN.calls, RUN.evidence)


def test_a_run_is_a_folder_of_six_files(tmp_path: Path) -> None:
    folder = saved(tmp_path / "new" / "runs")
    assert folder == tmp_path / "new" / "runs" / REPORT.run
    assert sorted(each.name for each in folder.iterdir()) == [
        "calls.ndjson",
        "latency.hgrm",
        "receipts.ndjson",
        "report.html",
        "report.json",
        "spans.json",
    ]


def test_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    saved(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [REPORT.run]


def test_the_report_comes_back_as_it_was(tmp_path: Path) -> None:
    saved(tmp_path)
    assert runs.load(REPORT.run, tmp_path) == REPORT


def test_each_call_is_a_line(tmp_path: Path) -> None:
    lines = (saved(tmp_path) / "calls.ndjson").read_text().splitlines()
    assert [CallRecord(**json.loads(line)) for line in lines] == RUN.calls


def test_each_receipt_is_a_line_with_the_moment_it_came(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (saved(tmp_path) / "receipts.ndjson").read_text().splitlines()]
    assert [line.pop("at_ns") for line in lines] == [each.at_ns for each in RUN.evidence.receipts]
    assert [Receipt.decode(json.dumps(line).encode()) for line in lines] == RUN.receipts


def test_spans_are_what_zipkin_takes(tmp_path: Path) -> None:
    assert zipkin.decode((saved(tmp_path) / "spans.json").read_bytes()) == RUN.spans


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    saved(tmp_path)
    with pytest.raises(UsageError, match="cannot be stored"):
        runs.save(tmp_path, replace(REPORT, chain="another"), (), Evidence())
    assert runs.load(REPORT.run, tmp_path) == REPORT
    assert [each.name for each in tmp_path.iterdir()] == [REPORT.run]


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    spoiled = replace(RUN.calls[0], seq=float("nan"))  # type: ignore[arg-type]  # JSON cannot say it
    with pytest.raises(ValueError, match="JSON compliant"):
        runs.save(tmp_path, REPORT, [spoiled], Evidence())
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be stored") as refused:
        saved(tmp_path / "file")
    assert "--out" in str(refused.value.next_step)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc"])
def test_a_run_cannot_escape_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        runs.save(tmp_path / "runs", replace(REPORT, run=name), (), Evidence())
    assert not (tmp_path / "report.json").exists()


def test_others_may_read_a_run(tmp_path: Path) -> None:
    assert saved(tmp_path).stat().st_mode & stat.S_IRUSR


def test_a_run_is_found_by_its_folder_its_file_or_its_id(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    for name in (str(folder), str(folder / "report.json"), REPORT.run):
        assert runs.find(name, tmp_path) == folder


def test_an_unknown_run_gets_the_near_miss(tmp_path: Path) -> None:
    saved(tmp_path)
    with pytest.raises(UsageError) as refused:
        runs.load("pair-20240501-120000-abc124", tmp_path)
    assert refused.value.next_step == f"did you mean {REPORT.run}?"


def test_without_runs_the_message_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        runs.load("latest", tmp_path / "none")
    assert f"{tmp_path / 'none'} holds none" in str(refused.value)
    assert refused.value.next_step is not None
    assert "toolkit run chained-serving" in refused.value.next_step


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"nothing", b"1" * 5000])
def test_a_file_that_is_no_json_is_refused_in_words(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "report.json").write_bytes(data)
    with pytest.raises(UsageError, match=r"report\.json: not (JSON|a report)"):
        runs.load(str(tmp_path), tmp_path)


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "report.json").open("wb") as file:
        file.truncate(runs.LARGEST + 1)
    with pytest.raises(UsageError, match="larger than any report"):
        runs.load(str(tmp_path), tmp_path)


def test_a_name_with_a_nul_byte_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run"):
        runs.load("a\x00b", tmp_path)
