"""The values of a chain.yaml that are numbers, or become them: counts, numbers, durations, Kubernetes quantities.

Shapes like those of `shapes`. May not live here: how a duration or a quantity is written (`units`, `quantities`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from toolkit.contract import units
from toolkit.contract.units import show_seconds, shown
from toolkit.spec import quantities
from toolkit.spec.findings import Findings, Place
from toolkit.spec.shapes import Schema
from toolkit.spec.yamltree import NUMBER, Leaf, Node, describe

_NO_PARAMETER = "; ${…} works in `env`, `set`, `store` and where something is counted"
_EXPONENT = r"^[-+]?[0-9]+(?:\.[0-9]+)?[eE][-+]?[0-9]+$"
_DIGITS = 15  # a float holds each whole number of so many


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds; `unit` says what it counts, in the plural. `zero` says why 0 is out of them."""

    unit: str
    minimum: int
    maximum: int
    zero: str = ""

    def read(self, node: Node, place: Place, found: Findings) -> int | None:
        wanted = f"a whole number of {self.unit}, {self.minimum:,} to {self.maximum:,}"
        if not isinstance(node, Leaf) or node.kind != "integer":
            found.add(place, f"expected {wanted}, found {describe(node)}{_hint(node)}")
        elif len(node.text) > _DIGITS or not self.minimum <= int(node.text) <= self.maximum:
            why = f"; {self.zero}" if self.zero and int(node.text[:_DIGITS]) == 0 else ""
            found.add(place, f"{shown(node.text).strip(chr(39))} is out of range; expected {wanted}{why}")
        else:
            return int(node.text)
        return None

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True)
class Number:
    """A number within bounds, or `besides`; reads as an int when it is whole. `what` names it in messages."""

    what: str
    minimum: float
    maximum: float
    besides: int | None = None

    def read(self, node: Node, place: Place, found: Findings) -> float | None:
        if not isinstance(node, Leaf) or not re.fullmatch(NUMBER, node.text) or node.kind == "text":
            found.add(place, f"expected {self._wanted()}, found {describe(node)}{_hint(node)}")
            return None
        value = float(node.text)
        if not (self.minimum <= value <= self.maximum or value == self.besides):
            found.add(place, f"{shown(node.text).strip(chr(39))} is out of range; expected {self._wanted()}")
            return None
        return int(value) if value.is_integer() else value

    def _wanted(self) -> str:
        besides = "" if self.besides is None else f", or {self.besides}"
        return f"{self.what}, {_plain(self.minimum)} to {_plain(self.maximum)}{besides}"

    def schema(self) -> Schema:
        choices: list[Schema] = [{"type": "number", "minimum": self.minimum, "maximum": self.maximum}]
        choices.append({"type": "string", "pattern": _EXPONENT})  # what YAML 1.1 takes 1e3 for
        return {"anyOf": choices if self.besides is None else [*choices, {"const": self.besides}]}


@dataclass(frozen=True)
class Duration:
    """A time, as seconds: longer than none, or what the bounds say.

    `whole` allows full seconds only. `why` says where a least comes from that nobody would guess.
    """

    least: float | None = None
    most: float = math.inf
    whole: bool = False
    why: str = ""

    def read(self, node: Node, place: Place, found: Findings) -> float | None:
        if not isinstance(node, Leaf) or node.kind not in ("text", "integer"):
            found.add(place, f"expected a duration, found {describe(node)}; {units.DURATION_FORMS}")
            return None
        try:
            seconds = units.seconds(node.text)
        except ValueError as error:
            found.add(place, f"{error}{_hint(node)}")
            return None
        if fault := self._fault(seconds):
            found.add(place, f"{shown(node.text)} {fault}")
            return None
        return int(seconds) if self.whole else seconds

    def _fault(self, seconds: float) -> str | None:
        least = self.least or 0
        if self.least is None and seconds <= 0:
            return "is no time at all; a duration here is longer than 0"
        if not least <= seconds <= self.most:
            why = f"; {self.why}" if self.why and seconds < least else ""
            return f"is out of range; expected {self._bounds()}{why}"
        if self.whole and not seconds.is_integer():
            return "is no whole number of seconds, and Knative reads whole ones here"
        return None

    def _bounds(self) -> str:
        least = "longer than 0" if self.least is None else show_seconds(self.least)
        return f"{least} to {show_seconds(self.most)}" if math.isfinite(self.most) else f"at least {least}"

    def schema(self) -> Schema:
        if self.least == 0:
            return {"anyOf": [{"type": "string", "pattern": f"^(?:{units.DURATION}|0)$"}, {"const": 0}]}
        return {"type": "string", "pattern": f"^(?=.*[1-9])(?:{units.DURATION})$"}


@dataclass(frozen=True)
class Quantity:
    """A Kubernetes quantity, not negative, as it is written."""

    def read(self, node: Node, place: Place, found: Findings) -> str | None:
        if not isinstance(node, Leaf) or node.kind not in ("text", "integer", "number"):
            found.add(place, f"expected a quantity, found {describe(node)}; {quantities.FORMS}")
            return None
        try:
            quantities.amount(node.text)
        except ValueError as error:
            found.add(place, f"{error}{_hint(node)}")
            return None
        if node.text.startswith("-"):
            found.add(place, f"{shown(node.text)} is below 0; Kubernetes makes no pod of it, and the function waits")
            return None
        return node.text

    def schema(self) -> Schema:
        return {
            "anyOf": [
                {"type": "string", "pattern": f"^(?!-)(?:{quantities.PATTERN})$"},
                {"type": "number", "minimum": 0},
            ]
        }


def _hint(node: Node) -> str:
    if isinstance(node, Leaf) and node.kind == "text" and re.fullmatch(NUMBER, node.text):
        return "; a number has no quotes"
    return _NO_PARAMETER if isinstance(node, Leaf) and "${" in node.text else ""


def _plain(bound: float) -> str:
    return f"{int(bound):,}" if float(bound).is_integer() else str(bound)
