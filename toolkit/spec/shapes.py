"""The kinds of value a chain.yaml is made of. Each reads itself from the tree, and says itself as JSON Schema.

One idea, one place: the parser and the schema for editors walk the same objects. May not live here: which keys there
are (`language`), and rules between them (`rules`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from toolkit.spec import units
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.units import shown
from toolkit.spec.yamltree import Items, Leaf, Node, Pairs, describe

Schema = dict[str, Any]
# No terminal is to be driven by a chain.yaml, and no environment holds a NUL.
_UNPRINTABLE = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\u2028\\u2029]")


class Shape(Protocol):
    """What may stand in one place. `read` returns None after it has added a problem."""

    def read(self, node: Node, place: Place, found: Findings) -> Any: ...

    def schema(self) -> Schema: ...


def place_of(node: Node, path: str) -> Place:
    return Place(node.line, node.column, path)


@dataclass(frozen=True)
class Text:
    """A text. `pattern` must match all of it; `wrong` says, in words, what no pattern can (None: nothing)."""

    what: str = "a text"
    pattern: str | None = None
    longest: int | None = None
    wrong: Callable[[str], str | None] = lambda text: None
    example: str = ""

    def read(self, node: Node, place: Place, found: Findings) -> str | None:
        if not isinstance(node, Leaf):
            found.add(place, f"expected {self.what}, found {describe(node)}")
        elif node.kind != "text":
            quote = f'; as a text it needs quotes: "{node.text}"' if node.text and not self.fault(node.text) else ""
            found.add(place, f"expected {self.what}, found {describe(node)}{quote}")
        elif fault := self.fault(node.text):
            found.add(place, fault)
        else:
            return node.text
        return None

    def fault(self, text: str) -> str | None:
        """What is wrong with `text`, or None."""
        if found := _UNPRINTABLE.search(text):
            return f"{shown(text)} holds the control character U+{ord(found[0]):04X}"
        if self.longest is not None and len(text) > self.longest:
            return f"{shown(text)} has {len(text)} characters; {self.what} has at most {self.longest}"
        if fault := self.wrong(text):
            return fault
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            return f"{shown(text)} is not {self.what}" + (f"; write it like {self.example}" if self.example else "")
        return None

    def schema(self) -> Schema:
        schema: Schema = {"type": "string"}
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        if self.longest is not None:
            schema["maxLength"] = self.longest
        return schema


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds; `unit` says what it counts, in the plural."""

    unit: str
    minimum: int
    maximum: int

    def read(self, node: Node, place: Place, found: Findings) -> int | None:
        wanted = f"a whole number of {self.unit}, {self.minimum:,} to {self.maximum:,}"
        if not isinstance(node, Leaf) or node.kind != "integer":
            hint = "; ${…} works in `repeat` and `env` only" if isinstance(node, Leaf) and "${" in node.text else ""
            found.add(place, f"expected {wanted}, found {describe(node)}{hint}")
        elif len(node.text) > 15 or not self.minimum <= int(node.text) <= self.maximum:
            found.add(place, f"{shown(node.text).strip(chr(39))} is out of range; expected {wanted}")
        else:
            return int(node.text)
        return None

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True)
class Duration:
    """A time longer than none, as seconds."""

    def read(self, node: Node, place: Place, found: Findings) -> float | None:
        if not isinstance(node, Leaf) or node.kind not in ("text", "integer"):
            found.add(place, f"expected a duration, found {describe(node)}; {units.DURATION_FORMS}")
            return None
        try:
            seconds = units.seconds(node.text)
        except ValueError as error:
            found.add(place, str(error))
            return None
        if seconds <= 0:
            found.add(place, f"{shown(node.text)} is no time at all; a duration here is longer than 0")
            return None
        return seconds

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^(?=.*[1-9])(?:{units.DURATION})$"}


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, node: Node, place: Place, found: Findings) -> str | None:
        if isinstance(node, Leaf) and node.kind == "text" and node.text in self.words:
            return node.text
        close = found.near(node.text, self.words) if isinstance(node, Leaf) else ""
        found.add(place, f"expected {' or '.join(self.words)}, found {describe(node)}{close}")
        return None

    def schema(self) -> Schema:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Listing:
    """A list whose entries have one shape; reads as the list of those that are right."""

    entry: Shape
    what: str

    def read(self, node: Node, place: Place, found: Findings) -> list[At] | None:
        if not isinstance(node, Items):
            found.add(place, f"expected a list of {self.what}, found {describe(node)}")
            return None
        entries = []
        for index, each in enumerate(node.items):
            where = place_of(each, f"{place.path}[{index}]")
            if (value := self.entry.read(each, where, found)) is not None:
                entries.append(At(value, where))
        return entries

    def schema(self) -> Schema:
        return {"type": "array", "items": self.entry.schema()}


@dataclass(frozen=True)
class Row:
    """An entry of a table: where its name stands, and its value."""

    name: Place
    value: At


@dataclass(frozen=True)
class Table:
    """A mapping from names that the user chooses; reads as the rows that are right, in order."""

    name: Text
    entry: Shape
    what: str
    least: int = 0

    def read(self, node: Node, place: Place, found: Findings) -> dict[str, Row] | None:
        if not isinstance(node, Pairs):
            found.add(place, f"expected a mapping of {self.what}, found {describe(node)}")
            return None
        if len(node.items) < self.least:
            found.add(place, f"there is nothing in it; expected a mapping of {self.what}")
        rows = {}
        for name, key, value in _unique(node, place, found):
            if fault := self.name.fault(name):
                found.add(place_of(key, key_path(place.path, name)), fault)
                continue
            where = place_of(value, key_path(place.path, name))
            if (read := self.entry.read(value, where, found)) is not None:
                rows[name] = Row(place_of(key, where.path), At(read, where))
        return rows

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": self.name.schema(),
            "additionalProperties": self.entry.schema(),
            "minProperties": self.least,
        }


@dataclass(frozen=True)
class Key:
    """One key of a record; `about` is shown by editors and when a required key is missing."""

    shape: Shape
    about: str
    required: bool = False


@dataclass(frozen=True)
class Record:
    """A mapping with known keys. `refused` are keys people look for here, and why there are none."""

    what: str
    keys: Mapping[str, Key]
    refused: Mapping[str, str] = field(default_factory=dict)

    def read(self, node: Node, place: Place, found: Findings) -> dict[str, At] | None:
        if not isinstance(node, Pairs):
            found.add(place, f"expected {self.what} with {self._names()}, found {describe(node)}")
            return None
        values, seen = {}, set()
        for name, key, value in _unique(node, place, found):
            seen.add(name)
            if name not in self.keys:
                found.add(place_of(key, key_path(place.path, name)), self._unknown(name, found))
                continue
            where = place_of(value, key_path(place.path, name))
            if (read := self.keys[name].shape.read(value, where, found)) is not None:
                values[name] = At(read, where)
        for name in [name for name, key in self.keys.items() if key.required and name not in seen]:
            found.add(place, f"the key '{name}' is missing: {self.keys[name].about}")
        return values

    def _unknown(self, name: str, found: Findings) -> str:
        if name in self.refused:
            return self.refused[name]
        return f"unknown key{found.near(name, self.keys) or f'; {self.what} has {self._names()}'}"

    def _names(self) -> str:
        return ", ".join(self.keys)

    def schema(self) -> Schema:
        properties = {name: {"description": key.about, **key.shape.schema()} for name, key in self.keys.items()}
        required = [name for name, key in self.keys.items() if key.required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _unique(node: Pairs, place: Place, found: Findings) -> list[tuple[str, Leaf, Node]]:
    """The pairs of `node` whose keys are texts that were not there before, as (key, its leaf, value)."""
    lines: dict[str, int] = {}
    pairs = []
    for key, value in node.items:
        if not isinstance(key, Leaf) or key.kind != "text":
            found.add(place_of(key, place.path), f"expected a text as key, found {describe(key)}")
        elif key.text in lines:
            message = f"the key stands twice; it is already there in line {lines[key.text]}"
            found.add(place_of(key, key_path(place.path, key.text)), message)
        else:
            lines[key.text] = key.line
            pairs.append((key.text, key, value))
    return pairs


def key_path(path: str, name: str) -> str:
    """`path.name`, with a name that is no plain word in quotes."""
    word = name if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name) else shown(name)
    return f"{path}.{word}" if path else word
