"""Where `toolkit trace` commands take traces from: one way to say it, and what counts when two are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.report.traces import made
from toolkit import spanfile
from toolkit.cli import main

COMMANDS = [["show"], ["diff", "1", "2"], ["export"], ["ui"], ["analyze"]]
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three traces of which the last is the slowest; of a fourth the longest span is longer than any other."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "spans.json"
    spanfile.write(path, [span for number in range(3) for span in made.eventing(number, slower=number + 1)])
    return path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["trace", *words]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["trace", *words]) == 2
    return capsys.readouterr().err


def trace(number: int) -> str:
    return made.eventing(number)[0].trace


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_typed_beats_the_environment(
    spans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setenv("TOOLKIT_ZIPKIN", NOBODY)
    said = refused(capsys, *command, "--file", str(spans.parent / "nowhere.json"))
    assert "nowhere.json" in said
    assert "exclude" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_two_of_the_environment_are_named(
    spans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setenv("TOOLKIT_ZIPKIN", NOBODY)
    monkeypatch.setenv("TOOLKIT_RUN", "some")
    said = refused(capsys, *command)
    assert "TOOLKIT_RUN and TOOLKIT_ZIPKIN are set, and exclude each other" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_two_that_are_typed_exclude_each_other(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    said = refused(capsys, *command, "--run", "some", "--zipkin", NOBODY)
    assert "--run and --zipkin exclude each other" in said


def test_the_environment_alone_names_a_run(
    spans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOOLKIT_RUN", "some")
    assert "no run 'some'" in refused(capsys, "show")


def test_the_slowest_is_the_one_whose_end_is_latest_after_its_beginning(
    spans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = [made.eventing(0, slower=3), made.eventing(1)]
    late = made.span(1, 9, "consumer", "CONSUMER", 3, 90_000, 10, "x", "broker")
    spanfile.write(spans, [*traces[0], *traces[1], late])
    assert shown(capsys, "show", "--file", str(spans)).startswith(f"trace {trace(1)} ")


def test_an_id_is_found_with_zeros_before_it_or_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "short.json"
    path.write_text('[{"traceId": "00000000000000ab", "id": "1", "timestamp": 1, "duration": 5}]')
    for wanted in ("ab", "AB", "00000000000000ab", "0" * 30 + "ab"):
        assert "1 span" in shown(capsys, "show", wanted, "--file", str(path))


def test_an_id_that_is_none_or_several_is_refused_with_those_that_match(
    spans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "'' is no id of a trace" in refused(capsys, "show", "", "--file", str(spans))
    assert "is no id of a trace" in refused(capsys, "show", "zz", "--file", str(spans))
    said = refused(capsys, "show", "aaaa", "--file", str(spans))
    assert "3 traces begin with 'aaaa'" in said
    assert all(trace(number) in said for number in range(3))


def test_a_stores_file_is_shown_diffed_and_exported(spans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", str(spans), "--store", "kept"]) == 0
    capsys.readouterr()
    assert trace(2) in shown(capsys, "show", "--store", "kept")
    assert trace(1) in shown(capsys, "diff", trace(0), trace(1), "--store", "kept")
    assert main(["trace", "export", "--file", str(spans), "--to", "a.json"]) == 0
    assert main(["trace", "export", "--store", "kept", "--to", "b.json"]) == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()


@pytest.mark.parametrize("command", [["show"], ["ui"], ["diff", "1", "2"]])
def test_what_is_no_store_is_told_in_words(spans: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    Path("empty").touch()
    assert "nowhere.db is not there" in refused(capsys, *command, "--store", "nowhere.db")
    assert "empty is no trace store: it is empty" in refused(capsys, *command, "--store", "empty")
    assert "is no trace store" in refused(capsys, *command, "--store", str(spans))


def test_nothing_is_moved_with_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.json").write_text("[]")
    assert main(["trace", "import", str(tmp_path / "none.json"), "--store", str(tmp_path / "kept")]) == 0
    assert "there was no span to import" in capsys.readouterr().err
    assert main(["trace", "export", "--file", str(tmp_path / "none.json"), "--to", str(tmp_path / "out")]) == 0
    assert "there was no span to export" in capsys.readouterr().err
    assert "holds no trace" in refused(capsys, "show", "--file", str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("ui --window 3s", "--window says nothing without --zipkin"),
        ("export --lookback 3s", "--lookback says nothing without --zipkin"),
        ("export --to /nowhere/at/all", "name a file in a folder that is there"),
        ("show --fil x", "did you mean '--file'?\nnext: run 'toolkit trace show --help'"),
        ("ui --lookback 3s", "--lookback\nnext: run 'toolkit trace ui --help'"),
    ],
)
def test_options_that_say_nothing_are_refused(
    spans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    monkeypatch.setenv("TOOLKIT_FILE", str(spans))
    assert told in refused(capsys, *words.split())
