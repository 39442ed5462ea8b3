"""A trace in one line, what a search looks at, and what many traces say of each service.

May live here: reading single traces quickly, without their tree. May not: where time went in them (`one`, `measure`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.contract import CALLER
from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.platform import part
from toolkit.traces.view import COLD_TAGS, is_cold

MOST_SERVICES = 100  # of a trace, in a list
LONGEST = 300  # characters of a name, in a list
Spans = Sequence[Span]


@dataclass(frozen=True, slots=True)
class Line:
    """What a list shows of a trace. `cold` is None when no span says anything of it."""

    id: str
    start_us: int
    duration_us: int
    spans: int
    services: tuple[str, ...]
    root: str
    failed: bool
    cold: bool | None

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "start_us": self.start_us,
            "duration_us": self.duration_us,
            "spans": self.spans,
            "services": list(self.services[:MOST_SERVICES]),
            "root": self.root[:LONGEST],
            "failed": self.failed,
            "cold": self.cold,
        }


def line(trace: str, spans: Spans) -> Line:
    """The line of one trace; one without times begins and lasts 0."""
    root = _root(spans)
    begin = root.timestamp if root and root.timestamp else min((s.timestamp for s in spans if s.timestamp), default=0)
    end = max((span.timestamp + (span.duration or 0) for span in spans if span.timestamp), default=begin)
    return Line(
        id=trace,
        start_us=begin,
        duration_us=max(0, end - begin),
        spans=len(spans),
        services=tuple(sorted({span.service for span in spans if span.service})),
        root=f"{root.service or '?'}: {root.name or '?'}" if root else "?",
        failed=any("error" in span.tags for span in spans),
        cold=cold(spans),
    )


def _root(spans: Spans) -> Span | None:
    """The first span without a parent; of a trace that lost it, the first of all."""
    order = sorted(spans, key=lambda span: (span.timestamp is None, span.timestamp or 0, span.id))
    return next((span for span in order if span.parent is None and not span.shared), order[0] if order else None)


def cold(spans: Spans) -> bool | None:
    """Whether a function was met cold; None when no span says anything of it."""
    if any(tag in span.tags for span in spans for tag in COLD_TAGS):
        return any(map(is_cold, spans))
    of_scaffold = any(span.kind in ("SERVER", "CONSUMER") and MESSAGE_TAG in span.tags for span in spans)
    return False if of_scaffold else None  # which says when it is cold, and nothing when it is not


@dataclass(slots=True)
class Counts:
    """How often services received and published messages in some traces, and how often that failed.

    `own` are services that speak of messages of ours, `strangers` those that neither do nor belong to the platform.
    """

    received: Counter[str] = field(default_factory=Counter)
    published: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    unsent: Counter[str] = field(default_factory=Counter)  # of those published
    called: Counter[str] = field(default_factory=Counter)  # by the caller, as the entry tells it
    own: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    _others: set[str] = field(default_factory=set)

    @property
    def strangers(self) -> set[str]:
        return self._others - self.own

    def add(self, spans: Spans) -> bool:
        """Take one trace; whether a stranger has a span there."""
        own = {span.service for span in spans if span.service and MESSAGE_TAG in span.tags}
        others = {
            span.service
            for span in spans
            if span.service and span.service not in own and part(span, own) is None  # MESSAGE_TAG is nobody else's
        }
        self.services.update(span.service for span in spans if span.service)
        self.own |= own
        self._others |= others
        for span in spans:
            if span.service and (MESSAGE_TAG in span.tags or span.service in others):
                self._count(span, span.service)
        return bool(others)

    def _count(self, span: Span, service: str) -> None:
        failed = "error" in span.tags
        if span.kind == "PRODUCER":
            self.published[service] += 1
            self.unsent[service] += failed
        elif span.kind in ("SERVER", "CONSUMER") or span.parent is None:  # a caller's own call is a root
            self.received[service] += 1
            self.errors[service] += failed
            self.called[service] += span.kind == "SERVER" and span.remote == CALLER


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search asks for; None asks for anything. `tag` is a name, or a name and a value."""

    service: str | None = None
    span: str | None = None
    tag: tuple[str, str | None] | None = None
    min_us: int | None = None
    max_us: int | None = None
    failed: bool = False

    def is_met_by_line(self, line: Line) -> bool:
        return (
            (self.service is None or self.service in line.services)
            and (not self.failed or line.failed)
            and (self.min_us is None or line.duration_us >= self.min_us)
            and (self.max_us is None or line.duration_us <= self.max_us)
        )

    @property
    def reads_spans(self) -> bool:
        return self.span is not None or self.tag is not None

    def is_met_by(self, spans: Spans) -> bool:
        """Some one span, of the service that is asked for, has the name; and some one has the tag (or annotation)."""
        own: Collection[Span] = [span for span in spans if self.service in (None, span.service)]
        named = self.span is None or any(span.name == self.span for span in own)
        return named and (self.tag is None or any(_says(span, *self.tag) for span in own))


def _says(span: Span, name: str, value: str | None) -> bool:
    if value is not None:
        return span.tags.get(name) == value
    return name in span.tags or any(each.value == name for each in span.annotations)
