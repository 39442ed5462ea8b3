"""Values as YAML: how a value gets into a template's text, and how a whole manifest becomes text.

May live here: quoting. May not: what any value means.

Strings are double-quoted wherever YAML 1.1 or 1.2, as Python or Go read them, could take them for something else: `on`
and `no` are booleans to some, `0755` and `1e3` numbers, `12:30` is 750.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.errors import UsageError

_NOT_AS_IT_IS = re.compile(r"[^ !#-\[\]-~]")  # all but printable ASCII, and what ends or escapes within double quotes
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./:@-]*[A-Za-z0-9_./@-])?")  # no blank, so `:` begins no value
_LITERAL = re.compile(r"[ -&(-~]+")  # no `'`, so single quotes need no escape at all: JSON stays readable
_LINES = re.compile(r"(?! )[ -~]+(?:\n+[ -~]+)*\n?")  # a text that YAML keeps as it is below a `|`
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def quoted(value: object) -> str:
    """`value` as YAML on one line, which reads back as the very same value whatever it holds.

    Strings are always in double quotes, in ASCII; mappings and sequences become flow collections. Raises TypeError for
    what a manifest has no use for: None (leave the line out), floats (Kubernetes wants text or whole numbers), anything
    else; and UsageError for text that is not Unicode.
    """
    if isinstance(value, str):
        return f'"{_NOT_AS_IT_IS.sub(_escaped, value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(str(key))}: {quoted(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
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
    if isinstance(value, str) and "\n" in value and _LINES.fullmatch(value):
        margin = "  " * (depth + 1)
        lines = [f"{margin}{line}" if line else "" for line in value.removesuffix("\n").split("\n")]
        return [f"{head} {'|' if value.endswith(chr(10)) else '|-'}", *lines]
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
    character, code = match[0], ord(match[0])
    if 0xD800 <= code <= 0xDFFF:
        raise UsageError(f"{match.string!a:.100} is no text: it holds half a character (U+{code:X})")
    if short := _SHORT.get(character):
        return short
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
