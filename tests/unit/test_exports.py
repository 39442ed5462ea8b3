"""A stored run in the forms that other tools read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.unit.checks.simulation import MIXED, healthy
from tests.unit.measure.columns import MS, changed_all, rows
from tests.unit.report.sample import REPORT
from toolkit import exports, runs, stored
from toolkit.columns import LOST
from toolkit.errors import UsageError
from toolkit.report import ghz
from toolkit.results import CallNumbers, ColdStarts, Load, LoadReport

RUN = healthy(MIXED, 5)
LOADED = LoadReport(
    run="load-1",
    target="h2c://127.0.0.1:1/a.B/C",
    started="2024-05-01T12:00:00.000Z",
    toolkit_version="0",
    environment={"cpus": 2},
    command=(),
    load=Load(requests=100, rate=1000.0),
    connections=1,
    drain_s=None,
    warmup=None,
    generators=(),
    numbers=CallNumbers(100, 97, 2, 1, 0, 0.1, 1000.0, None, None, None),
    statuses=("OK", "UNAVAILABLE"),
)


def of_chain(out: Path) -> exports.Source:
    folder = runs.save(out, REPORT, RUN.calls, RUN.evidence)
    return stored.of_run(REPORT, folder / runs.CALLS, folder / runs.RECEIPTS)


def of_load(out: Path) -> exports.Source:
    lost = {"status": LOST, "done_ns": 0}
    made = changed_all(rows(100, latency_ns=range(MS, 101 * MS, MS)), {3: {"status": 1}, 4: {"status": 1}, 5: lost})
    np.save(out / "calls.npy", made)
    return exports.of_load(LOADED, out / "calls.npy", lambda: (f"{at:032x}" for at in range(100)))


def text(source: exports.Source, form: str) -> str:
    return "".join(exports.pieces(source, form))


@pytest.mark.parametrize("form", exports.FORMS)
def test_every_form_can_be_made_of_both_kinds_of_runs(tmp_path: Path, form: str) -> None:
    assert text(of_chain(tmp_path), form)
    assert text(of_load(tmp_path), form)


def test_every_call_of_a_chain_is_a_line_with_its_trace(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in text(of_chain(tmp_path), "ndjson").splitlines()]
    assert [line["trace_id"] for line in lines] == [call.trace for call in RUN.calls]
    assert all(line["instance"] for line in lines)


def test_rows_are_told_in_the_order_of_the_load(tmp_path: Path) -> None:
    np.save(tmp_path / "calls.npy", rows(50)[::-1])
    source = exports.of_load(LOADED, tmp_path / "calls.npy", lambda: (f"{at:032x}" for at in range(50)))
    found = [json.loads(line) for line in text(source, "ndjson").splitlines()]
    assert [(line["seq"], int(line["trace_id"], 16)) for line in found] == [(at, at) for at in range(50)]


def test_ghz_json_has_the_names_and_units_of_ghz(tmp_path: Path) -> None:
    found = json.loads(text(of_load(tmp_path), "ghz"))
    assert list(found) == [
        "name", "endReason", "options", "date", "count", "total", "average", "fastest", "slowest", "rps",
        "errorDistribution", "statusCodeDistribution", "latencyDistribution", "histogram", "tags", "details",
    ]  # fmt: skip
    assert found["count"] == len(found["details"]) == 100
    assert found["statusCodeDistribution"] == {"OK": 97, "Unavailable": 2, "DeadlineExceeded": 1}
    assert (found["fastest"], found["slowest"]) == (MS, 100 * MS)
    assert [each["percentage"] for each in found["latencyDistribution"]] == list(ghz.PERCENTAGES)
    assert sum(each["count"] for each in found["histogram"]) == 97
    assert found["histogram"][0] == {"mark": 0.001, "count": 1, "frequency": 1 / 97}
    assert found["details"][0] == {
        "timestamp": "2024-05-01T12:00:00.000001Z", "latency": MS, "error": "", "status": "OK",
    }  # fmt: skip
    assert found["details"][3]["error"] == "rpc error: code = Unavailable"


def test_ghz_json_adds_up_what_ghz_has_one_name_for(tmp_path: Path) -> None:
    ends = {3: {"status": 1}, 4: {"status": 1}, 5: {"status": LOST, "done_ns": 0}}
    np.save(tmp_path / "calls.npy", changed_all(rows(10), ends))
    report = replace(LOADED, statuses=("OK", "DEADLINE_EXCEEDED"))
    source = exports.of_load(report, tmp_path / "calls.npy", lambda: (f"{at:032x}" for at in range(10)))
    found = json.loads(text(source, "ghz"))
    assert found["statusCodeDistribution"] == {"OK": 7, "DeadlineExceeded": 3}
    assert sum(found["statusCodeDistribution"].values()) == found["count"]


def test_the_average_of_ghz_is_of_all_calls_as_ghz_has_it(tmp_path: Path) -> None:
    found = json.loads(text(of_load(tmp_path), "ghz"))
    latencies = [each["latency"] for each in found["details"] if each["status"] != "DeadlineExceeded"]
    assert found["average"] == round(sum(latencies) / 99), (
        "failed calls are among them; one that was lost has no latency"
    )


def test_ghz_json_of_nothing_is_json(tmp_path: Path) -> None:
    np.save(tmp_path / "calls.npy", rows(0))
    found = json.loads(text(exports.of_load(LOADED, tmp_path / "calls.npy", lambda: ()), "ghz"))
    assert (found["count"], found["details"], found["latencyDistribution"]) == (0, [], [])


@pytest.mark.parametrize(
    ("status", "named"),
    [("OK", "OK"), ("CANCELLED", "Canceled"), ("DEADLINE_EXCEEDED", "DeadlineExceeded"), ("UNKNOWN", "Unknown")],
)
def test_statuses_are_named_as_gos_grpc_names_them(status: str, named: str) -> None:
    assert ghz.code(status) == named


def test_percentiles_of_no_answered_call_are_no_text() -> None:
    assert list(exports.percentiles(rows(0))) == []


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"[]", np.zeros(3).tobytes()])
def test_a_file_that_holds_no_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "calls.npy").write_bytes(content)
    with pytest.raises(UsageError, match=r"calls\.npy"):
        exports.of_load(LOADED, tmp_path / "calls.npy", lambda: ())


def test_an_array_of_something_else_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "calls.npy", np.zeros(3))
    with pytest.raises(UsageError, match="no rows of calls"):
        exports.of_load(LOADED, tmp_path / "calls.npy", lambda: ())


@pytest.mark.parametrize("line", ["", "x", "[]", "{}", '{"seq": "a"}', '{"seq": NaN}', "\x00", "[" * 9999])
def test_a_line_that_is_no_call_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "calls.ndjson").write_text(line + "\n")
    with pytest.raises(UsageError, match=r"calls\.ndjson"):
        stored.of_run(REPORT, tmp_path / "calls.ndjson", tmp_path / "none")


@pytest.mark.parametrize("make", [of_chain, of_load])
def test_exports_are_on_the_wall_clock_of_the_load_and_not_of_the_deployment(
    tmp_path: Path, make: Callable[[Path], exports.Source]
) -> None:
    source = make(tmp_path)
    told = replace(source, report=replace(source.report, load_started="2024-05-01T12:00:41.500000Z"))
    found = json.loads(text(told, "ghz"))
    first = next(source.records())
    sent = datetime(2024, 5, 1, 12, 0, 41, 500_000, UTC) + timedelta(microseconds=first["lateness_ns"] / 1e3)
    assert found["date"] == "2024-05-01T12:00:41.500000Z"
    assert datetime.fromisoformat(found["details"][0]["timestamp"]) == sent
    assert "#[StartTime: 1714564841.500" in text(told, "hlog")
    assert json.loads(text(source, "ghz"))["date"] == "2024-05-01T12:00:00.000000Z", (
        "reports from before have only this"
    )


def test_a_call_that_is_told_first_and_was_due_later_is_later(tmp_path: Path) -> None:
    np.save(tmp_path / "calls.npy", changed_all(rows(2, every_ns=MS), {0: {"seq": 1}, 1: {"seq": 0}}))
    source = exports.of_load(LOADED, tmp_path / "calls.npy", lambda: (f"{at:032x}" for at in range(2)))
    later, earlier = (each["timestamp"] for each in json.loads(text(source, "ghz"))["details"])
    assert later > earlier >= LOADED.started[:-1]


def test_a_report_without_a_time_cannot_say_when_a_call_was(tmp_path: Path) -> None:
    source = of_chain(tmp_path)
    with pytest.raises(UsageError, match="no time"):
        text(replace(source, report=replace(REPORT, started="yesterday")), "hlog")


@pytest.mark.parametrize(("forced", "trials"), [(True, [0, 1, 2, 3, 4]), (False, [None] * 5)])
def test_a_call_of_forced_cold_starts_says_which_repetition_it_is(
    forced: bool, trials: list[int | None], tmp_path: Path
) -> None:
    starts = ColdStarts(5, 5, 5, "somehow", None) if forced else None
    report = replace(REPORT, measurement=replace(REPORT.measurement, cold_starts=starts))
    folder = runs.save(tmp_path, report, RUN.calls, RUN.evidence)
    source = stored.of_run(report, folder / runs.CALLS, folder / runs.RECEIPTS)
    assert [json.loads(line)["trial"] for line in text(source, "ndjson").splitlines()] == trials
