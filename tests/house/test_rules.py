"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "toolkit"
LONGEST_FILE = 300  # lines
LONGEST_FUNCTION = 40  # lines; tables may be longer
TABLES = {"configure", "measure"}  # one row an argument, one row a number


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "stubs" not in path.parts and "shipped" not in path.parts]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_every_module_opens_with_its_charter() -> None:
    without = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path != PACKAGE / "__init__.py" and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert without == []


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules()
        if (lines := path.read_text().count("\n")) > LONGEST_FILE
    }
    assert long == {}


def test_no_function_is_too_long_to_be_read_at_once() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in modules()
        for node in functions(path)
        if node.name not in TABLES and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("word", ["utils", "helpers", "manager", "misc"])
def test_no_module_is_named_after_nothing(word: str) -> None:
    assert [path.name for path in modules() if path.stem == word] == []


def loaded_by(*arguments: str) -> set[str]:
    code = f"import sys; sys.argv = ['toolkit', *{list(arguments)!r}]; from toolkit.cli import main; main(); " + (
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("graph", "chained-mixed")])
def test_looking_at_chains_loads_no_heavy_library(arguments: tuple[str, ...]) -> None:
    heavy = {"grpc", "google.protobuf", "opentelemetry", "kubernetes", "asyncio", "requests"}
    assert loaded_by(*arguments) & heavy == set()
