"""How many: the numbers of a chain.yaml that a parameter may hold. Shapes like those of `shapes`.

They read as a `Count`, or two of them; `parameters.Knobs` knows what these are. May not live here: numbers that no
parameter holds (`amounts`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from toolkit.contract.units import shown
from toolkit.spec.amounts import Whole
from toolkit.spec.findings import Findings, Place
from toolkit.spec.shapes import Choice, Schema, Text
from toolkit.spec.yamltree import Kind, Leaf, Node

NAME = r"[a-z][a-z0-9_]*"  # of a parameter
FORMULA = rf"\$\{{ *({NAME}) *(?:([+-]) *([0-9]{{1,6}}) *)?\}}"
FORMS = 'write a whole number, "${length}" or "${length - 2}"'
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Count:
    """So many: `offset`, or a parameter plus `offset`; `of` says within which bounds, and what is counted."""

    text: str
    parameter: str | None
    offset: int
    of: Number


@dataclass(frozen=True)
class Number:
    """A whole number, or one parameter plus or minus a whole number. `unit` says what it counts, in the plural.

    `zero` says, where 0 is out of bounds, what to write instead.
    """

    unit: str = "repetitions"
    least: int = 0
    most: int = 1000
    zero: str = ""

    def read(self, node: Node, place: Place, found: Findings) -> Count | None:
        if isinstance(node, Leaf) and node.kind == "text":
            if match := re.fullmatch(FORMULA, node.text):
                return Count(node.text, match[1], int(f"{match[2] or '+'}{match[3] or '0'}"), self)
            found.add(place, f"{shown(node.text)} is no number of {self.unit}; {FORMS}")
            return None
        count = self._whole().read(node, place, found)
        return None if count is None else Count(str(count), None, count, self)

    def _whole(self) -> Whole:
        return Whole(self.unit, self.least, self.most, self.zero)

    def schema(self) -> Schema:
        return {"anyOf": [self._whole().schema(), {"type": "string", "pattern": f"^{FORMULA}$"}]}


@dataclass(frozen=True, slots=True)
class Bounds:
    """From so many to so many; `most` is None for any number."""

    least: Count
    most: Count | None


@dataclass(frozen=True)
class Amount:
    """How many: a number or parameter as in `Number`, or two of them with `..` between; the second may be left out."""

    number: Number = field(default_factory=lambda: Number("messages", 0, MOST))

    def read(self, node: Node, place: Place, found: Findings) -> Bounds | None:
        if not isinstance(node, Leaf) or ".." not in node.text:
            count = self.number.read(node, place, found)
            return None if count is None else Bounds(count, count)
        low, _, high = node.text.partition("..")
        least = self._bound(low, node, place, found)
        most = self._bound(high, node, place, found) if high.strip() else None
        return None if least is None or (high.strip() and most is None) else Bounds(least, most)

    def _bound(self, text: str, node: Leaf, place: Place, found: Findings) -> Count | None:
        text = text.strip()
        kind: Kind = "integer" if re.fullmatch(r"0|[1-9][0-9]*", text) else "text"
        return self.number.read(Leaf(text, kind, node.line, node.column), place, found)

    def schema(self) -> Schema:
        one = rf"(?:[0-9]{{1,5}}|{FORMULA})"
        return {"anyOf": [self.number.schema(), {"type": "string", "pattern": rf"^ *{one} *\.\. *(?:{one} *)?$"}]}


@dataclass(frozen=True)
class Joined:
    """What a join waits for: `all`, `parts`, or a number."""

    number: Number = field(default_factory=lambda: Number("events", 1, MOST))

    def read(self, node: Node, place: Place, found: Findings) -> str | Count | None:
        if isinstance(node, Leaf) and node.kind == "text" and not re.search(r"[${]", node.text):
            return Choice(("all", "parts")).read(node, place, found)
        return self.number.read(node, place, found)

    def schema(self) -> Schema:
        return {"anyOf": [{"enum": ["all", "parts"]}, self.number.schema()]}


@dataclass(frozen=True)
class Chosen:
    """One of some words, or the parameter that holds it."""

    words: tuple[str, ...]

    def read(self, node: Node, place: Place, found: Findings) -> str | None:
        if isinstance(node, Leaf) and re.fullmatch(rf"\$\{{ *{NAME} *\}}", node.text):
            return node.text
        return Choice(self.words).read(node, place, found)

    def schema(self) -> Schema:
        return {"anyOf": [{"enum": list(self.words)}, {"type": "string", "pattern": rf"^\$\{{ *{NAME} *\}}$"}]}


@dataclass(frozen=True)
class Filled:
    """A text in which parameters may stand; what they make of it is not looked at."""

    text: Text

    def read(self, node: Node, place: Place, found: Findings) -> str | None:
        if isinstance(node, Leaf) and "${" in node.text:
            return Text(self.text.what, longest=self.text.longest).read(node, place, found)
        return self.text.read(node, place, found)

    def schema(self) -> Schema:
        return {"anyOf": [self.text.schema(), {"type": "string", "pattern": r"\$\{"}]}
