"""`python -m tests.lines [NAME …]` counts the lines of the catalogue's benchmarks, as docs/catalogue.md tells them.

A line counts when it holds more than a comment or a docstring. `work` is `work.py` and what lies beside it: the work
itself, the generator of its inputs, and the judge of its answers.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass

from toolkit import catalog

_NOTHING = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


@dataclass(frozen=True, slots=True)
class Lines:
    """Of one benchmark: its chain's YAML, its handlers, and its work. Forms of one chain share the latter two."""

    name: str
    yaml: int
    handlers: int
    work: int


def of(name: str) -> Lines:
    file = catalog.find(name)
    code = {path.name: of_python(path.read_text("utf-8")) for path in file.parent.glob("*.py")}
    handlers = code.pop("handlers.py", 0)
    return Lines(name, of_yaml(file.read_text("utf-8")), handlers, sum(code.values()))


def of_yaml(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def of_python(text: str) -> int:
    counted: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NOTHING:
            counted.update(range(token.start[0], token.end[0] + 1))
    return len(counted - _docstrings(text))


def _docstrings(text: str) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def table(names: Iterable[str]) -> str:
    rows = [("BENCHMARK", "YAML", "HANDLERS", "WORK")]
    rows += [(each.name, str(each.yaml), str(each.handlers), str(each.work)) for each in map(of, names)]
    return "\n".join(f"{name:24}{yaml:>6}{handlers:>10}{work:>6}" for name, yaml, handlers, work in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.lines", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", nargs="*", default=catalog.names(), help="a benchmark; all of them when left out")
    print(table(parser.parse_args().name))


if __name__ == "__main__":
    main()
