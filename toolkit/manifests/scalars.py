"""Values as YAML: how a value gets into a template's text, and how a whole manifest becomes text.

May live here: quoting. May not: what any value means.

Strings are double-quoted wherever YAML 1.1 or 1.2, as Python or Go read them, could take them for something else: `on`
and `no` are booleans to some, `0755` and `1e3` numbers, `12:30` is 750.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Beyond JSON's escapes: what YAML does not take as it is, or takes for the end of a line.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./:@-]*[A-Za-z0-9_./@-])?")  # no blank, so `:` begins no value
_LITERAL = re.compile(r"[ -&(-~]+")  # no `'`, so single quotes need no escape at all: JSON stays readable
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_encode = json.JSONEncoder(ensure_ascii=False).encode


def quoted(value: object) -> str:
    """`value` as YAML on one line, which reads back as the very same value whatever it holds.

    Strings are always in double quotes; mappings and sequences become flow collections. Raises TypeError for what a
    manifest has no use for: None (leave the line out), floats (Kubernetes wants text or whole numbers), anything else.
    """
    if isinstance(value, str):
        return _UNPRINTABLE.sub(_escaped, _encode(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(str(key))}: {quoted(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(quoted, value)) + "]"
    raise TypeError(f"{value!r:.60} ({type(value).__name__}) has no place in a manifest")


def document(manifest: Mapping[str, Any]) -> str:
    """One manifest as a YAML document in block style, keys in their order, without the `---`."""
    return "\n".join(_block(manifest, 0)) + "\n"


def _block(value: Mapping[str, Any] | Sequence[Any], depth: int) -> list[str]:
    lines: list[str] = []
    margin = "  " * depth
    if isinstance(value, Mapping):
        for key, each in value.items():
            lines += _entry(f"{margin}{_scalar(str(key))}:", each, depth)
        return lines
    for each in value:
        if _nested(each):
            inner = _block(each, depth + 1)
            lines += [f"{margin}- {inner[0].lstrip(' ')}", *inner[1:]]
        else:
            lines.append(f"{margin}- {_scalar(each)}")
    return lines


def _entry(head: str, value: object, depth: int) -> list[str]:
    if _nested(value):
        return [head, *_block(value, depth + 1)]  # type: ignore[arg-type]  # `_nested` says so
    return [f"{head} {_scalar(value)}"]


def _nested(value: object) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and len(value) > 0


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if isinstance(value, str) and '"' in value and _LITERAL.fullmatch(value):
        return f"'{value}'"
    return quoted(value)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
