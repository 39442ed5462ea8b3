"""`toolkit build --load` and `--publish`: which programs are run, with which words, and what is said when they fail."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli import program, programs
from toolkit.cli import main

pytestmark = pytest.mark.usefixtures("workshop")
BUILD = ("build", "chained-serving", "--base", "base")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("kind", ["kind", "load", "image-archive", "TAR"]),
        ("kind:dev", ["kind", "load", "image-archive", "TAR", "--name", "dev"]),
        ("containerd", ["ctr", "-n", "k8s.io", "images", "import", "TAR"]),
        ("docker", ["docker", "load", "-i", "TAR"]),
    ],
)
def test_a_tar_is_handed_to_the_program_and_gone_afterwards(
    way: str, words: list[str], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.install(workshop, words[0])
    assert main([*BUILD, "--load", way, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (call,) = programs.taken(workshop)
    (tar,) = [each for each in call["words"] if each.endswith(".tar")]
    assert [each if each != tar else "TAR" for each in call["words"]] == words
    assert call["images"] == [told["reference"]]
    assert not Path(tar).exists()
    assert (told["loaded"], told["written"], told["pushed"], told["published"]) == (way, None, None, None)


def test_a_tar_that_was_asked_for_is_the_one_that_is_loaded_and_stays(workshop: Path) -> None:
    programs.install(workshop, "kind")
    assert main([*BUILD, "--load", "kind", "--to", "image.tar"]) == 0
    assert programs.taken(workshop)[0]["words"][-1] == str(workshop / "image.tar")
    assert (workshop / "image.tar").is_file()


def test_a_layout_that_was_asked_for_is_written_and_a_tar_is_loaded(workshop: Path) -> None:
    programs.install(workshop, "kind")
    assert main([*BUILD, "--load", "kind", "--to", "image"]) == 0
    assert programs.taken(workshop)[0]["words"][-1].endswith(".tar")
    assert (workshop / "image/oci-layout").is_file()


def test_the_next_step_after_loading_is_to_run(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    programs.install(workshop, "docker")
    assert main([*BUILD, "--load", "docker"]) == 0
    assert "next: toolkit run chained-serving --engine knative\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("way", "program_", "step"),
    [
        ("kind", "kind", "'kind get clusters' lists what there is"),
        ("containerd", "ctr", "$CONTAINERD_ADDRESS names another socket"),
        ("docker", "docker", "docker info"),
    ],
)
def test_a_program_that_fails_ends_the_build_with_its_last_lines(
    way: str, program_: str, step: str, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "import sys\nfor each in range(99): print('line', each)\nsys.exit('ERROR: \\033[31mno nodes\\r\\n')"
    programs.install(workshop, program_, source)
    assert main([*BUILD, "--load", way]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"error: `{program_} " in captured.err
    assert "ended with status 1:\n    line 92\n" in captured.err
    assert "    line 98\n    ERROR:  [31mno nodes\n" in captured.err
    assert step in captured.err
    assert "\033" not in captured.err


def test_a_program_that_is_ended_by_a_signal_and_says_nothing_is_told_too(
    workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.install(workshop, "kind", "import os\nos.kill(os.getpid(), 9)")
    assert main([*BUILD, "--load", "kind"]) == 3
    assert "was ended by signal 9:\n    (it said nothing)\n" in capsys.readouterr().err


@pytest.mark.parametrize("way", [("--load", "kind"), ("--load", "docker"), ("--publish", "nowhere/to-be-found {tar}")])
def test_a_program_that_is_not_there_is_told_before_anything_is_built(
    way: tuple[str, str], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*BUILD, *way, "--to", "image.tar"]) == 3
    told = capsys.readouterr().err
    assert "cannot be run: there is no such program on the PATH\nnext: install it" in told
    assert "base:" not in told
    assert not (workshop / "image.tar").exists()


def test_a_hook_gets_the_tar_the_name_and_the_digest_as_words_of_their_own(
    workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.install(workshop, "send")
    hook = "send {tar} 'to a cluster' --label={image}@{digest} $HOME `id` ; rm {{braces}} \"\""
    assert main([*BUILD, "--publish", hook, "-o", "json"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    (call,) = programs.taken(workshop)
    label = f"--label={told['reference']}@{told['digest']}"
    assert call["words"][2:] == ["to a cluster", label, "$HOME", "`id`", ";", "rm", "{braces}", ""]
    assert call["images"] == [told["reference"]]
    assert told["published"] == hook
    assert "\n    Loaded 1\n" in captured.err


def test_a_hook_that_wants_no_tar_gets_none_and_may_come_from_the_environment(
    workshop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.install(workshop, "send")
    monkeypatch.setenv("TOOLKIT_PUBLISH", "send {image}")
    assert main([*BUILD, "-o", "name"]) == 0
    captured = capsys.readouterr()
    assert programs.taken(workshop) == [{"words": ["send", captured.out.strip()], "images": []}]


def test_a_hook_comes_after_all_else_and_does_not_come_when_that_failed(
    workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.install(workshop, "kind")
    programs.install(workshop, "send")
    assert main([*BUILD, "--load", "kind", "--publish", "send {tar}"]) == 0
    assert [each["words"][0] for each in programs.taken(workshop)] == ["kind", "send"]
    programs.install(workshop, "kind", "raise SystemExit(1)")
    assert main([*BUILD, "--load", "kind", "--publish", "send {tar}"]) == 3
    assert [each["words"][0] for each in programs.taken(workshop)] == ["kind", "send"]


def test_a_hook_that_fails_ends_the_build_with_its_last_lines(
    workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.install(workshop, "send", "import sys\nprint('on stdout', flush=True)\nsys.exit('denied: caf\\u00e9')")
    assert main([*BUILD, "--publish", "send {tar}"]) == 3
    told = capsys.readouterr().err
    assert "ended with status 1:\n    on stdout\n    denied: café\n" in told
    assert "next: try it by hand; {tar}, {image}, {digest} stand for what was built\n" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--publish", "send {tag}"], "{tag} stands for nothing: there are {tar}, {image}, {digest}"),
        (["--publish", "send {}"], "{} stands for nothing"),
        (["--publish", "send {0}"], "{0} stands for nothing"),
        (["--publish", "send {tar!r}"], "{tar!r} stands for nothing"),
        (["--publish", "send {tar:>99999999999}"], "{tar:>99999999999} stands for nothing"),
        (["--publish", "send {tar.__class__}"], "{tar.__class__} stands for nothing"),
        (["--publish", "send {tar"], "is no command: expected '}'"),
        (["--publish", "send }"], "is no command: single '}'"),
        (["--publish", "send 'x"], "is no command: no closing quotation"),
        (["--publish", ""], "the command is empty"),
        (["--publish", "''"], "the command is empty"),
        (["--load", "podman"], "'podman' is none of kind, kind:CLUSTER, containerd and docker"),
        (["--load", ""], "'' is none of"),
        (["--load", "kind:"], "'kind:' is none of"),
        (["--load", "kind:--help"], "'kind:--help' is none of"),
        (["--load", "docker:x"], "'docker:x' is none of"),
        (["--profile", "strict", "--to", "i.tar"], "--profile is for vHive"),
        (["-n", "here", "--to", "i.tar"], "--namespace decides nothing of an image"),
        (["--engine", "vhive", "--cluster-domain", "x.y", "--to", "i.tar"], "--cluster-domain decides nothing"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_built(
    arguments: list[str], message: str, workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.install(workshop, "send")
    assert main([*BUILD, *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "base:" not in captured.err
    assert programs.taken(workshop) == []


def test_files_alone_go_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "chained-serving", "--files", "out", "--load", "kind"]) == 2
    assert "--files and --load exclude each other" in capsys.readouterr().err


def test_who_ends_the_build_ends_the_program_that_it_waits_for(workshop: Path) -> None:
    source = """
        import os, signal, sys
        with open(TAKEN, "w") as file:
            print('{"words": [], "images": []}', file=file)
        signal.pause()
    """
    programs.install(workshop, "send", source)
    with program.start(workshop, *BUILD, "--publish", "send {tar}") as found:
        program.wait_until(lambda: bool(programs.taken(workshop)), "the hook")
        found.send_signal(signal.SIGTERM)
        _, told = found.communicate(timeout=30)
    assert (found.returncode, "interrupted" in told) == (130, True), told
    assert program.all_gone(workshop) == {}
    assert list((workshop / "tmp").iterdir()) == []
