"""Which events a Trigger wants: `spec.filters` and the legacy `filter.attributes`, compiled once, asked per event.

May live here: pure rules (eventing `pkg/eventfilter`). All values are strings, because the ingress makes every event
binary first. Bad filters raise ConfigError when they are compiled, never when they are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.engines.local.broker import golang
from toolkit.engines.local.broker.cesql import CesqlError, NotBooleanError
from toolkit.engines.local.broker.cesql import compile as compile_cesql
from toolkit.engines.local.broker.config import ConfigError
from toolkit.engines.local.broker.event import TTL, Message

Filter = Callable[[Message], bool]

__all__ = ["Filter", "NotBooleanError", "compile_filters", "lookup"]

_ALWAYS = frozenset({"specversion", "type", "source", "id"})


def compile_filters(filters: Sequence[Mapping[str, Any]]) -> Filter | None:
    """One predicate for all of `filters`, which must all hold; None: everything passes.

    The predicate raises NotBooleanError for a CESQL expression that yields no boolean.
    """
    modern = [each for each in filters if "attributes" not in each]
    parts = [part for each in modern or filters if (part := _dialect(each)) is not None]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else _all(parts)


def lookup(message: Message, name: str) -> bytes | None:
    """An attribute as filters see it: all but the hop count, derived ones included; None when it is absent."""
    if name == "datacontenttype":
        return message.content_type or b""
    if name == "datamediatype":
        try:
            return golang.media_type(message.content_type or b"")
        except ValueError:
            return b""
    if name in ("dataschema", "schemaurl"):
        key = b"dataschema" if message.attributes[b"specversion"] == b"1.0" else b"schemaurl"
        return message.attributes.get(key, b"")
    key = name.encode()
    return None if key == TTL else message.attributes.get(key)


def _dialect(found: Mapping[str, Any]) -> Filter | None:
    if not isinstance(found, Mapping):
        raise ConfigError(f"a filter is {found!r}; it must be an object")
    given = {name: value for name, value in found.items() if value}  # `{}`, `[]`, `""` and null are defaulted away
    if not given:
        return None
    if len(given) > 1:
        raise ConfigError(f"a filter holds {' and '.join(map(repr, given))}; it must hold exactly one dialect")
    ((name, value),) = given.items()
    if name not in _DIALECTS:
        raise ConfigError(f"{name!r} is no filter dialect; known are {', '.join(_DIALECTS)}")
    return _DIALECTS[name](value)


def _pairs(test: Callable[[bytes, bytes], bool]) -> Callable[[Any], Filter]:
    def compiled(wanted: Any) -> Filter:
        pairs = [(name, value.encode()) for name, value in _strings(wanted)]

        def matches(message: Message) -> bool:
            for name, value in pairs:
                given = lookup(message, name)
                if not given or not value or not test(given, value):
                    return False
            return True

        return matches

    return compiled


def _legacy(wanted: Any) -> Filter:
    """Equal, where an empty value stands for any that is not empty."""
    return _all([_legacy_one(name, value.encode()) for name, value in _strings(wanted)])


def _legacy_one(name: str, value: bytes) -> Filter:
    return lambda message: bool(given := lookup(message, name)) and (not value or given == value)


def _strings(wanted: Any) -> list[tuple[str, str]]:
    if not isinstance(wanted, Mapping) or not all(isinstance(each, str) for pair in wanted.items() for each in pair):
        raise ConfigError(f"{wanted!r} must be an object of attribute names and strings")
    return list(wanted.items())


def _all(parts: Sequence[Filter]) -> Filter:
    return lambda message: all(part(message) for part in parts)


def _any(parts: Sequence[Filter]) -> Filter:
    return lambda message: any(part(message) for part in parts)


def _several(join: Callable[[Sequence[Filter]], Filter]) -> Callable[[Any], Filter]:
    def compiled(wanted: Any) -> Filter:
        if not isinstance(wanted, Sequence) or isinstance(wanted, str):
            raise ConfigError(f"{wanted!r} must be a list of filters")
        return join([_dialect(each) or _everything for each in wanted])

    return compiled


def _everything(message: Message) -> bool:
    return True


def _not(wanted: Any) -> Filter | None:
    part = _dialect(wanted)
    if part is None:
        return None  # `not: {}` is defaulted to an empty filter: everything
    return lambda message: not part(message)


def _cesql(wanted: Any) -> Filter:
    try:
        evaluate = compile_cesql(wanted)
    except CesqlError as error:
        raise ConfigError(f"cesql {wanted!r}: {error}") from None

    def matches(message: Message) -> bool:
        try:
            return evaluate(message)
        except CesqlError:
            return False  # an expression that fails matches nothing

    return matches


_DIALECTS: dict[str, Callable[[Any], Filter | None]] = {
    "exact": _pairs(bytes.__eq__),
    "prefix": _pairs(bytes.startswith),
    "suffix": _pairs(bytes.endswith),
    "all": _several(_all),
    "any": _several(_any),
    "not": _not,
    "cesql": _cesql,
    "attributes": _legacy,
}
