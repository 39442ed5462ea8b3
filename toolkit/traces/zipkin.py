"""Zipkin v2 JSON to spans and back. Total on the way in, deterministic on the way out.

May live here: the codec of the wire form. What Zipkin accepts and how it normalises is in `traces.wire`. Addresses and
ports of endpoints are not part of our `Span` and get lost here; the trace store keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, TypeVar

from toolkit.traces import wire
from toolkit.traces.model import Annotation, Span

_Json = TypeVar("_Json")
MOST_SPANS = 2_000_000  # in one document; a guard against nonsense, far above what a run leaves


class ZipkinError(ValueError):
    """A document that is no list of Zipkin v2 spans. `index` counts spans from 0; None: the document as a whole."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        self.reason, self.index = reason, index
        super().__init__(reason if index is None else f"span {index}: {reason}")


def decode(data: bytes, *, most: int = MOST_SPANS) -> list[Span]:
    """The spans of a Zipkin v2 JSON list, normalised as a Zipkin server does; an empty document is an empty list.

    Raises ZipkinError, with the first bad span's index, for everything else there is.
    """
    return [to_span(each) for each in normalised(data, most=most)]


def decode_traces(data: bytes) -> list[list[Span]]:
    """The traces of a list of lists, as `/api/v2/traces` and `/api/v2/traceMany` answer. Raises ZipkinError."""
    traces = []
    for index, spans in enumerate(_parse(data)):
        if not isinstance(spans, list):
            raise ZipkinError("a trace is a list of spans", index)
        traces.append([to_span(each) for each in _normal(spans)])
    return traces


def encode(spans: Iterable[Span]) -> bytes:
    """A Zipkin v2 JSON list in ASCII. Keys stand in Zipkin's order and tags in the order of their names, so equal spans
    give equal bytes. A span without a name has no `name` key."""
    return b"[" + b",".join(text([to_wire(span)])[1:-1].encode() for span in spans) + b"]"


def normalised(data: bytes, *, most: int = MOST_SPANS) -> Iterator[dict[str, Any]]:
    """The spans in `data` in Zipkin's normal form (`wire.normal`), one by one. Raises ZipkinError."""
    found = _parse(data)
    if len(found) > most:
        raise ZipkinError(f"{len(found)} spans in one list; {most} are the most that are taken")
    return _normal(found)


def _normal(found: list[Any]) -> Iterator[dict[str, Any]]:
    for index, raw in enumerate(found):
        try:
            yield wire.normal(raw)
        except wire.Refused as refused:
            raise ZipkinError(str(refused), index) from None


def _parse(data: bytes) -> list[Any]:
    if not data:
        return []
    try:
        found = parser.decode(data.decode())
    except UnicodeDecodeError as error:
        raise ZipkinError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ZipkinError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise ZipkinError("not JSON that can be read: nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits, NaN, Infinity
        raise ZipkinError(f"not JSON that can be read: {str(error)[:80]}") from None
    if not isinstance(found, list):
        raise ZipkinError("not a JSON list of spans (Zipkin v2)")
    return without_surrogates(found) if b"\\ud" in data or b"\\uD" in data else found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Numbers with a point or an exponent stay text: a tag keeps what was sent, and a duration of 1e3 is still 1000.
parser = json.JSONDecoder(parse_constant=_no_constant, parse_float=str)


def without_surrogates(found: _Json) -> _Json:
    """Half a character (a lone `\\ud800`) becomes `?`, as in Zipkin: it could be neither sent nor printed."""
    whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
    replaced: _Json = json.loads(whole)
    return replaced


def to_span(fields: dict[str, Any]) -> Span:
    """The span in Zipkin's normal form as ours."""
    notes = fields.get("annotations")
    return Span(
        fields["traceId"],
        fields["id"],
        fields.get("name", ""),
        fields.get("localEndpoint", _NOWHERE).get("serviceName"),
        fields.get("parentId"),
        fields.get("kind"),
        fields.get("timestamp"),
        fields.get("duration"),
        fields.get("remoteEndpoint", _NOWHERE).get("serviceName"),
        fields.get("tags", {}),
        tuple(Annotation(each["timestamp"], each["value"]) for each in notes) if notes else (),
        "shared" in fields,
        "debug" in fields,
    )


_NOWHERE: dict[str, str] = {}


def to_wire(span: Span) -> dict[str, Any]:
    """Our span in Zipkin's normal form; the inverse of `to_span`."""
    fields = {
        "traceId": span.trace,
        "parentId": span.parent,
        "id": span.id,
        "kind": span.kind,
        "name": span.name or None,
        "timestamp": span.timestamp,
        "duration": span.duration,
        "localEndpoint": {"serviceName": span.service} if span.service else None,
        "remoteEndpoint": {"serviceName": span.remote} if span.remote else None,
        "annotations": [{"timestamp": each.timestamp, "value": each.value} for each in span.annotations] or None,
        "tags": dict(sorted(span.tags.items())) or None,
        "debug": span.debug or None,
        "shared": span.shared or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


text = json.JSONEncoder(separators=(",", ":")).encode
