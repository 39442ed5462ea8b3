"""The story stays true: what the README shows is run, what it lists is what there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cli import tree
from toolkit.errors import Exit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    _, _, rest = README.partition(f"## {title}\n")
    return rest.partition("\n## ")[0]


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def on_path() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.alone
@pytest.mark.skipif(shutil.which("bash") is None, reason="the README's commands are for bash, which is not here")
def test_a_chain_is_added_in_the_steps_that_the_readme_shows(tmp_path: Path) -> None:
    (steps,) = shell_blocks(section("Add a chain in five minutes"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", steps],
        cwd=tmp_path,
        env=on_path(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hallo" in done.stdout
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_every_command_the_readme_shows_exists_and_takes_its_flags() -> None:
    lines = [line for block in shell_blocks(README) for line in block.splitlines() if line.startswith("toolkit ")]
    assert len(lines) >= 8
    for line in lines:
        words = line.partition("#")[0].split()[1:]
        name, arguments = tree.named(words)
        tree.parser_of(name).parse_args(arguments)


def test_the_exit_table_is_the_one_the_program_uses() -> None:
    rows = {int(number) for number in re.findall(r"^\| (\d+) \|", section("Exit status"), re.MULTILINE)}
    assert rows == {int(status) for status in Exit}


def test_every_make_target_the_documents_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set()
    for document in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        named |= set(re.findall(r"^\s*`?make ([a-z-]+)", (ROOT / document).read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_every_document_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_gate_calls_what_the_readme_tells_a_person_to_call() -> None:
    gate = (ROOT / ".ci/run").read_text()
    assert "make run" in gate
    assert "make test" in gate
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    assert ".ci/run" in workflow
