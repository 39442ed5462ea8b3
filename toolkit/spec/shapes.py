"""The kinds of value a chain.yaml is made of. Each reads itself from the tree, and says itself as JSON Schema.

One idea, one place: the parser and the schema for editors walk the same objects. May not live here: numbers and what
is measured (`amounts`), which keys there are (`language`), and rules between them (`rules`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from toolkit.contract.units import shown
from toolkit.spec.findings import At, Findings, Place
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
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, node: Node, place: Place, found: Findings) -> str | None:
        if isinstance(node, Leaf) and node.kind == "text" and node.text in self.words:
            return node.text
        close = found.closest(node.text, self.words) if isinstance(node, Leaf) else None
        hint = f" — did you mean '{close}'?" if close else ""
        found.add(place, f"expected {' or '.join(self.words)}, found {describe(node)}{hint}")
        return None

    def schema(self) -> Schema:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Listing:
    """A list whose entries have one shape."""

    entry: Shape
    what: str

    def read(self, node: Node, place: Place, found: Findings) -> list[At] | None:
        if not isinstance(node, Items):
            found.add(place, f"expected a list of {self.what}, found {describe(node)}")
            return None
        places = [place_of(each, f"{place.path}[{index}]") for index, each in enumerate(node.items)]
        return [At(self.entry.read(each, at, found), at) for each, at in zip(node.items, places, strict=True)]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.entry.schema()}


@dataclass(frozen=True)
class Row:
    """An entry of a table: where its name stands, and its value."""

    name: Place
    value: At


@dataclass(frozen=True)
class Table:
    """A mapping from names that the user chooses; reads as its rows, in order, also those with a problem."""

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
            path = key_path(place.path, name)
            if fault := self.name.fault(name):
                found.add(place_of(key, path), fault)
            where = place_of(value, path)
            rows[name] = Row(place_of(key, path), At(self.entry.read(value, where, found), where))
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
    """One key of a record; `about` is shown by editors and when a required key is missing.

    `only` names another key and the word it must have for this one to make sense.
    """

    shape: Shape
    about: str
    required: bool = False
    only: tuple[str, str] | None = None


@dataclass(frozen=True)
class Record:
    """A mapping with known keys; reads as those that are there. `refused`: keys people look for, and why not.

    Of the groups of `one_of`, keys of exactly one are there, or `may_lack_all` of them; the first is the usual one.
    """

    what: str
    keys: Mapping[str, Key]
    refused: Mapping[str, str] = field(default_factory=dict)
    one_of: tuple[tuple[str, ...], ...] = ()
    may_lack_all: bool = False
    least: int = 0

    def read(self, node: Node, place: Place, found: Findings) -> dict[str, At] | None:
        if not isinstance(node, Pairs):
            found.add(place, f"expected {self.what} with {self._names()}, found {describe(node)}")
            return None
        if len(node.items) < self.least:
            found.add(place, f"there is nothing in it; expected {self.what} with {self._names()}")
        values, meant = {}, set()
        for name, key, value in _unique(node, place, found):
            where = place_of(value, key_path(place.path, name))
            if name in self.keys:
                values[name] = At(self.keys[name].shape.read(value, where, found), where)
            else:
                meant.add(self._unknown(name, place_of(key, where.path), found))
        for name, known in self.keys.items():
            if known.required and name not in values and name not in meant:
                found.add(place, f"the key '{name}' is missing: {known.about}")
            elif known.only and name in values:
                _belongs(values[name], *known.only, values, found)
        self._one(place, values, meant, found)
        return values

    def _one(self, place: Place, values: Mapping[str, At], meant: set[str | None], found: Findings) -> None:
        said = [group for group in self.one_of if any(name in values or name in meant for name in group)]
        if self.one_of and not said and not self.may_lack_all:
            usual, others = self.one_of[0][0], [name for group in self.one_of[1:] for name in group]
            found.add(place, f"the key '{usual}' is missing: {self.keys[usual].about} (or {', '.join(others)})")
        first = next((name for group in said[:1] for name in group if name in values), None)
        for name in (name for group in said[1:] for name in group if name in values and first):
            found.add(values[name].place, f"{self.what} has `{first}` or `{name}`, not both; leave one out")

    def _unknown(self, name: str, place: Place, found: Findings) -> str | None:
        """Adds the problem; returns the key that was probably meant."""
        close = None if name in self.refused else found.closest(name, self.keys)
        hint = f" — did you mean '{close}'?" if close else f"; {self.what} has {self._names()}"
        found.add(place, self.refused.get(name, f"unknown key{hint}"))
        return close

    def _names(self) -> str:
        return ", ".join(self.keys)

    def schema(self) -> Schema:
        properties = {name: {"description": key.about, **key.shape.schema()} for name, key in self.keys.items()}
        required = [name for name, key in self.keys.items() if key.required]
        rules = [_only_schema(name, *key.only) for name, key in self.keys.items() if key.only]
        rules += [{"oneOf": self._one_schema()}] if self.one_of else []
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        schema |= {"minProperties": self.least} if self.least else {}
        return {**schema, **({"required": required} if required else {}), **({"allOf": rules} if rules else {})}

    def _one_schema(self) -> list[Schema]:
        groups = [_any_schema(group) for group in self.one_of]
        return [*groups, {"not": {"anyOf": groups}}] if self.may_lack_all else groups


def _belongs(at: At, other: str, word: str, values: Mapping[str, At], found: Findings) -> None:
    given = values[other].value if other in values else None
    if given not in (None, word):
        found.add(at.place, f"this is for `{other}: {word}` only; leave it out, or change `{other}`")


def _only_schema(name: str, other: str, word: str) -> Schema:
    return {"if": {"required": [name]}, "then": {"properties": {other: {"const": word}}}}


def _any_schema(names: tuple[str, ...]) -> Schema:
    return {"anyOf": [{"required": [name]} for name in names]}


def _unique(node: Pairs, place: Place, found: Findings) -> list[tuple[str, Leaf, Node]]:
    """The pairs of `node` whose keys are texts that were not there before, as (key, its leaf, value)."""
    lines: dict[str, int] = {}
    pairs = []
    for key, value in node.items:
        if not isinstance(key, Leaf) or key.kind != "text":
            quotes = "; put it in quotes" if isinstance(key, Leaf) else ""
            found.add(place_of(key, place.path), f"expected a text as key, found {describe(key)}{quotes}")
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
