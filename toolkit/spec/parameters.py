"""The knobs of a chain: their kinds and bounds, what `--set` makes of them, and `${…}`.

A parameter's kind is told by its default: `4KiB` is a size, `250ms` a duration, then integers, numbers, flags, texts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from toolkit.contract import Scalar, units
from toolkit.contract.units import shown
from toolkit.spec import yamltree
from toolkit.spec.counts import NAME, Count
from toolkit.spec.findings import At, Findings, Place
from toolkit.spec.model import Parameter
from toolkit.spec.shapes import Record, Row, Schema, Text
from toolkit.spec.yamltree import Leaf, Node, Pairs, describe

Kind = Literal["size", "duration", "integer", "number", "text", "flag"]
OVERRIDE = "--set"
_DIGITS = 18  # of an integer: it must fit 64 bits wherever the chain's functions read it
_REFERENCE = re.compile(rf"\$(\$|\{{ *({NAME}) *\}}|\{{)")
_ANY = Text()


@dataclass(frozen=True)
class Plain:
    """The default of a parameter: any scalar but nothing and dates."""

    def read(self, node: Node, place: Place, found: Findings) -> Leaf | None:
        if not isinstance(node, Leaf) or node.kind in ("null", "date", "unclear"):
            quote = "; a text needs quotes" if isinstance(node, Leaf) and node.text else ""
            found.add(place, f"expected a size, duration, number, text, true or false, found {describe(node)}{quote}")
        elif node.kind == "flag" and node.text not in ("true", "false"):
            found.add(place, f'{node.text} is a truth value in YAML; write true or false, or "{node.text}" as a text')
        elif fault := _ANY.fault(node.text):
            found.add(place, fault)
        elif not _finite(node):
            found.add(place, f"{shown(node.text)} is not a number that a function could read; keep it below 10^18")
        else:
            return node
        return None

    def schema(self) -> Schema:
        return {"type": ["string", "integer", "number", "boolean"]}


@dataclass(frozen=True)
class Knob:
    """A parameter: its default alone, or a record with `default`."""

    record: Record

    def read(self, node: Node, place: Place, found: Findings) -> dict[str, At] | None:
        if isinstance(node, Pairs):
            return self.record.read(node, place, found)
        default = self.record.keys["default"].shape.read(node, place, found)
        return None if default is None else {"default": At(default, place)}

    def schema(self) -> Schema:
        return {"anyOf": [self.record.keys["default"].shape.schema(), self.record.schema()]}


@dataclass(frozen=True, slots=True)
class Knobs:
    """The chain's parameters with their final values. `broken` are those with a problem of their own."""

    known: Mapping[str, Parameter] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()

    def count(self, said: Count, place: Place, found: Findings) -> int | None:
        """The number that `said` means, or None after a problem."""
        if said.parameter is None:
            return said.offset
        parameter = self._wanted(said.parameter, place, found)
        if parameter is None:
            return None
        if parameter.kind != "integer":
            found.add(place, f"'{parameter.name}' is a {parameter.kind}; a number of {said.of.unit} needs an integer")
            return None
        count = int(parameter.value) + said.offset
        if not said.of.least <= count <= said.of.most:
            given = f"{said.text} is {count} with {parameter.name} = {parameter.value}"
            found.add(place, f"{given}; expected {said.of.least} to {said.of.most:,} {said.of.unit}")
            return None
        return count

    def fill(self, text: str, place: Place, found: Findings) -> str:
        """`text` with every `${name}` replaced (sizes are bytes, durations seconds); `$$` is a `$`."""

        def value(match: re.Match[str]) -> str:
            if match[1] == "$":
                return "$"
            if match[2] is None:
                found.add(
                    place, f"{shown(text)} holds a '${{' that names no parameter; write ${{name}}, or $${{ for the text"
                )
                return ""
            parameter = self._wanted(match[2], place, found)
            return "" if parameter is None else say(parameter.value)

        return _REFERENCE.sub(value, text)

    def written(self, setting: At, found: Findings) -> str | None:
        """What a `--set` of a sub-chain would say, `${…}` filled in; a parameter alone keeps its unit.

        None after a problem.
        """
        before = len(found)
        leaf: Leaf = setting.value
        match = re.fullmatch(rf"\$\{{ *({NAME}) *\}}", leaf.text)
        if match is None or leaf.kind != "text":
            text = self.fill(leaf.text, setting.place, found) if leaf.kind == "text" else leaf.text
            return text if len(found) == before else None
        parameter = self._wanted(match[1], setting.place, found)
        if parameter is None:
            return None
        return f"{parameter.value:.9f}s" if parameter.kind == "duration" else say(parameter.value)

    def _wanted(self, name: str, place: Place, found: Findings) -> Parameter | None:
        if name not in self.known and name not in self.broken:
            found.add(place, f"no parameter named {shown(name)}{found.near(name, [*self.known, *self.broken])}")
        return self.known.get(name)


def say(value: Scalar) -> str:
    """A parameter's value as an environment variable holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def settle(rows: Mapping[str, Row], overrides: Mapping[str, str], found: Findings) -> Knobs:
    """The parameters of `rows`, as `overrides` (`--set NAME=VALUE`) leave them."""
    known: dict[str, Parameter] = {}
    broken = set()
    for name, row in rows.items():
        before = len(found)
        parameter = _parameter(name, row.value.value or {}, found)
        if parameter is not None and name in overrides:
            parameter = _overridden(parameter, overrides[name], found)
        if parameter is not None and len(found) == before:
            known[name] = parameter
        else:
            broken.add(name)
    return Knobs(known, frozenset(broken))


def refuse_unknown(overrides: Mapping[str, str], names: list[str], chain: str, found: Findings) -> None:
    """A problem for every override that is no parameter of the chain."""
    for name in overrides:
        if name not in names:
            none = "" if names else f"; {chain} has no parameters"
            message = f"no parameter named {shown(name)}{found.near(name, names)}{none}"
            found.add(Place(0, 0, ""), message, origin=OVERRIDE)


def _parameter(name: str, keys: Mapping[str, At], found: Findings) -> Parameter | None:
    at = keys.get("default")
    if at is None or at.value is None:
        return None
    default: Leaf = at.value
    kind = kind_of(default)
    try:
        value = value_of(kind, default.text)
    except ValueError as error:
        found.add(at.place, str(error))
        return None
    about = keys["about"].value if "about" in keys else ""
    least, most = (_bound(keys.get(key), kind, found) for key in ("min", "max"))
    parameter = Parameter(name, value, kind, about, least, most)
    if least is not None and most is not None and least > most:
        found.add(keys["max"].place, f"max is {_unit(kind, most)}, below min, which is {_unit(kind, least)}")
    elif fault := _outside(parameter):
        found.add(at.place, f"the default {fault}")
    return parameter


def kind_of(default: Leaf) -> Kind:
    """The kind of a parameter with this default."""
    if default.kind in ("flag", "integer", "number"):
        return default.kind
    if units.is_size(default.text):
        return "size"
    return "duration" if units.is_duration(default.text) else "text"


def value_of(kind: Kind, text: str) -> Scalar:
    """The value that `text` writes; ValueError says how a value of this kind is written."""
    if kind == "size":
        return units.size(text)
    if kind == "duration":
        return units.seconds(text)
    if kind == "text":
        if fault := _ANY.fault(text):
            raise ValueError(fault)
        return text
    if kind == "flag":
        if text not in ("true", "false"):
            raise ValueError(f"{shown(text)} is not a flag; write true or false")
        return text == "true"
    return _number(kind, text)


def _number(kind: Kind, text: str) -> Scalar:
    pattern, article = (yamltree.INTEGER, "an integer") if kind == "integer" else (yamltree.NUMBER, "a number")
    if not re.fullmatch(pattern, text):
        raise ValueError(f"{shown(text)} is not {article}")
    if not _finite(Leaf(text, "integer" if kind == "integer" else "number", 0, 0)):
        raise ValueError(f"{shown(text)} is not a number that a function could read; keep it below 10^18")
    return int(text) if kind == "integer" else float(text)


def _finite(leaf: Leaf) -> bool:
    if leaf.kind == "integer":
        return len(leaf.text.lstrip("+-")) <= _DIGITS
    return leaf.kind != "number" or (re.fullmatch(yamltree.NUMBER, leaf.text) is not None and _small(leaf.text))


def _small(text: str) -> bool:
    return math.isfinite(float(text)) and abs(float(text)) < 10**_DIGITS


def _bound(bound: At | None, kind: Kind, found: Findings) -> float | None:
    if bound is None or bound.value is None:
        return None
    leaf: Leaf = bound.value
    if kind in ("text", "flag"):
        found.add(bound.place, f"a {kind} has no bounds; they are for sizes, durations, integers and numbers")
        return None
    try:
        return _as_bound(kind, leaf)
    except ValueError as error:
        found.add(bound.place, f"{error} (the default makes this parameter a{'n' * (kind == 'integer')} {kind})")
        return None


def _as_bound(kind: Kind, leaf: Leaf) -> float:
    if leaf.kind == "flag":
        raise ValueError(f"{shown(leaf.text)} is not a{'n' * (kind == 'integer')} {kind}")
    value = value_of(kind, leaf.text)
    return value if isinstance(value, int) else float(value)


def _overridden(parameter: Parameter, text: str, found: Findings) -> Parameter | None:
    place = Place(0, 0, parameter.name)
    try:
        changed = replace(parameter, value=value_of(parameter.kind, text))
    except ValueError as error:
        found.add(place, str(error), origin=OVERRIDE)
        return None
    if fault := _outside(changed):
        found.add(place, fault, origin=OVERRIDE)
        return None
    return changed


def _outside(parameter: Parameter) -> str | None:
    value: Any = parameter.value
    shown_value = _unit(parameter.kind, value)
    if parameter.minimum is not None and value < parameter.minimum:
        return f"{shown_value} is below its min, which is {_unit(parameter.kind, parameter.minimum)}"
    if parameter.maximum is not None and value > parameter.maximum:
        return f"{shown_value} is above its max, which is {_unit(parameter.kind, parameter.maximum)}"
    return None


def _unit(kind: Kind, value: float) -> str:
    if kind == "size":
        return units.show_size(int(value))
    return units.show_seconds(value) if kind == "duration" else str(value)
