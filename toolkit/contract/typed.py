"""Whether the fields of a dataclass that came as JSON hold what they are annotated with.

May live here: the check, and the words for types that JSON can say. May not: what any particular record means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Literal, TypeVar, get_args

Via = Literal["call", "event"]
Arrived = Literal["entry", "call", "event"]
Protocol = Literal["zipkin", "otlp"]
Transfer = Literal["inline", "stream", "file", "s3", "redis"]  # how the data of a message travels
Scalar = str | int | float | bool

_KINDS: Mapping[str, tuple[type, ...]] = {  # what JSON may hold for an annotation; others their makers check
    "str": (str,),
    "str | None": (str, type(None)),
    "bool": (bool,),
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "Mapping[str, str]": (dict,),
    "Mapping[str, int]": (dict,),
    "Mapping[str, Scalar]": (dict,),
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "Via": get_args(Via),
    "Arrived": get_args(Arrived),
    "Protocol": get_args(Protocol),
    "Transfer": get_args(Transfer),
}
_T = TypeVar("_T")


def typed(made: _T, path: str) -> _T:
    """`made`, if its fields hold what they are annotated with; raises TypeError or ValueError with the field's path."""
    kind: Any = type(made)
    for name, annotation, kinds, words in _rules(kind):
        value = getattr(made, name)
        if kinds is not None and type(value) not in kinds:  # exactly: True is no number
            raise TypeError(f"{path}{name}: {value!r:.60} is not {annotation}")
        if words is not None and value not in words:
            raise ValueError(f"{path}{name}: {value!r:.60} is none of {', '.join(words)}")
        if annotation == "tuple[str, ...]" and not all(isinstance(each, str) for each in value):
            raise TypeError(f"{path}{name}: {value!r:.60} is not {annotation}")
    return made


@cache
def _rules(kind: Any) -> tuple[tuple[str, str, tuple[type, ...] | None, tuple[str, ...] | None], ...]:
    """Of a dataclass: name, annotation, and what either allows, of each field."""
    annotated = ((each.name, str(each.type)) for each in fields(kind))
    return tuple((name, text, _KINDS.get(text), _WORDS.get(text)) for name, text in annotated)
