"""A YAML file as a small tree that knows its positions. Knows YAML, and nothing of chains.

Built from the parser's events, one by one, so that nothing hostile is ever built: no object from a tag, no copy from an
alias, no recursion from deep nesting. Line and column count from 1, in characters.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Literal

import yaml

from toolkit.errors import Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 20  # a chain.yaml needs 5

# The C parser gives the same positions and is ten times as fast; PyYAML's wheels have it, some distributions do not.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Kind = Literal["text", "null", "flag", "integer", "number", "date", "unclear"]
INTEGER = r"[-+]?(?:0|[1-9][0-9]*)"
NUMBER = r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_TAGS: dict[str, Kind] = {"null": "null", "bool": "flag", "int": "unclear", "float": "unclear", "timestamp": "date"}
_WORDS: dict[Kind, str] = {
    "text": "the text {}",
    "null": "nothing",
    "flag": "the truth value {}",
    "integer": "the number {}",
    "number": "the number {}",
    "date": "the date {}",
    "unclear": "{}, which not all YAML readers take for the same number",
}
# What YAML refuses, and the line breaks of its own (NEL, LS, PS) that would move every position after them.
_CONTROL = re.compile("[^\\x09\\x0a\\x0d\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_BREAK = re.compile(r"\r\n|\r|\n")
_HINTS = {
    "mapping values are not allowed": "a text with ': ' in it needs quotes",
    "could not find expected ':'": "a key needs a ':' and a space after it",
    "did not find expected key": "check the indentation and the quotes of this line and the one before",
    "expected <block end>": "check the indentation and the quotes of this line and the one before",
    "did not find expected '-' indicator": "check the indentation of this line",
    "',' or '}'": "a { needs its }, and commas between its entries",
    "',' or ']'": "a [ needs its ], and commas between its entries",
    "cannot start any token": "a text that begins with this character needs quotes",
    "found unexpected end of stream": "a quote is opened and never closed",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar. `kind` is what a YAML reader takes it for; `text` is what stands in the file, quotes removed."""

    text: str
    kind: Kind
    line: int
    column: int


@dataclass(slots=True)
class Pairs:
    """A mapping, with its keys in the order of the file, duplicates included."""

    line: int
    column: int
    items: list[tuple[Node, Node]] = field(default_factory=list)


@dataclass(slots=True)
class Items:
    """A sequence."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)


Node = Leaf | Pairs | Items


class Unreadable(Exception):
    """Not a YAML file that could be a chain.yaml; carries the one problem that stopped the reading."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, column, "", message)


def read(data: bytes) -> Node:
    """The tree of the file's bytes; raises Unreadable. Time and memory are linear in `len(data)`."""
    text = _text(data)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from error
    except yaml.YAMLError as error:
        raise Unreadable(0, 0, f"not valid YAML: {error}") from error
    if builder.root is None:
        raise Unreadable(0, 0, "the file is empty; a chain.yaml begins with `name: my-chain`")
    return builder.root


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Unreadable(0, 0, f"the file has {len(data):,} bytes; a chain.yaml has at most {MAX_BYTES:,}")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable(1, 1, "the file is UTF-16; save it as UTF-8")
    if data.startswith(codecs.BOM_UTF8):
        raise Unreadable(1, 1, "the file begins with a byte order mark; save it as UTF-8 without BOM")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise Unreadable(*_position(before), f"byte 0x{data[error.start]:02x} is not UTF-8") from error
    if found := _CONTROL.search(text):
        name = "a NUL byte" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
        raise Unreadable(*_position(text[: found.start()]), f"{name} does not belong in a text file")
    return text


def _position(before: str) -> tuple[int, int]:
    lines = _BREAK.split(before)
    return len(lines), len(lines[-1]) + 1


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = _BREAK.split(text)
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    problem = str(error.problem or error.context or "cannot be read")
    return Unreadable(line, column, f"not valid YAML: {problem}{_hint(problem, here)}")


def _hint(problem: str, line: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "; a tab indents this line, YAML wants spaces"
    if "${" in line:
        return "; put a text with ${…} in quotes"
    return next((f"; {hint}" for words, hint in _HINTS.items() if words in problem), "")


class _Builder:
    """Puts the tree together from parse events; raises Unreadable for what a chain.yaml does not use."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[tuple[Pairs | Items, list[Node]]] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        if isinstance(event, yaml.NodeEvent):
            self._refuse(event, line, column)
        if isinstance(event, yaml.ScalarEvent):
            self._add(Leaf(event.value, "text" if event.style else kind_of(event.value), line, column))
        elif isinstance(event, yaml.CollectionStartEvent):
            node = Pairs(line, column) if isinstance(event, yaml.MappingStartEvent) else Items(line, column)
            self._add(node)
            self._open.append((node, []))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Unreadable(line, column, "a second document begins here; a chain.yaml holds one")

    def _refuse(self, event: yaml.NodeEvent, line: int, column: int) -> None:
        if event.anchor is not None:
            raise Unreadable(line, column, "anchors and aliases (&, *) are not used in a chain.yaml; write it out")
        if getattr(event, "tag", None) is not None:
            raise Unreadable(line, column, "tags (!…) are not used in a chain.yaml; write the plain value")
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable(line, column, f"nested deeper than {MAX_DEPTH} levels")

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.root = node

    def _close(self) -> None:
        node, children = self._open.pop()
        if isinstance(node, Items):
            node.items.extend(children)
        else:
            node.items.extend(zip(children[::2], children[1::2], strict=True))


def kind_of(text: str) -> Kind:
    """What YAML readers take an unquoted `text` for: YAML 1.1 as PyYAML reads it, and 1.2's numbers such as `1e3`.

    `unclear` are numbers that some read otherwise than others: `010`, `0x10`, `1_000`, `1:30`, `.inf`.
    """
    if re.fullmatch(NUMBER, text):
        return "integer" if re.fullmatch(INTEGER, text) else "number"
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    tag = next((tag for tag, pattern in resolvers if pattern.match(text)), "")
    return _TAGS.get(tag.rpartition(":")[2], "text")


def describe(node: Node) -> str:
    """The node as an error message calls it: `the number 5`, `a list`, `nothing`."""
    if isinstance(node, Pairs):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    shown = repr(node.text if len(node.text) <= 60 else node.text[:59] + "…")
    return _WORDS[node.kind].format(shown if node.kind == "text" else node.text[:60])
