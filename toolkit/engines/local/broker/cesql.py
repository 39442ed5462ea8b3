"""CloudEvents SQL 1.0 expressions as Knative evaluates them: parsed once into a closure, asked per event.

May live here: the language (lexer, precedence, casts, functions), pure. Source: the CESQL specification, and where it
and cloudevents/sdk-go sql/v2 differ, sdk-go: that is what filters on a cluster. Strings are Go's: bytes, so LENGTH and
LEFT count bytes. Not here: user-defined functions, which Knative cannot register either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from toolkit.engines.local.broker import golang
from toolkit.engines.local.broker.event import TTL, Message

Value = bytes | int | bool
Expression = Callable[[Message], Value]


class CesqlError(ValueError):
    """An expression that does not parse, or that fails for this event (a missing attribute, a bad cast)."""


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
            left = _logical(word, left, self._logic())
        self._depth -= 1
        return left

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._postfix()
        left = self._binary(level + 1)
        while (word := self._take(*_LEVELS[level])) is not None:
            left = _BINARY[word](left, self._binary(level + 1))
        return left

    def _postfix(self) -> Expression:
        left = self._unary()
        while True:
            start = self._at
            negated = self._take("NOT") is not None
            if self._take("LIKE"):
                left = _like(left, self._string())
            elif self._take("IN"):
                left = _in(left, self._list(1))
            else:
                self._at = start
                return left
            left = _not(left) if negated else left

    def _unary(self) -> Expression:
        word = self._take("NOT", "-")
        if word is None:
            return self._atom()
        self._depth += 1
        if self._depth > _DEPTH:
            raise CesqlError("it is nested too deeply")
        inner = self._unary()
        self._depth -= 1
        return _not(inner) if word == "NOT" else _negate(inner)

    def _atom(self) -> Expression:
        if self._take("("):
            inner = self._logic()
            self._need(")")
            return inner
        if self._take("EXISTS"):
            return _exists(self._name())
        word = self._take("TRUE", "FALSE")
        if word is not None:
            return _literal(word == "TRUE")
        if self._at >= len(self._tokens):
            raise CesqlError("it ends too early")
        kind, text = self._tokens[self._at]
        if kind == "string":
            return _literal(self._string())
        self._at += 1
        if kind == "int":
            return _literal(_int32(int(text), "literal"))
        if kind != "name":
            raise CesqlError(f"unexpected {text!r}")
        if self._at < len(self._tokens) and self._tokens[self._at] == ("op", "("):
            return _call(text.upper(), self._list(0))
        return _attribute(_identifier(text))

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


# --- values ----------------------------------------------------------------------------------------------------------


def _attribute_value(message: Message, name: str) -> bytes | None:
    if name == "datacontenttype":
        return message.content_type
    key = name.encode()
    if key == b"dataschema" and message.attributes[b"specversion"] == b"0.3":
        key = b"schemaurl"
    return None if key == TTL else message.attributes.get(key)


def _attribute(name: str) -> Expression:
    def evaluate(message: Message) -> Value:
        value = _attribute_value(message, name)
        if value is None:
            raise CesqlError(f"missing attribute {name!r}")
        return value

    return evaluate


def _exists(name: str) -> Expression:
    return lambda message: _attribute_value(message, name) is not None


def _literal(value: Value) -> Expression:
    return lambda message: value


def _int(value: Value) -> int:
    if isinstance(value, bool):
        raise CesqlError("a boolean is no integer")
    if isinstance(value, int):
        return value
    if not re.fullmatch(rb"[+-]?[0-9]+", value):
        raise CesqlError(f"{value!r} is no integer")
    return _int32(int(value), "value")


def _int32(value: int, what: str) -> int:
    if not -(2**31) <= value < 2**31:
        raise CesqlError(f"the {what} {value} is out of range")
    return value


def _wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def _bool(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, bytes) and value.lower() in (b"true", b"false"):
        return value.lower() == b"true"
    raise CesqlError(f"{value!r} is no boolean")


def _text(value: Value) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return b"%d" % value if isinstance(value, int) else value


def _like_type(value: Value, other: Value) -> Value:
    """`value` cast to the type of `other`."""
    if isinstance(other, bool):
        return _bool(value)
    return _int(value) if isinstance(other, int) else _text(value)


# --- operators -------------------------------------------------------------------------------------------------------


def _not(inner: Expression) -> Expression:
    return lambda message: not _bool(inner(message))


def _negate(inner: Expression) -> Expression:
    return lambda message: _wrap(-_int(inner(message)))


def _logical(word: str, left: Expression, right: Expression) -> Expression:
    def evaluate(message: Message) -> Value:
        first = _bool(left(message))
        if (word == "AND" and not first) or (word == "OR" and first):
            return first  # the right side is not asked, so it cannot fail
        second = _bool(right(message))
        return first != second if word == "XOR" else second

    return evaluate


def _equal(wanted: bool) -> Callable[[Expression, Expression], Expression]:
    def build(left: Expression, right: Expression) -> Expression:
        def evaluate(message: Message) -> Value:
            a, b = left(message), right(message)
            return (_like_type(a, b) == b) == wanted

        return evaluate

    return build


def _numbers(compute: Callable[[int, int], Value]) -> Callable[[Expression, Expression], Expression]:
    def build(left: Expression, right: Expression) -> Expression:
        def evaluate(message: Message) -> Value:
            a, b = left(message), right(message)
            return compute(_int(a), _int(b))

        return evaluate

    return build


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise CesqlError("division by zero")
    return _wrap(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


_LEVELS = (("=", "!=", "<>", "<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
_BINARY = {
    "=": _equal(True),
    "!=": _equal(False),
    "<>": _equal(False),
    "<": _numbers(lambda a, b: a < b),
    "<=": _numbers(lambda a, b: a <= b),
    ">": _numbers(lambda a, b: a > b),
    ">=": _numbers(lambda a, b: a >= b),
    "+": _numbers(lambda a, b: _wrap(a + b)),
    "-": _numbers(lambda a, b: _wrap(a - b)),
    "*": _numbers(lambda a, b: _wrap(a * b)),
    "/": _numbers(_divide),
    "%": _numbers(lambda a, b: a - b * _divide(a, b)),
}


def _in(left: Expression, among: Sequence[Expression]) -> Expression:
    def evaluate(message: Message) -> Value:
        value = left(message)
        return any(_like_type(each(message), value) == value for each in among)

    return evaluate


def _like(left: Expression, pattern: bytes) -> Expression:
    parts = re.findall(rb"\\[%_]|.", pattern, re.DOTALL)
    wild = {b"%": b".*", b"_": b".", rb"\%": b"%", rb"\_": b"_"}
    expression = re.compile(b"".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)
    return lambda message: expression.fullmatch(_text(left(message))) is not None


# --- functions: how many of which arguments, and what they do --------------------------------------------------------


def _substring(text: bytes, position: int, length: int | None = None) -> bytes:
    if position == 0:
        return b""
    if abs(position) > len(text):
        raise CesqlError(f"SUBSTRING: position {position} lies outside")
    start = len(text) + position if position < 0 else position - 1
    return text[start:] if length is None else text[start : start + max(0, length)]


def _end(text: bytes, size: int, cut: Callable[[bytes, int], bytes]) -> bytes:
    if size < 0:
        raise CesqlError("a negative length")
    return text if size > len(text) else cut(text, size)


def _can(cast: Callable[[Value], Value], value: Value) -> bool:
    try:
        cast(value)
    except CesqlError:
        return False
    return True


def _any_type(value: Value) -> Value:
    return value


def _absolute(value: int) -> int:
    return _wrap(abs(value))


_FUNCTIONS: dict[tuple[str, int], tuple[tuple[Callable[[Value], Value], ...], Callable[..., Value]]] = {
    ("LENGTH", 1): ((_text,), len),
    ("LOWER", 1): ((_text,), lambda text: text.decode("utf-8", "surrogateescape").lower().encode("utf-8", "replace")),
    ("UPPER", 1): ((_text,), lambda text: text.decode("utf-8", "surrogateescape").upper().encode("utf-8", "replace")),
    ("TRIM", 1): ((_text,), golang.trim_space),
    ("LEFT", 2): ((_text, _int), lambda text, size: _end(text, size, lambda t, n: t[:n])),
    ("RIGHT", 2): ((_text, _int), lambda text, size: _end(text, size, lambda t, n: t[len(t) - n :])),
    ("SUBSTRING", 2): ((_text, _int), _substring),
    ("SUBSTRING", 3): ((_text, _int, _int), _substring),
    ("ABS", 1): ((_int,), _absolute),
    ("INT", 1): ((_any_type,), _int),
    ("BOOL", 1): ((_any_type,), _bool),
    ("STRING", 1): ((_any_type,), _text),
    ("IS_INT", 1): ((_any_type,), lambda value: _can(_int, value)),
    ("IS_BOOL", 1): ((_any_type,), lambda value: _can(_bool, value)),
}


def _call(name: str, arguments: Sequence[Expression]) -> Expression:
    if name == "CONCAT":
        return lambda message: b"".join([_text(each(message)) for each in arguments])
    if name == "CONCAT_WS" and arguments:
        return lambda message: _text(arguments[0](message)).join([_text(each(message)) for each in arguments[1:]])
    found = _FUNCTIONS.get((name, len(arguments)))
    if found is None:
        # The webhook accepts it (0.sql-nofunc) and it fails for every event.
        return _unknown(name)
    casts, compute = found
    return lambda message: compute(*[cast(each(message)) for cast, each in zip(casts, arguments, strict=True)])


def _unknown(name: str) -> Expression:
    def evaluate(message: Message) -> Value:
        raise CesqlError(f"cannot resolve the function {name}")

    return evaluate
