"""Ctrl-C at any moment leaves a partial report and nothing else; a killed toolkit leaves nothing at all."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.cli import program

LONG = ("--requests", "100000", "--rate", "200", "-o", "json")


@pytest.mark.parametrize("moment", ["sentinel", "toolkit.sdk", "load"])
@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing"])
def test_ctrl_c_gives_a_partial_report_and_leaves_nothing(tmp_path: Path, chain: str, moment: str) -> None:
    process = program.start(tmp_path, "run", chain, *LONG)
    program.wait_for(tmp_path, "sentinel" if moment == "load" else moment)
    if moment == "load":
        time.sleep(2.5)  # any moment will do; this one is well inside the load, which lasts for minutes
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    report = json.loads(output)
    assert report["partial"] is True
    assert (report["load"]["ok"] > 0) == (moment == "load")
    assert "Traceback" not in errors
    assert program.all_gone(tmp_path) == {}
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_another_signal_is_as_good_as_ctrl_c(tmp_path: Path, number: signal.Signals) -> None:
    process = program.start(tmp_path, "run", "chained-eventing", *LONG)
    program.wait_for(tmp_path, "toolkit.sdk")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(output)["partial"] is True
    assert program.all_gone(tmp_path) == {}


@pytest.mark.parametrize("moment", ["sentinel", "toolkit.sdk", "load"])
def test_a_killed_toolkit_takes_everything_with_it(tmp_path: Path, moment: str) -> None:
    process = program.start(tmp_path, "run", "chained-eventing", *LONG)
    program.wait_for(tmp_path, "sentinel" if moment == "load" else moment)
    if moment == "load":
        time.sleep(2.5)  # any moment will do
    process.kill()
    process.communicate()
    assert program.all_gone(tmp_path) == {}
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.alone
def test_a_run_that_ended_by_itself_leaves_nothing_either(tmp_path: Path) -> None:
    ended = program.call(tmp_path, "run", "chained-mixed", "--requests", "20", "-o", "json")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert json.loads(ended.stdout)["passed"] is True
    assert program.all_gone(tmp_path) == {}
    assert list((tmp_path / "tmp").iterdir()) == []
