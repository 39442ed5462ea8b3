"""`toolkit run --cold`: what it prints and stores, what it refuses, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli import program
from tests.cli.test_interruption import telling
from toolkit.cli import main


def test_a_run_of_cold_starts_prints_and_stores_where_the_time_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "chained-serving", "--cold", "2", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "2 of 2 timed · 0 failed" in text
    assert "(emulated)" in text
    for segment in ("producer: import", "consumer: handler", "unattributed"):
        assert segment in text
    (folder,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in (folder / "cold.ndjson").read_text().splitlines()]
    assert [each["seq"] for each in lines] == [0, 1]
    assert all(each["why_not"] is None and each["end_to_end_us"] > 0 for each in lines)
    calls = [json.loads(line) for line in (folder / "calls.ndjson").read_text().splitlines()]
    assert [each["cold"] for each in calls] == [True, True]
    receipts = [json.loads(line) for line in (folder / "receipts.ndjson").read_text().splitlines()]
    assert {each["replica"] for each in receipts if each["function"] == "producer"} == {c["instance"] for c in calls}
    assert all(each["boot"]["listening_ns"] >= each["boot"]["loaded_ns"] for each in receipts)
    assert main(["report", str(folder), "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cold"]["witnesses"] == {"instance": 2, "activator": None, "pod": 2, "disagree": 0, "standing": 0}
    assert (document["cold_starts"]["n"], document["latency_us"]) == (2, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cold", "0"), "--cold"),
        (("--cold", "x"), "--cold"),
        (("--cold", "2", "--rate", "5"), "leave --rate away"),
        (("--cold", "2", "--requests", "5"), "leave --requests away"),
        (("--cold", "2", "--sample", "0.5"), "leave --sample away"),
        (("--cold", "2", "--from", "cluster", "--engine", "knative"), "leave --from away"),
        (("--cold", "2", "--cold-timeout", "soon"), "--cold-timeout"),
    ],
)
def test_what_makes_no_sense_with_cold_starts_is_refused(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["run", "chained-serving", *arguments])
    except SystemExit as left:  # argparse's own way
        status = int(left.code or 0)
    assert status == 2
    assert said in capsys.readouterr().err


def test_ctrl_c_keeps_the_cold_starts_that_are_there_and_leaves_nothing(tmp_path: Path) -> None:
    process = program.start(
        tmp_path,
        "run",
        telling("chained-serving", tmp_path),
        "--cold",
        "1000",
        "-o",
        "json",
        "--out",
        str(tmp_path / "o"),
    )

    def twice() -> bool:
        logs = (log.read_text() for log in tmp_path.glob("tmp/toolkit-*/consumer.log"))
        return any(log.count("the load is here") > 1 for log in logs)

    program.wait_until(twice, "two cold starts")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    report = json.loads(output)
    assert report["partial"] is True
    found = report["cold_starts"]
    assert (found["asked"], found["n"] >= 1, found["tried"] < 1000) == (1000, True, True)
    (folder,) = (tmp_path / "o").iterdir()
    assert len((folder / "cold.ndjson").read_text().splitlines()) == found["tried"]
    assert "Traceback" not in errors
    assert program.all_gone(tmp_path) == {}
