"""An ended span as exporters read it, whether it is one of ours or one that a handler started by itself.

May live here: the way of both through OpenTelemetry's pipeline. May not: encodings (`zipkin`, `otlp`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry import trace as api
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode

from toolkit.sdk.propagation import Position
from toolkit.sdk.tracing import Note, Span

_KINDS = {kind.name: kind for kind in api.SpanKind}
_FLAGS = api.TraceFlags(api.TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)


class Told(Protocol):
    """What exporters know of a span: `Span` is one. `kind` is None inside a function, `parent` at the root."""

    @property
    def kind(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def position(self) -> Position: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...
    @property
    def tags(self) -> Mapping[str, Any]: ...
    @property
    def error(self) -> str | None: ...
    @property
    def notes(self) -> Sequence[Note]: ...


@dataclass(frozen=True, slots=True)
class Foreign:
    """A span that a handler started by itself."""

    kind: str | None
    name: str
    parent: str | None
    position: Position
    start_ns: int
    end_ns: int
    tags: Mapping[str, Any]
    error: str | None
    notes: Sequence[Note]


class Ended(ReadableSpan):
    """One of ours. Made at its end, in one step, instead of started and ended through a Tracer: a third of the cost.

    The constructor is the SDK's own for finished spans, and its signature has been stable since 1.0.
    """

    def __init__(self, span: Span, resource: Resource) -> None:
        self.told = span
        position = span.position
        trace = int(position.trace, 16)
        super().__init__(
            name=span.name,
            context=api.SpanContext(trace, int(position.span, 16), False, _FLAGS),
            parent=api.SpanContext(trace, int(span.parent, 16), True, _FLAGS) if span.parent else None,
            resource=resource,
            attributes=span.tags,
            kind=_KINDS[span.kind or "INTERNAL"],
            status=_UNSET if span.error is None else Status(StatusCode.ERROR, span.error),
            start_time=span.start_ns,
            end_time=span.end_ns,
        )


def told(span: ReadableSpan) -> Told:
    return span.told if isinstance(span, Ended) else _foreign(span)


def _foreign(span: ReadableSpan) -> Foreign:
    context, start = span.context, span.start_time or 0
    failed = span.status.status_code is StatusCode.ERROR
    return Foreign(
        kind=None if span.kind is api.SpanKind.INTERNAL else span.kind.name,
        name=span.name,
        parent=f"{span.parent.span_id:016x}" if span.parent is not None else None,
        position=Position(f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags)),
        start_ns=start,
        end_ns=span.end_time or start,
        tags=span.attributes or {},
        error=(span.status.description or "error") if failed else None,
        notes=[(each.timestamp, each.name, each.attributes or {}) for each in span.events],
    )


def text(value: Any) -> str:
    """A tag's value where only text is known; lists as OpenTelemetry has Zipkin told them."""
    if isinstance(value, str):
        return value
    return said(value) if isinstance(value, (bool, tuple, list)) else str(value)


def said(value: Any) -> str:
    """`value` as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
