"""What `/api/v2/traces` asks for, and whether a trace is it; the rules are those of `zipkin2.storage.QueryRequest`.

May live here: pure functions from query parameters and spans. May not: HTTP, the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from toolkit.engines.tracestore.normal import Stored

DEFAULT_LOOKBACK_MS = 24 * 60 * 60 * 1000
DEFAULT_LIMIT = 10
_LONG = (1 << 63) - 1
_INT = (1 << 31) - 1

Named = tuple[str | None, str | None, str | None]


class BadQuery(ValueError):
    """The query makes no sense; the text says which parameter and repeats nothing of what was sent."""


@dataclass(frozen=True, slots=True)
class Query:
    """Times and durations in microseconds, bounds included. Names are in lower case; None asks for any."""

    begin: int
    end: int
    limit: int = DEFAULT_LIMIT
    service: str | None = None
    remote: str | None = None
    span: str | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


def parse(given: Mapping[str, str], now_ms: int) -> Query:
    """The query in these parameters. Raises BadQuery."""
    end, lookback = window(given, now_ms)
    limit = number(given, "limit", DEFAULT_LIMIT, most=_INT)
    least, most = number(given, "minDuration"), number(given, "maxDuration")
    if most is not None and least is None:
        raise BadQuery("maxDuration is only valid with minDuration")
    if most is not None and least is not None and most < least:
        raise BadQuery("maxDuration < minDuration")
    span = given.get("spanName", "").lower()
    return Query(
        begin=kept((end - lookback) * 1000),
        end=kept(end * 1000),
        limit=DEFAULT_LIMIT if limit is None else limit,
        service=given.get("serviceName", "").lower() or None,
        remote=given.get("remoteServiceName", "").lower() or None,
        span=None if span in ("", "all") else span,
        min_duration=least,
        max_duration=most,
        annotations=_annotations(given.get("annotationQuery", "")),
    )


def window(given: Mapping[str, str], now_ms: int | None) -> tuple[int, int]:
    """(endTs, lookback) in milliseconds; endTs is required when there is no `now_ms`. Raises BadQuery."""
    end, lookback = number(given, "endTs", now_ms), number(given, "lookback", DEFAULT_LOOKBACK_MS)
    if end is None or lookback is None:
        raise BadQuery("endTs is required (milliseconds since the epoch)")
    return end, lookback


def kept(time: int) -> int:
    """The time, or the last (first) that can be written in 64 bits: no span is beyond."""
    return max(-_LONG, min(time, _LONG))


def number(given: Mapping[str, str], name: str, default: int | None = None, *, most: int = _LONG) -> int | None:
    """A positive integer up to `most`. Raises BadQuery, with the parameter's name."""
    if not (text := given.get(name, "")):
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20) or int(text) > most:
        raise BadQuery(f"{name} is not an integer")
    if int(text) <= 0:
        raise BadQuery(f"{name} <= 0")
    return int(text)


def _annotations(text: str) -> dict[str, str]:
    """`error and http.method=GET`: tags by name and value, tags or annotations by name alone ("")."""
    wanted: dict[str, str] = {}
    for part in text.split(" and ", 99) if text else ():
        name, equals, value = part.partition("=")
        if equals:
            wanted[name.strip()] = value.strip()
        else:
            wanted.setdefault(name.strip(), "")
    return wanted


def named(query: Query, names: Iterable[Named]) -> bool:
    """Whether spans of these names (service, span and remote service) are what is asked for."""
    if query.service is None and query.remote is None and query.span is None:
        return True
    of_service = [name for name in names if query.service in (None, name[0])]
    if not of_service or (query.remote is not None and all(name[2] != query.remote for name in of_service)):
        return False
    return query.span is None or any(name[1] == query.span for name in of_service)


def reads_spans(query: Query) -> bool:
    """Whether `matches` has to look, because the query is about durations, annotations or tags."""
    return query.min_duration is not None or bool(query.annotations)


def matches(query: Query, spans: Sequence[Stored]) -> bool:
    """Whether durations, annotations and tags are as asked for, on spans of the service that is asked for."""
    own = [span for span in spans if query.service in (None, span.service)]
    return _lasted(query, own) and all(_says(own, name, value) for name, value in query.annotations.items())


def _lasted(query: Query, spans: Sequence[Stored]) -> bool:
    if query.min_duration is None:
        return True
    most = query.max_duration
    return any(query.min_duration <= (span.duration or 0) and (most is None or (span.duration or 0) <= most)
               for span in spans)  # fmt: skip


def may_last(query: Query, longest: int, lengths: int) -> bool:
    """Whether one of spans may have lasted so: the longest did, and there is a bit for each power of two."""
    least, most = query.min_duration or 0, query.max_duration or longest
    if longest < least or most < least:
        return False
    return bool(lengths >> least.bit_length() & (1 << (most.bit_length() - least.bit_length() + 1)) - 1)


def _says(spans: Sequence[Stored], name: str, value: str) -> bool:
    if value:
        return any(span.tags is not None and span.tags.get(name) == value for span in spans)
    return any(
        (span.tags is not None and name in span.tags) or any(each.value == name for each in span.annotations or ())
        for span in spans
    )


def terms(query: Query) -> list[tuple[str, str] | str]:
    """What is asked for, as `block` keeps it."""
    return [(name, value) if value else name for name, value in query.annotations.items()]


def needles(query: Query) -> list[bytes]:
    """Texts that stand in every trace that is asked for."""
    return [
        b"%b:%b" % (_json(name), _json(value)) if value else _json(name) for name, value in query.annotations.items()
    ]


_json = msgspec.json.encode
