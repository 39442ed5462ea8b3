"""The end of a span: into OpenTelemetry's pipeline, batched, and off to a collector.

May live here: the pipeline. May not: what goes through it (`ended`) or what comes out (`exporter`). Loaded only when
spans go somewhere.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping

from toolkit.contract import Tracing as Settings
from toolkit.sdk import destination
from toolkit.sdk.destination import Destination
from toolkit.sdk.propagation import Position

# Whether the handler brought OpenTelemetry with it, before we load it ourselves: only then can it start spans.
_NESTING = "opentelemetry.trace" in sys.modules

from opentelemetry import context as contexts  # noqa: E402
from opentelemetry import trace as api  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: E402

from toolkit.sdk.ended import Ended  # noqa: E402
from toolkit.sdk.exporter import Encoder, Exporter  # noqa: E402
from toolkit.sdk.tracing import Span  # noqa: E402

DELAY_MS = 200  # OTEL_BSP_SCHEDULE_DELAY; the SDK's 5 s would cost a function scaled to zero its last spans
QUEUE = 65536  # spans, OTEL_BSP_MAX_QUEUE_SIZE; the SDK's 2048 are gone in a second of full load

_log = logging.getLogger(__name__)


class KernelIds(IdGenerator):
    """Ids from the kernel: processes restored from one VM snapshot share the state of every generator in them."""

    def generate_span_id(self) -> int:
        return int.from_bytes(os.urandom(8)) or 1

    def generate_trace_id(self) -> int:
        return int.from_bytes(os.urandom(16)) or 1


class _Counting(BatchSpanProcessor):
    ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.ended += 1
        super().on_end(span)


class Recorder:
    """Takes ended spans. `provider` is the process's TracerProvider, for handlers that start spans of their own.

    Raises WiringError for an endpoint of no use; `to` is where they go if it has been found out already.
    """

    def __init__(
        self, settings: Settings, service: str, nesting: bool | None = None, to: Destination | None = None
    ) -> None:
        to = to or destination.of(settings, {})
        assert to is not None
        self.nesting = _NESTING if nesting is None else nesting
        self._exporter = Exporter(to, encoder(to, service, settings.attributes))
        self._processor = _Counting(
            self._exporter,
            max_queue_size=_default("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE),
            schedule_delay_millis=_default("OTEL_BSP_SCHEDULE_DELAY", DELAY_MS),
        )
        self._resource = Resource({"service.name": service, **settings.attributes})
        sampler = sampling.ParentBased(sampling.TraceIdRatioBased(settings.sample))
        self.provider = TracerProvider(sampler, self._resource, shutdown_on_exit=False, id_generator=KernelIds())
        self.provider.add_span_processor(self._processor)

    def install(self) -> None:
        """Make the handler's own `opentelemetry.trace.get_tracer(...)` lead here."""
        if self.nesting:
            api.set_tracer_provider(self.provider)

    def end(self, span: Span) -> None:
        self._processor.on_end(Ended(span, self._resource))

    def enter(self, position: Position) -> None:
        span = api.NonRecordingSpan(
            api.SpanContext(int(position.trace, 16), int(position.span, 16), False, api.TraceFlags(position.flags))
        )
        contexts.attach(api.set_span_in_context(span))  # ends with the task that handles this message

    def current(self) -> Position | None:
        found = api.get_current_span().get_span_context()
        if not found.is_valid:
            return None
        state = found.trace_state.to_header() if found.trace_state else ""
        return Position(f"{found.trace_id:032x}", f"{found.span_id:016x}", int(found.trace_flags), state)

    def close(self, timeout_s: float) -> None:
        # In a thread that may be left behind: the SDK waits 30 s for an endpoint that hangs.
        self._exporter.leave(timeout_s)
        closing = threading.Thread(target=self.provider.shutdown, daemon=True)
        closing.start()
        closing.join(timeout_s)
        exporter = self._exporter
        if missing := self._processor.ended - exporter.sent:
            _log.warning("%d of %d spans never arrived (%d refused)", missing, self._processor.ended, exporter.lost)


def encoder(to: Destination, service: str, tags: Mapping[str, str]) -> Encoder:
    """What the destination understands; the other one is not loaded."""
    if to.protocol == "otlp":
        from toolkit.sdk.otlp import Otlp

        return Otlp(service, tags)
    from toolkit.sdk.zipkin import Zipkin

    return Zipkin(service, tags)


def _default(variable: str, value: int) -> int | None:
    return None if variable in os.environ else value
