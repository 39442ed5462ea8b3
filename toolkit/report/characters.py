"""What may reach a terminal or an XML file: text from functions and servers is a stranger's."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ASCII = str.maketrans(
    {
        "─": "-",
        "▶": ">",
        "✓": "+",
        "✗": "x",
        "█": "#",
        "▌": ":",
        "▄": ".",
        "—": "-",
        "·": "|",
        "µ": "u",
        "…": "...",
        "│": "|",
        "≤": "<=",
        "░": ".",
    }
)


def printable(text: str) -> str:
    """One line without anything that a terminal or an XML parser would obey: controls, escapes, bidi overrides."""
    return "".join(each if each.isprintable() else " " if each in "\t\r\n" else REPLACEMENT for each in text)


def in_ascii(text: str) -> str:
    """The same text for a terminal that knows nothing else."""
    return text.translate(_ASCII).encode("ascii", "replace").decode()
