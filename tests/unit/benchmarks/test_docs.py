"""docs/catalogue.md tells of every benchmark what there is, and counts lines as the command does that it names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import lines
from toolkit import catalog

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "catalogue.md").read_text("utf-8")


def rows(title: str) -> dict[str, list[str]]:
    """The table of a section: by the benchmark's name what the other columns say."""
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    cells = [
        [each.strip() for each in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"
    ]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "toolkit.cli", "list", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {each["name"]: each for each in json.loads(done.stdout)}


def test_the_table_holds_every_benchmark_that_toolkit_list_shows_and_no_other(listed: dict[str, Any]) -> None:
    assert set(rows("All of them")) == set(listed)


def test_functions_edges_and_requirements_are_those_of_the_list(listed: dict[str, Any]) -> None:
    told = {name: (row[1], row[2], row[6]) for name, row in rows("All of them").items()}
    assert told == {
        name: (
            str(each["functions"]),
            ", ".join(f"{number} {via}" for via, number in sorted(each["edges"].items())) or "none",
            ", ".join(f"`{requirement}`" for requirement in each["requires"]),
        )
        for name, each in listed.items()
    }


def test_our_lines_are_those_that_the_command_counts() -> None:
    for name, row in rows("How much there is to write").items():
        counted = lines.of(name)
        assert (row[0], row[1]) == (str(counted.yaml), str(counted.handlers + counted.work)), name


def test_a_line_counts_when_it_holds_more_than_a_comment_or_a_docstring() -> None:
    assert lines.of_yaml("# a comment\n\nname: x # and one\n  # another\nedges: []\n") == 2
    docstring, text = '"""A docstring\nof two lines."""\n', 'x = """a text\nof two"""  # a comment\n'
    function = 'def f():\n    """And."""\n    # why\n    return (\n        1\n    )\n'
    assert lines.of_python(f"{docstring}\n{text}\n{function}") == 6


@pytest.mark.parametrize("folder", sorted(path.parent for path in catalog.benchmarks_folder().glob("*/chain.yaml")))
def test_a_benchmark_s_readme_names_it_and_shows_commands_that_exist(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    assert text.startswith(f"# {folder.name}\n")
    named = set(re.findall(r"^ *toolkit (?:run|verify|describe|graph|deploy) ([-a-z]+)", text, re.MULTILINE))
    assert folder.name in named
    assert named <= set(catalog.names())
    for name, setting in re.findall(r"^ *toolkit run ([-a-z]+)[^\n]*? --set (\S+=\S+)", text, re.MULTILINE):
        key, _, value = setting.partition("=")
        catalog.load(name, {key: value})
