"""What a page may ask, read from a query string: every name is known, every value makes sense, or one sentence says why
not. The sentences repeat nothing that was sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast
from urllib.parse import parse_qsl

from toolkit.explorer.source import Asked, Sort
from toolkit.report.traces.lines import Wanted
from toolkit.traces import wire

MOST_LINES = 1000
LONGEST = 1000  # characters of a name, a tag
_LARGEST = 10**15  # microseconds: thirty years
_Value = TypeVar("_Value")


class BadQuery(ValueError):
    """The query makes no sense; the text says what would."""


Parameters = Mapping[str, str]


def read(asked: str, *known: str) -> Parameters:
    """The parameters by name, empty ones left out. Raises BadQuery."""
    try:
        pairs = parse_qsl(asked, keep_blank_values=True, max_num_fields=50, errors="strict") if asked else []
    except ValueError:
        raise BadQuery("the query string cannot be read") from None
    given = dict(reversed(pairs))  # the first of equal names counts
    if set(given) - set(known):
        raise BadQuery(f"there is no such parameter here; there is {', '.join(known) or 'none'}")
    if any(len(value) > LONGEST for value in given.values()):
        raise BadQuery(f"a parameter is longer than {LONGEST} characters")
    return {name: value for name, value in given.items() if value}


def trace_id(given: Parameters, name: str) -> str:
    """Raises BadQuery."""
    try:
        return wire.trace_id(given.get(name, ""))
    except wire.Refused:
        raise BadQuery(f"{name} is the id of a trace: 1 to 32 hex digits") from None


def from_against(given: Parameters, name: str) -> bool:
    """Raises BadQuery."""
    if given.get(name, "against") != "against":
        raise BadQuery(f"{name} is 'against', or not there")
    return name in given


SEARCH = ("service", "span", "tag", "min_us", "max_us", "failed", "sort", "limit", "from")


def search(given: Parameters) -> Asked:
    """Raises BadQuery."""
    least, most = _optional(given, "min_us", _microseconds), _optional(given, "max_us", _microseconds)
    if least is not None and most is not None and most < least:
        raise BadQuery("max_us is less than min_us")
    if given.get("failed", "1") not in ("0", "1"):
        raise BadQuery("failed is 1 or 0")
    if (sort := given.get("sort", "newest")) not in ("newest", "slowest"):
        raise BadQuery("sort is newest or slowest")
    wanted = Wanted(
        service=_optional(given, "service", lambda text, _: text.lower()),
        span=_optional(given, "span", lambda text, _: text.lower()),
        tag=_optional(given, "tag", _tag),
        min_us=least,
        max_us=most,
        failed=given.get("failed") == "1",
    )
    limit = _optional(given, "limit", _limit)
    return Asked(wanted, cast(Sort, sort), 100 if limit is None else limit)


def _optional(given: Parameters, name: str, read: Callable[[str, str], _Value]) -> _Value | None:
    return read(given[name], name) if name in given else None


def _tag(text: str, name: str) -> tuple[str, str | None]:
    key, equals, value = text.partition("=")
    if not key.strip():
        raise BadQuery(f"{name} is a tag's name, or name=value")
    return key.strip(), value.strip() if equals else None


def _microseconds(text: str, name: str) -> int:
    return _number(text, f"{name} is a whole number of microseconds", 0, _LARGEST)


def _limit(text: str, name: str) -> int:
    return _number(text, f"{name} is a whole number from 1 to {MOST_LINES}", 1, MOST_LINES)


def _number(text: str, wanted: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise BadQuery(wanted)
    return int(text)
