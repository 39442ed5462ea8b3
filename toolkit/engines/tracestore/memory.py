"""The spans a store holds: whole traces in the order they came, within bounds, each span as its normal JSON text.

May live here: keeping, finding and forgetting. May not: HTTP, files, clocks. A span is kept as text because that is
what every answer is made of, and because it takes a fifth of the room of a parsed one. Repetitions of a span are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from toolkit.traces import zipkin

Fields = Mapping[str, Any]  # of one span, in Zipkin's normal form

MAX_SPANS = 500_000  # as Zipkin's MEM_MAX_SPANS
MAX_BYTES = 512 << 20  # of span text


class Name(NamedTuple):
    """What a span is called and by whom: what searching by name needs to know of it."""

    service: str | None
    span: str | None
    remote: str | None


@dataclass(slots=True)
class StoredTrace:
    """One trace. Times are microseconds since the epoch, 0 while no span told one."""

    id: str
    spans: dict[str, None] = field(default_factory=dict)  # texts, each once
    names: set[Name] = field(default_factory=set)
    size: int = 0
    root: int = 0  # start of the first root that came
    first: int = 0
    last: int = 0  # start of the last span

    @property
    def started(self) -> int:
        return self.root or self.first

    def text(self) -> str:
        return f"[{','.join(self.spans)}]"


class Memory:
    """All traces, up to `max_spans` spans and `max_bytes` bytes of text; then the oldest whole traces are forgotten.

    `on_warning` is told when forgetting begins, and again whenever ten times as many traces are gone.
    """

    def __init__(
        self,
        *,
        max_spans: int = MAX_SPANS,
        max_bytes: int = MAX_BYTES,
        on_warning: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.max_spans, self.max_bytes, self._on_warning = max_spans, max_bytes, on_warning
        self._traces: dict[str, StoredTrace] = {}
        self._names: Counter[Name] = Counter()  # in how many traces
        self._warn_at = 1
        self.spans = self.bytes = self.evicted_traces = self.evicted_spans = 0

    def unknown(self, spans: Iterable[Fields]) -> dict[str, Fields]:
        """Those of these spans (in Zipkin's normal form) that are not here yet, each once, by their texts."""
        told = {zipkin.text(fields): fields for fields in spans}
        return {text: fields for text, fields in told.items() if not self._has(fields["traceId"], text)}

    def add(self, spans: Mapping[str, Fields]) -> None:
        """Keep these spans, which are not here yet, by their texts."""
        for text, fields in spans.items():
            self._add(text, fields)

    def _has(self, trace_id: str, text: str) -> bool:
        trace = self._traces.get(trace_id)
        return trace is not None and text in trace.spans

    def _add(self, text: str, fields: Fields) -> None:
        trace_id = fields["traceId"]
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = StoredTrace(trace_id)
        trace.spans[text] = None
        trace.size += len(text)
        self.spans += 1
        self.bytes += len(text)
        self._index(trace, fields)
        if self.spans > self.max_spans or self.bytes > self.max_bytes:
            self._evict()

    def _index(self, trace: StoredTrace, fields: Fields) -> None:
        name = Name(_service(fields, "localEndpoint"), fields.get("name"), _service(fields, "remoteEndpoint"))
        if name not in trace.names:
            trace.names.add(name)
            self._names[name] += 1
        if start := fields.get("timestamp", 0):
            trace.last = max(trace.last, start)
            trace.first = min(trace.first or start, start)
            if not trace.root and "parentId" not in fields:
                trace.root = start

    def _evict(self) -> None:
        while self._traces and (self.spans > self.max_spans or self.bytes > self.max_bytes):
            trace = self._traces.pop(next(iter(self._traces)))
            self._forget(trace.names)
            self.spans -= len(trace.spans)
            self.bytes -= trace.size
            self.evicted_traces += 1
            self.evicted_spans += len(trace.spans)
        if self.evicted_traces >= self._warn_at:
            self._warn_at = self.evicted_traces * 10
            self._on_warning(
                f"full: {self.evicted_traces} of the oldest traces ({self.evicted_spans} spans) were forgotten "
                f"to stay within {self.max_spans} spans and {self.max_bytes >> 20} MiB"
            )

    def _forget(self, names: Iterable[Name]) -> None:
        for name in names:
            self._names[name] -= 1
            if not self._names[name]:
                del self._names[name]

    def get(self, trace_id: str) -> StoredTrace | None:
        return self._traces.get(trace_id)

    def __len__(self) -> int:
        return len(self._traces)

    def traces(self) -> Iterator[StoredTrace]:
        """All of them, as they are now, the oldest first."""
        return iter(tuple(self._traces.values()))

    def services(self) -> list[str]:
        return sorted({name.service for name in self._names if name.service})

    def span_names(self, service: str) -> list[str]:
        return sorted({name.span for name in self._names if name.service == service and name.span})

    def remote_services(self, service: str) -> list[str]:
        return sorted({name.remote for name in self._names if name.service == service and name.remote})


def _service(fields: Fields, side: str) -> str | None:
    endpoint = fields.get(side)
    return endpoint.get("serviceName") if endpoint else None
