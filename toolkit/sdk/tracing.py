"""Spans of the scaffold: one per message handled and one per message sent, nearly free when they are not sampled.

May live here: starting, sampling and finishing. OpenTelemetry is loaded by `record` only, so a function that sends its
spans nowhere never loads it. Spans end in the SDK's own pipeline (`TracerProvider`, `BatchSpanProcessor`), so a
handler's own spans work beside ours. The stock gRPC interceptors are not used: they cost about twice as much and
report OK for a handler that raised; a test checks that ours tell the same story.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from toolkit.contract import Tracing as Settings
from toolkit.sdk import destination
from toolkit.sdk.propagation import RANDOM, SAMPLED, Position, new_span, new_trace
from toolkit.sdk.tags import ERROR_TYPE

if TYPE_CHECKING:
    from toolkit.sdk.recorder import Recorder

Kind = Literal["CLIENT", "SERVER", "PRODUCER", "CONSUMER"]
Note = tuple[int, str, Mapping[str, Any]]  # something that happened meanwhile: when (ns), what, and its attributes
MAX_ERROR = 300  # characters of what went wrong


class Span:
    """A span that is recorded. `end` hands it over, once; times are wall-clock nanoseconds."""

    __slots__ = ("_recorder", "end_ns", "error", "kind", "name", "parent", "position", "start_ns", "tags")

    recorded: Literal[True] = True
    notes: Sequence[Note] = ()  # only spans that handlers start themselves have some

    def __init__(
        self, recorder: Recorder, kind: Kind | None, name: str, parent: str | None, position: Position
    ) -> None:
        self._recorder, self.kind, self.name = recorder, kind, name
        self.parent, self.position = parent, position  # `parent` is a span id, None at the root
        self.tags: dict[str, Any] = {}
        self.error: str | None = None
        self.start_ns = self.end_ns = time.time_ns()

    def annotate(self, key: str, value: Any) -> None:
        """A tag. What no protocol says as it is becomes text here, where the handler hears of it if it cannot."""
        plain = isinstance(value, (str, float)) or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63)
        self.tags[str(key)] = value if plain else str(value)

    def fail(self, text: str, kind: str) -> None:
        """`kind` is what failures are counted by: a status code's name, or an exception's."""
        self.error = brief(text)
        self.tags[ERROR_TYPE] = kind

    def end(self) -> None:
        self.end_ns = max(self.start_ns, time.time_ns())
        self._recorder.end(self)


class Unrecorded:
    """A place in a trace that nobody records: it is passed on, and costs nothing else."""

    __slots__ = ("position",)

    recorded: Literal[False] = False

    def __init__(self, position: Position) -> None:
        self.position = position

    def annotate(self, key: str, value: Any) -> None: ...
    def end(self) -> None: ...


AnySpan = Span | Unrecorded


class Tracing:
    """Starts spans. A caller's sampling decision is honoured; at a root the trace id decides, as OpenTelemetry does."""

    def __init__(self, sample: float = 1.0, recorder: Recorder | None = None) -> None:
        self._recorder = recorder
        self._bound = round(sample * (1 << 64))  # of the trace id's lower half (TraceIdRatioBased)

    def start(self, kind: Kind | None, name: str, parent: Position | None) -> AnySpan:
        """A span under `parent`, or the root of a new trace. `kind` is None of what happens inside a function."""
        if parent is None:
            trace = new_trace()
            sampled = self._recorder is not None and int(trace[16:], 16) < self._bound
            parent, above = Position(trace, "", RANDOM | sampled), None
        elif not parent.trace:  # the caller sent a decision and no trace
            parent, above = Position(new_trace(), "", RANDOM | parent.flags), None
        else:
            above = parent.span
        if self._recorder is None or not parent.flags & SAMPLED:
            return Unrecorded(parent if parent.span else parent._replace(span=new_span()))
        position = Position(parent.trace, new_span(), parent.flags, parent.state)
        return Span(self._recorder, kind, name, above, position)

    def enter(self, span: AnySpan) -> None:
        """Make `span` the parent of whatever spans the handler starts by itself, if it can start any."""
        if self._recorder is not None and self._recorder.nesting:
            self._recorder.enter(span.position)

    def current(self, span: AnySpan) -> Position:
        """What a message sent now names as its parent: a span the handler started by itself, else `span`."""
        if self._recorder is not None and self._recorder.nesting:
            return self._recorder.current() or span.position
        return span.position

    def install(self) -> None:
        """Let the handler's own spans, if it starts any, go where ours go; once per process."""
        if self._recorder is not None:
            self._recorder.install()

    def close(self, timeout_s: float) -> None:
        """Hand over every span, for up to `timeout_s` seconds. Blocks."""
        if self._recorder is not None:
            self._recorder.close(timeout_s)


def record(settings: Settings, service: str, environment: Mapping[str, str] | None = None) -> Tracing:
    """Tracing as the wiring wants it, or OpenTelemetry's variables. Raises WiringError for an endpoint of no use."""
    to = destination.of(settings, environment or {})
    if to is None:
        return Tracing(settings.sample)
    from toolkit.sdk.recorder import Recorder

    return Tracing(settings.sample, Recorder(settings, service, to=to))


def brief(text: str) -> str:
    """`text` on one line, cut: what went wrong, and never a whole payload that an exception happens to quote."""
    text = text[: 4 * MAX_ERROR]
    if not text.isprintable():
        text = "".join(each if each.isprintable() else " " for each in text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_ERROR else text[: MAX_ERROR - 1] + "…"
