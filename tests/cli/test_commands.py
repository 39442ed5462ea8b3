"""The command line keeps its contract: data on stdout, prose on stderr, exit codes, environment, completion."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli import program
from toolkit.cli import completion_command, load_options, main, tree
from toolkit.cli.completion_command import candidates
from toolkit.errors import UsageError


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in tree.COMMANDS)


@pytest.mark.parametrize("name", tree.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: toolkit {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "there is no command 'rnu' — did you mean 'run'?"),
        (["run", "chained-servin"], "did you mean 'chained-serving'?"),
        (["run"], "CHAIN"),
        (["run", "chained-serving", "--requests", "0"], "'0' is not a whole number of at least 1"),
        (["run", "chained-serving", "--requests", "many"], "'many' is not a whole number of at least 1"),
        (["run", "chained-serving", "--rate", "nan"], "'nan' is not a number above 0"),
        (
            ["run", "chained-serving", "--rate", "5", "--concurrency", "2"],
            "--rate and --concurrency exclude each other",
        ),
        (["run", "chained-serving", "--requests", "5", "--duration", "2s"], "exclude each other"),
        (["run", "chained-serving", "--sample", "2"], "'2' is not a number from 0 to 1"),
        (["run", "chained-serving", "--duration", "10 sec"], "10 sec"),
        (["run", "chained-serving", "--payload", "4 kilos"], "4 kilos"),
        (["run", "chained-serving", "--set", "payload"], "is not KEY=VALUE"),
        (["run", "chained-serving", "--set", "paylod=4"], "did you mean 'payload'?"),
        (["run", "chained-serving", "--engine", "cloud"], "--engine"),
        (["run", "chained-serving", "--colour"], "--colour"),
        (["run", "chained-serving", "--reqests", "5"], "did you mean '--requests'?"),
        (["run", "chained-serving", "--zipkin", "localhost:9411"], "is not http(s)://HOST[:PORT]"),
        (["run", "chained-serving", "--requests", "1000000"], "4,000,000 spans would come"),
        (["trace", "serve", "--listen", "nonsense"], "is not HOST:PORT"),
        (["describe", "no/such/folder"], "no/such/folder"),
        (["report", "no-such-run"], "no-such-run"),
        (["trace", "show", "--run", "no-such-run"], "no-such-run"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_bad_usage_is_told_in_words_with_exit_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_all_problems_of_a_spec_are_told_at_once_with_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chain.yaml").write_text("name: Bad_Name\nfuncions: {}\nedges: [{from: a, to: b, via: pigeon}]\n")
    assert main(["describe", "."]) == 2
    errors = capsys.readouterr().err
    assert "chain.yaml:1:7" in errors
    assert "chain.yaml:2:1" in errors
    assert "did you mean 'functions'?" in errors
    assert "pigeon" in errors


def test_a_chain_that_cannot_start_is_told_with_its_log_and_exit_status_3(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(
        'name: broken\nfunctions: {only: {handler: "handlers.py:handle"}}\nedges: []\n'
    )
    (tmp_path / "handlers.py").write_text("import a_module_that_is_not_there\n")
    ended = program.call(tmp_path, "run", ".")
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout == ""
    assert "only was not ready" in ended.stderr
    assert "a_module_that_is_not_there" in ended.stderr
    assert program.all_gone(tmp_path) == {}


def test_a_failing_chain_ends_with_exit_status_4_and_says_which_check(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(
        'name: broken\nfunctions: {only: {handler: "handlers.py:handle"}}\nedges: []\n'
    )
    (tmp_path / "handlers.py").write_text("async def handle(ctx, request):\n    raise ValueError('no <b>way</b>')\n")
    ended = program.call(tmp_path, "verify", ".", "-o", "json")
    assert ended.returncode == 4, ended.stderr
    report = json.loads(ended.stdout)
    assert [check["name"] for check in report["checks"] if not check["passed"]] == ["answered"]
    assert "no <b>way</b>" in json.dumps(report["checks"])


def test_list_as_json_names_chains_edges_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-o", "json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"chained-serving", "chained-eventing", "chained-mixed"} <= set(rows)
    assert rows["chained-mixed"]["edges"] == {"call": 2, "event": 1}
    assert rows["chained-serving"]["parameters"]["length"] == 2


def test_names_are_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-o", "name"]) == 0
    assert "chained-serving" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("form", "beginning"), [("mermaid", "flowchart"), ("dot", "digraph"), ("json", "{")])
def test_a_graph_is_drawn_in_each_form(form: str, beginning: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "chained-mixed", "-o", form]) == 0
    assert capsys.readouterr().out.lstrip().startswith(beginning)


def test_a_flag_is_taken_from_the_environment_and_overruled_on_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_REQUESTS", "7")
    assert tree.parser_of("run").parse_args(["x"]).requests == 7
    assert tree.parser_of("run").parse_args(["x", "--requests", "9"]).requests == 9


def test_a_flag_that_may_be_repeated_takes_several_words_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_SET", "payload=4KiB 'note=two words'")
    assert tree.parser_of("run").parse_args(["x"]).set == [("payload", "4KiB"), ("note", "two words")]


@pytest.mark.parametrize(
    ("variable", "value"), [("TOOLKIT_SET", "payload"), ("TOOLKIT_REQUESTS", "lots"), ("TOOLKIT_OUTPUT", "xml")]
)
def test_a_bad_environment_is_told_with_the_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=variable):
        tree.parser_of("run")


def outputs() -> Mapping[str, argparse.Action]:
    """The `-o` of every command that has one, its default taken from the environment."""
    parsers = [(name, each) for name in tree.COMMANDS for each in tree.leaves(tree.parser_of(name))]
    found = [(name, action) for name, each in parsers for action in each._actions if action.dest == "output"]
    return dict(found)


FORMS = {name: {"yaml", "json"} if name == "render" else set(each.choices or ()) for name, each in outputs().items()}


@pytest.mark.parametrize("form", sorted(set().union(*FORMS.values())))
def test_a_form_from_the_environment_is_taken_by_every_command_that_knows_it(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = {name: each.default for name, each in outputs().items()}
    monkeypatch.setenv("TOOLKIT_OUTPUT", form)
    taken = {name: each.default for name, each in outputs().items()}
    assert taken == {name: form if form in forms else usual[name] for name, forms in FORMS.items()}


def test_every_flag_tells_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "$TOOLKIT_CONCURRENCY" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ru"], ["run"]),
        (["run", "chained-s"], ["chained-serving"]),
        (["run", "--conc"], ["--concurrency"]),
        (["graph", "x", "-o", ""], ["dot", "json", "mermaid"]),
        (["completion", "z"], ["zsh"]),
        (["trace", "s"], ["serve", "show"]),
        (["trace", "show", "--zip"], ["--zipkin"]),
        (["nonsense", ""], []),
    ],
)
def test_completion_knows_what_may_come_next(words: list[str], expected: list[str]) -> None:
    assert candidates(words) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here to complete")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    (tmp_path / "toolkit").write_text('#!/bin/sh\nexec "$PYTHON" -m toolkit.cli "$@"\n')
    (tmp_path / "toolkit").chmod(0o755)
    script = completion_command.SCRIPTS["bash"] + (
        'COMP_WORDS=(toolkit run chained-ev); COMP_CWORD=2; _toolkit; echo "${COMPREPLY[@]}"'
    )
    environment = program.environment(tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin", PYTHON=program.TOOLKIT[0])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "chained-eventing"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_well_formed(shell: str, tmp_path: Path) -> None:
    program_of_shell = shutil.which(shell)
    if program_of_shell is None:
        pytest.skip(f"{shell} is not here to read its script")
    file = tmp_path / "script"
    file.write_text(completion_command.SCRIPTS[shell])
    assert subprocess.run([program_of_shell, "-n", str(file)], check=False).returncode == 0


def test_version_tells_what_it_stands_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert "kn-bench" in capsys.readouterr().out
    assert main(["version", "-o", "json"]) == 0
    assert "grpcio" in json.loads(capsys.readouterr().out)


def test_a_reader_that_has_seen_enough_does_not_make_a_failed_chain_pass(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(
        'name: broken\nfunctions: {only: {handler: "handlers.py:handle"}}\nedges: []\n'
    )
    (tmp_path / "handlers.py").write_text("async def handle(ctx, request):\n    raise ValueError('no')\n")
    script = f"{program.TOOLKIT[0]} -m toolkit.cli run . --requests 2 | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (4, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device to write to")
@pytest.mark.parametrize("arguments", [("list",), ("--help",), ("version",)])
def test_an_output_that_cannot_be_written_is_told_in_words(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            (*program.TOOLKIT, *arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert done.stderr.startswith("error: standard output cannot be written")


@pytest.mark.parametrize("arguments", [("describe", "chained-mixed"), ("verify", "chained-serving"), ("list",)])
def test_a_poor_encoding_is_given_what_it_can_say(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = program.call(tmp_path, *arguments, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


def test_a_run_that_could_not_be_stored_is_refused_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = program.call(tmp_path, "run", "chained-serving", "--out", "file/runs")
    assert done.returncode == 2
    assert "no run can be stored in file/runs" in done.stderr


def test_a_run_may_leave_nothing_behind_but_trials_may_not(tmp_path: Path) -> None:
    done = program.call(tmp_path, "run", "fibonacci", "--requests", "4", "--no-out")
    assert done.returncode in (0, 6), done.stderr
    assert "stored" not in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    refused = program.call(tmp_path, "run", "fibonacci", "--no-out", "--trials", "3")
    assert (refused.returncode, "--no-out: " in refused.stderr) == (2, True)


def test_what_functions_logged_is_kept_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text('name: loud\nfunctions: {only: {handler: "handlers.py:handle"}}\nedges: []\n')
    (tmp_path / "handlers.py").write_text(
        "async def handle(ctx, request):\n    ctx.log.info('heard %s', request.name)\n"
    )
    assert program.call(tmp_path, "run", ".", "--requests", "3", "--concurrency", "1").returncode == 0
    (log,) = tmp_path.glob("runs/*/logs/only.log")
    assert log.read_text().count("heard ") == 3


def test_what_a_handler_says_cannot_command_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text('name: rude\nfunctions: {only: {handler: "handlers.py:handle"}}\nedges: []\n')
    (tmp_path / "handlers.py").write_text("async def handle(ctx, request):\n    raise ValueError('\\x1b[31mred\\0')\n")
    done = program.call(tmp_path, "invoke", ".")
    assert done.returncode == 4
    assert "\x1b" not in done.stderr
    assert "\0" not in done.stderr


def test_a_file_in_the_users_folder_is_not_taken_for_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('not me')\n")
    done = subprocess.run(
        (str(Path(program.TOOLKIT[0]).parent / "toolkit"), "verify", "chained-eventing"),
        cwd=tmp_path,
        env=program.environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_flag_wins_over_a_rival_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_REQUESTS", "7")
    monkeypatch.setenv("TOOLKIT_RATE", "9")
    options = tree.parser_of("run").parse_args(["x", "--duration", "2s", "--concurrency", "3"])
    load = load_options.load(options)
    assert (load.requests, load.duration_s, load.rate, load.concurrency) == (None, 2.0, None, 3)


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    script = f"{program.TOOLKIT[0]} -m toolkit.cli graph chained-mixed | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_stubs_in_the_repository_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stubs", "--check"]) == 0
    assert "fresh" in capsys.readouterr().out
