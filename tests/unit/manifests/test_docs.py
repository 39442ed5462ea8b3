"""The commands of docs/manifests.md do what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from toolkit.cli import main

TEXT = (Path(__file__).parents[3] / "docs" / "manifests.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^toolkit (render [^|\n]*)", TEXT, re.MULTILINE)
COMMANDS = [each for each in SHOWN if "--image" in each]  # the others take what a build before them left


def test_the_document_shows_commands() -> None:
    assert (len(SHOWN), len(COMMANDS)) == (8, 7)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_shown_command_works(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == 0
    assert {each.name for each in tmp_path.iterdir()} <= {"manifests", "strict"}


def test_the_files_it_names_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        main(shlex.split(command))
    assert Path("manifests/40-service-producer.yaml").is_file()
    assert Path("strict/wiring/publisher.json").is_file()
