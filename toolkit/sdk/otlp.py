"""Spans as OTLP/HTTP says them, in JSON: it needs no protobuf module, and every receiver of OTLP/HTTP takes it.

May live here: the encoding (`ExportTraceServiceRequest` of opentelemetry-proto, by its JSON mapping: ids
in hex, enumerations as numbers, 64-bit numbers as text). May not: the sending (`toolkit.sdk.exporter`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from toolkit.sdk.ended import Told, text

SCOPE = "toolkit.sdk"

_KINDS = {None: 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_ERROR = 2  # Status.StatusCode


class Otlp:
    """The request that `POST /v1/traces` takes. `tags` and the service are the resource's attributes."""

    content_type = "application/json"

    def __init__(self, service: str, tags: Mapping[str, str]) -> None:
        resource = _attributes({"service.name": service, **tags})
        self._head = (
            f'{{"resourceSpans":[{{"resource":{{"attributes":{resource}}},'
            f'"scopeSpans":[{{"scope":{{"name":"{SCOPE}"}},"spans":['
        )

    def encode(self, spans: Sequence[Told]) -> bytes:
        return f"{self._head}{','.join(map(_span, spans))}]}}]}}]}}".encode("utf-8", "replace")

    def rejected(self, answer: bytes) -> tuple[int, str]:
        """Of a partial success, how many and why; an answer nobody can read says nothing of the kind."""
        if not answer:
            return 0, ""
        try:
            said = json.loads(answer)["partialSuccess"]
            return int(said.get("rejectedSpans", 0)), str(said.get("errorMessage", ""))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return 0, ""


def _span(span: Told) -> str:
    """Written by hand, as Zipkin's. A test reads it back."""
    position = span.position
    parts = [
        f'{{"traceId":"{position.trace}","spanId":"{position.span}","flags":{position.flags},'
        f'"name":{quoted(span.name)},"kind":{_KINDS[span.kind]},'
        f'"startTimeUnixNano":"{span.start_ns}","endTimeUnixNano":"{span.end_ns}"',
        f'"attributes":{_attributes(span.tags)}',
    ]
    if span.parent is not None:
        parts.append(f'"parentSpanId":"{span.parent}"')
    if position.state:
        parts.append(f'"traceState":{quoted(position.state)}')
    if span.error is not None:
        parts.append(f'"status":{{"code":{_ERROR},"message":{quoted(span.error)}}}')
    if span.notes:
        parts.append(f'"events":[{",".join(_note(*each) for each in span.notes)}]')
    return ",".join(parts) + "}"


def _note(at: int, name: str, attributes: Mapping[str, Any]) -> str:
    return f'{{"timeUnixNano":"{at}","name":{quoted(name)},"attributes":{_attributes(attributes)}}}'


def _attributes(tags: Mapping[str, Any]) -> str:
    said = [f'{{"key":{quoted(name)},"value":{_value(value)}}}' for name, value in tags.items()]
    return f"[{','.join(said)}]"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'{{"stringValue":{quoted(value)}}}'
    if isinstance(value, bool):
        return f'{{"boolValue":{text(value)}}}'
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return f'{{"intValue":"{value}"}}'
    if isinstance(value, float) and math.isfinite(value):
        return f'{{"doubleValue":{value!r}}}'
    if isinstance(value, (tuple, list)):
        return f'{{"arrayValue":{{"values":[{",".join(map(_value, value))}]}}}}'
    return f'{{"stringValue":{quoted(text(value))}}}'
