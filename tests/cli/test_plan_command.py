"""`toolkit load plan`, and the flags by which a load's arrivals are chosen."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import program
from toolkit.cli import load_options, main, tree
from toolkit.cli.completion_command import candidates
from toolkit.load import pacing
from toolkit.load.arrivals import EXAMPLES
from toolkit.results import Load

AZURE = "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,http,3,0,5\no,a,g,queue,1,2,3\n"
Plan = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Plan:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["load", "plan", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def asked(*arguments: str) -> Load:
    return load_options.load(tree.parser_of("load plan").parse_args(arguments))


def test_a_plan_tells_calls_rate_first_times_and_draws_both(plan: Plan) -> None:
    code, out, _ = plan("--rate", "10", "--duration", "20s", "--arrivals", "ramp:to=30")
    assert code == 0
    assert "open loop, ramp:to=30 at 10/s, 20 s, seed 1" in out
    assert "400 over 20 s" in out
    assert "20/s on average · 29 in the busiest second" in out
    assert "due (ms)     0.000, 99.505, " in out
    assert "│" in out
    assert "█" in out
    assert "between two calls" in out


def test_a_plan_for_programs_has_the_same_whatever_the_terminal(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--rate", "100", "--requests", "1000", "--arrivals", "poisson", "-o", "json")
    _, out, _ = plan(*arguments)
    monkeypatch.setenv("COLUMNS", "40")
    assert plan(*arguments)[1] == out
    found: dict[str, Any] = json.loads(out)
    assert (found["load"]["model"], found["load"]["arrivals"], found["load"]["seed"]) == ("open", "poisson", 1)
    assert (found["plan"]["calls"], found["plan"]["first"][0], len(found["plan"]["first"])) == (1000, 0, 10)
    assert found["plan"]["gaps"]["spread"] == pytest.approx(1.0, rel=0.1)
    assert sum(calls for _, calls in found["plan"]["gap_counts"]) == 999
    step = found["plan"]["rate_over_time"][0][0]
    assert sum(rate * step for _, rate in found["plan"]["rate_over_time"]) == pytest.approx(1000)


def test_all_due_times_come_as_csv_and_can_be_recorded_arrivals_again(plan: Plan, tmp_path: Path) -> None:
    _, out, _ = plan("--rate", "2", "--requests", "4", "-o", "csv")
    assert out == "seq,due_ns\n0,0\n1,500000000\n2,1000000000\n3,1500000000\n"
    (tmp_path / "plan.csv").write_text(out)
    assert plan("--arrivals", "recorded:plan.csv", "-o", "csv")[1] == out


def test_of_a_closed_loop_nothing_is_due(plan: Plan) -> None:
    code, out, _ = plan("--concurrency", "3", "--think", "exponential:1s")
    assert (code, "closed loop, 3 at a time, thinking exponential:1s" in out) == (0, True)
    assert "nothing is due beforehand" in out
    assert json.loads(plan("--concurrency", "3", "-o", "json")[1])["plan"] is None
    assert plan("--concurrency", "3", "-o", "csv")[1] == "seq,due_ns\n"


def test_one_call_is_a_plan_too(plan: Plan) -> None:
    code, out, _ = plan("--requests", "1", "--rate", "5")
    assert (code, "gaps" in out, "between" in out) == (0, False, False)


def test_a_trace_of_azure_is_planned_without_a_rate(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "azure.csv").write_text("\ufeff" + AZURE.replace("\n", "\r\n"), newline="")
    code, out, _ = plan("--arrivals", "recorded:azure.csv,row=1,time=0.1", "--seed", "4")
    assert code == 0
    assert "recorded:azure.csv,row=1,time=0.1, 8 calls, seed 4" in out
    assert "8 over 18 s" in out


def test_recorded_arrivals_are_kept_with_the_load(tmp_path: Path) -> None:
    (tmp_path / "azure.csv").write_text(AZURE)
    load = asked("--arrivals", f"recorded:{tmp_path}/azure.csv,row=1")
    assert (load.requests, load.rate, load.recorded) == (8, None, "counts/60000000000 3 0 5")
    assert asked("--arrivals", f"recorded:{tmp_path}/azure.csv,row=1", "--duration", "1m").requests is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no text (UTF-8)"),
        (b"\xff\xfe1\0\n\0", "no text (UTF-8)"),
        (b"1" * (1 << 21), "a line of more than 1,048,576 characters"),
        (AZURE.encode(), "it has 2 rows"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_words(
    content: bytes | None, told: str, plan: Plan, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "x.csv").write_bytes(content)
    code, out, err = plan("--arrivals", "recorded:x.csv")
    assert (code, out) == (2, "")
    assert told in err
    assert "next: " in err
    assert len(err) < 1000


@pytest.mark.parametrize("name", [".", "a\0b", "x" * 5000])
def test_a_name_that_is_no_file_is_told_in_words(name: str, plan: Plan) -> None:
    code, _, err = plan("--arrivals", f"recorded:{name}")
    assert (code, "--arrivals recorded:" in err) == (2, True)


def test_all_that_is_wrong_with_the_flags_is_told_at_once(plan: Plan) -> None:
    code, _, err = plan(
        "--rate", "5", "--duration", "2s", "--requests", "3", "--arrivals", "burst:on=x", "--think", "1s"
    )
    assert code == 2
    for told in ("--requests and --duration exclude each other", "on='x'", "off= is missing"):
        assert told in err


@pytest.mark.parametrize(
    ("environment", "arguments", "means"),
    [
        ({"ARRIVALS": "poisson"}, [], ("poisson", 100.0, None, None)),
        ({"ARRIVALS": "poisson"}, ["--arrivals", "uniform"], ("uniform", 100.0, None, None)),
        ({"ARRIVALS": "poisson"}, ["--concurrency", "2"], ("constant", None, 2, None)),
        ({"CONCURRENCY": "2"}, ["--arrivals", "poisson"], ("poisson", 100.0, None, None)),
        ({"THINK": "1s"}, ["--rate", "2"], ("constant", 2.0, None, None)),
        ({"THINK": "1s"}, ["--concurrency", "2"], ("constant", None, 2, "1s")),
    ],
)
def test_a_variable_is_a_flag_that_gives_way(
    environment: dict[str, str], arguments: list[str], means: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"TOOLKIT_{name}", value)
    load = asked(*arguments)
    assert (load.arrivals, load.rate, load.concurrency, load.think) == means


def test_a_rate_from_the_environment_gives_way_to_a_recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "azure.csv").write_text(AZURE)
    monkeypatch.setenv("TOOLKIT_RATE", "50")
    assert asked("--arrivals", f"recorded:{tmp_path}/azure.csv,row=1").rate is None


@pytest.mark.parametrize("command", ["run", "load", "load plan"])
def test_every_command_that_sends_or_plans_a_load_takes_the_same_flags(command: str) -> None:
    flags = {flag for action in tree.parser_of(command)._actions for flag in action.option_strings}
    assert {"--arrivals", "--think", "--rate", "--duration", "--requests", "--concurrency", "--seed"} <= flags


@pytest.mark.parametrize(
    "command",
    [
        "load --target h2c://127.0.0.1:1/a.B/C --data-json {} --connections 4 --generators 2 --rate 5 --requests 10",
        "run chained-serving --set payload=4KiB --engine knative --image x/y:1 --rate 5 --requests 10 --out x",
        "run --rate 5 chained-serving --payload 4KiB --sample 0.5 --requests 10 --ready-timeout 5s",
    ],
)
def test_the_plan_of_a_command_is_that_command_with_load_plan_in_front(command: str, plan: Plan) -> None:
    code, out, err = plan(*command.split()[1:])
    assert (code, err) == (0, "")
    assert "open loop at 5/s, 10 calls" in out


def test_what_no_command_knows_the_plan_does_not_know_either(plan: Plan) -> None:
    code, _, err = plan("--rate", "5", "--arivals", "poisson")
    assert (code, "did you mean '--arrivals'?" in err) == (2, True)
    code, _, err = plan("chained-serving", "--cold", "3")
    assert (code, "--cold" in err) == (2, True)


def test_a_shell_completes_both_words_and_the_kinds() -> None:
    assert "load plan" not in candidates([""])
    assert "load" in candidates(["l"])
    assert "plan" in candidates(["load", ""])
    assert candidates(["load", "plan", "--arr"]) == ["--arrivals"]
    assert candidates(["run", "--arrivals", "b"]) == ["burst:on=1s,off=4s"]
    assert "plan" not in candidates(["run", ""])


def test_a_reader_of_a_long_plan_may_leave(tmp_path: Path) -> None:
    script = f"{program.TOOLKIT[0]} -m toolkit.cli load plan --rate 1000 --requests 1000000 -o csv | head -2"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.stdout, done.stderr) == ("seq,due_ns\n0,0\n", "")


def test_a_terminal_that_knows_ascii_only_has_its_plot_too(tmp_path: Path) -> None:
    done = program.call(tmp_path, "load", "plan", "--requests", "50", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr, "?" in done.stdout, "#" in done.stdout) == (0, "", False, True)


def shown() -> list[list[str]]:
    """The commands that the documentation plans loads with, as far as they need no file."""
    lines = (Path(__file__).parents[2] / "docs" / "arrivals.md").read_text().splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("toolkit load plan")]
    return [each[3 : each.index(">") if ">" in each else None] for each in words if "recorded" not in " ".join(each)]


@pytest.mark.parametrize("arguments", shown(), ids=" ".join)
def test_what_the_documentation_plans_can_be_planned(arguments: list[str], plan: Plan) -> None:
    code, out, err = plan(*arguments)
    assert (code, err, out != "") == (0, "", True)


def test_the_documentation_has_every_kind() -> None:
    text = (Path(__file__).parents[2] / "docs" / "arrivals.md").read_text()
    assert [kind for kind in EXAMPLES.values() if f"| `{kind}`" not in text] == []


def test_every_kind_that_a_shell_completes_can_be_sent() -> None:
    assert [each.removesuffix("FILE") for each in EXAMPLES.values()] == list(load_options.ARRIVALS)
    for text in load_options.ARRIVALS[:-1]:
        pacing.validate(asked("--arrivals", text))
