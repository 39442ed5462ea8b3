"""CloudEvents SQL 1.0 expressions as Knative evaluates them: parsed once into a closure, asked per event.

May live here: the language (lexer, precedence, casts, functions), pure. Source: the CESQL specification, and where it
and cloudevents/sdk-go sql/v2 differ, sdk-go: that is what filters on a cluster. Strings are Go's: bytes, so LENGTH and
LEFT count bytes. Not here: user-defined functions, which Knative cannot register either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from toolkit.engines.local.broker import cesql_values as values
from toolkit.engines.local.broker.cesql_values import CesqlError, Expression
from toolkit.engines.local.broker.event import Message

__all__ = ["CesqlError", "NotBooleanError", "compile"]


class NotBooleanError(Exception):
    """The expression is well and good, and yields no boolean; the real filter dies of it."""


_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:(?P<string>"(?:\\.|""|[^"\\])*"|'(?:\\.|''|[^'\\])*')
    |(?P<int>[+-]?[0-9]+)(?![A-Za-z0-9])
    |(?P<name>[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z_]*)?)
    |(?P<int2>[+-][0-9]+)
    |(?P<op><>|<=|>=|!=|[-+*/%=<>(),]))""",
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = frozenset({"AND", "OR", "XOR", "NOT", "LIKE", "EXISTS", "IN", "TRUE", "FALSE"})
_DEPTH = 100  # of brackets; deeper ones are nobody's filter


def compile(text: str) -> Callable[[Message], bool]:  # noqa: A001  # it is what it does, as in re.compile
    """`text` as a predicate; raises CesqlError when it does not parse.

    The predicate raises CesqlError when it fails for an event, and NotBooleanError when it yields no boolean.
    """
    if not isinstance(text, str):
        raise CesqlError("it must be a string")
    expression = _Parser(_tokens(text)).whole()

    def matches(message: Message) -> bool:
        value = expression(message)
        if not isinstance(value, bool):
            raise NotBooleanError(f"CESQL {text!r} yields no boolean")
        return value

    return matches


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip(" \t\r\n")
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise CesqlError(f"unexpected {text[at : at + 10]!r} at {at}")
        at = token.end()
        kind = str(token.lastgroup)
        word = token[kind]
        if kind == "name" and word.upper() in _KEYWORDS:
            kind, word = "op", word.upper()
        found.append(("int" if kind == "int2" else kind, word))
    return found


class _Parser:
    """Precedence climbing over the grammar's order: unary, LIKE/IN, * / %, + -, comparison, AND/OR/XOR (right)."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def whole(self) -> Expression:
        expression = self._logic()
        if self._at != len(self._tokens):
            raise CesqlError(f"unexpected {self._tokens[self._at][1]!r}")
        return expression

    def _take(self, *words: str) -> str | None:
        if self._at < len(self._tokens):
            kind, word = self._tokens[self._at]
            if kind == "op" and word in words:
                self._at += 1
                return word
        return None

    def _need(self, word: str) -> None:
        if self._take(word) is None:
            raise CesqlError(f"{word!r} is missing")

    def _logic(self) -> Expression:
        self._depth += 1
        if self._depth > _DEPTH:
            raise CesqlError("it is nested too deeply")
        left = self._binary(0)
        word = self._take("AND", "OR", "XOR")
        if word is not None:
            left = values.logical(word, left, self._logic())
        self._depth -= 1
        return left

    def _binary(self, level: int) -> Expression:
        if level == len(values.LEVELS):
            return self._postfix()
        left = self._binary(level + 1)
        while (word := self._take(*values.LEVELS[level])) is not None:
            left = values.BINARY[word](left, self._binary(level + 1))
        return left

    def _postfix(self) -> Expression:
        left = self._unary()
        while True:
            start = self._at
            negated = self._take("NOT") is not None
            if self._take("LIKE"):
                left = values.like(left, self._string())
            elif self._take("IN"):
                left = values.among(left, self._list(1))
            else:
                self._at = start
                return left
            left = values.negated(left) if negated else left

    def _unary(self) -> Expression:
        word = self._take("NOT", "-")
        if word is None:
            return self._atom()
        self._depth += 1
        if self._depth > _DEPTH:
            raise CesqlError("it is nested too deeply")
        inner = self._unary()
        self._depth -= 1
        return values.negated(inner) if word == "NOT" else values.negate(inner)

    def _atom(self) -> Expression:
        if self._take("("):
            inner = self._logic()
            self._need(")")
            return inner
        if self._take("EXISTS"):
            return values.exists(self._name())
        word = self._take("TRUE", "FALSE")
        if word is not None:
            return values.literal(word == "TRUE")
        if self._at >= len(self._tokens):
            raise CesqlError("it ends too early")
        kind, text = self._tokens[self._at]
        if kind == "string":
            return values.literal(self._string())
        self._at += 1
        if kind == "int":
            return values.literal(values.int32(int(text), "literal"))
        if kind != "name":
            raise CesqlError(f"unexpected {text!r}")
        if self._at < len(self._tokens) and self._tokens[self._at] == ("op", "("):
            return values.call(text.upper(), self._list(0))
        return values.attribute(_identifier(text))

    def _name(self) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != "name":
            raise CesqlError("an attribute name is missing")
        self._at += 1
        return _identifier(self._tokens[self._at - 1][1])

    def _string(self) -> bytes:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != "string":
            raise CesqlError("a string is missing")
        self._at += 1
        text = self._tokens[self._at - 1][1]
        return text[1:-1].replace("\\" + text[0], text[0]).encode()

    def _list(self, least: int) -> list[Expression]:
        self._need("(")
        found: list[Expression] = []
        if self._take(")"):
            if least:
                raise CesqlError("an empty set is not allowed")
            return found
        found.append(self._logic())
        while self._take(","):
            found.append(self._logic())
        self._need(")")
        return found


def _identifier(text: str) -> str:
    if "_" in text:
        raise CesqlError(f"{text!r} is no attribute name")
    return text.lower()
