"""Ctrl-C at any moment leaves a partial report and nothing else; a killed toolkit leaves nothing at all."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.cli import program
from toolkit.catalog import benchmarks_folder

TELLING = """
_consume = consume

async def consume(ctx, message):
    ctx.log.info("the load is here")
    return await _consume(ctx, message)
"""
LONG = ("--requests", "100000", "--rate", "200", "-o", "json")


def telling(chain: str, folder: Path) -> str:
    """A copy of a benchmark whose consumer logs what it handles, so that a test can wait for the load."""
    copied = folder / "chain"
    shutil.copytree(benchmarks_folder() / chain, copied)
    with (copied / "handlers.py").open("a") as handlers:
        handlers.write(TELLING)
    return str(copied)


def wait_until(moment: str, folder: Path) -> None:
    """`load` is when the consumer has handled some 50 messages; else a process that has been started."""
    if moment != "load":
        program.wait_for(folder, moment)
        return

    def handled() -> bool:
        return any(log.read_text().count("the load is here") > 50 for log in folder.glob("tmp/toolkit-*/consumer.log"))

    program.wait_until(handled, "the load in the consumer's log")


@pytest.mark.parametrize("moment", ["sentinel", "toolkit.sdk", "load"])
@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing"])
def test_ctrl_c_gives_a_partial_report_and_leaves_nothing(tmp_path: Path, chain: str, moment: str) -> None:
    process = program.start(tmp_path, "run", telling(chain, tmp_path), *LONG)
    wait_until(moment, tmp_path)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    report = json.loads(output)
    assert report["partial"] is True
    assert report["load"]["ok"] > 0 or moment != "load"
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
    process = program.start(tmp_path, "run", telling("chained-eventing", tmp_path), *LONG)
    wait_until(moment, tmp_path)
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
