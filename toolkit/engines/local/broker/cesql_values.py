"""What CESQL expressions are made of: attributes, casts, operators and functions, each a closure over an event.

May live here: values and what is computed with them. The language around them (words, precedence) is in `cesql`.
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


def _attribute_value(message: Message, name: str) -> bytes | None:
    if name == "datacontenttype":
        return message.content_type
    key = name.encode()
    if key == b"dataschema" and message.attributes[b"specversion"] == b"0.3":
        key = b"schemaurl"
    return None if key == TTL else message.attributes.get(key)


def attribute(name: str) -> Expression:
    def evaluate(message: Message) -> Value:
        value = _attribute_value(message, name)
        if value is None:
            raise CesqlError(f"missing attribute {name!r}")
        return value

    return evaluate


def exists(name: str) -> Expression:
    return lambda message: _attribute_value(message, name) is not None


def literal(value: Value) -> Expression:
    return lambda message: value


def _int(value: Value) -> int:
    if isinstance(value, bool):
        raise CesqlError("a boolean is no integer")
    if isinstance(value, int):
        return value
    if not re.fullmatch(rb"[+-]?[0-9]+", value):
        raise CesqlError(f"{value!r} is no integer")
    return int32(int(value), "value")


def int32(value: int, what: str) -> int:
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


def negated(inner: Expression) -> Expression:
    return lambda message: not _bool(inner(message))


def negate(inner: Expression) -> Expression:
    return lambda message: _wrap(-_int(inner(message)))


def logical(word: str, left: Expression, right: Expression) -> Expression:
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


LEVELS = (("=", "!=", "<>", "<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
BINARY = {
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


def among(left: Expression, these: Sequence[Expression]) -> Expression:
    def evaluate(message: Message) -> Value:
        value = left(message)
        return any(_like_type(each(message), value) == value for each in these)

    return evaluate


def like(left: Expression, pattern: bytes) -> Expression:
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


def call(name: str, arguments: Sequence[Expression]) -> Expression:
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
