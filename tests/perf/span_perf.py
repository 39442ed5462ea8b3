"""What one span costs where, in CPU microseconds of one thread: without sockets, so that others disturb it less.

Each figure is the least of its repeats: what the work takes when nobody is in its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from toolkit.contract import Tracing as Settings
from toolkit.sdk import tags
from toolkit.sdk.arrival import Arrival, Received
from toolkit.sdk.ended import Ended, told
from toolkit.sdk.otlp import Otlp
from toolkit.sdk.propagation import Position
from toolkit.sdk.recorder import Recorder
from toolkit.sdk.tracing import Span, Tracing
from toolkit.sdk.zipkin import Zipkin

BATCH = 512
REPEATS = 15
COMMON = {"service.instance.id": "0" * 16, "toolkit.chain": "perf", "faas.name": "echo", "faas.version": "echo-00001"}
ARRIVAL = Arrival(
    via="entry",
    call="0" * 32,
    message="0" * 32,
    sender="caller",
    metadata=b"",
    request=None,
    received=Received(b"x" * 100),
    position=Position("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1),
    method="helloworld.Greeter/SayHello",
)


class Nowhere(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def run() -> list[tuple[str, float]]:
    """Steps of a span's life and their CPU microseconds."""
    recorder = Recorder(Settings("http://127.0.0.1:1/", attributes=COMMON), "echo", nesting=False)
    processor = BatchSpanProcessor(Nowhere(), max_queue_size=1 << 20, schedule_delay_millis=3_600_000)
    pipeline = TracerProvider(shutdown_on_exit=False)
    pipeline.add_span_processor(processor)
    tracing, unsampled = Tracing(1.0, recorder), ARRIVAL.position._replace(flags=0) if ARRIVAL.position else None
    span = _begun(tracing)
    span.end_ns = span.start_ns + 1_000_000
    ended = Ended(span, recorder._resource)
    batch = [ended] * BATCH
    steps: list[tuple[str, Callable[[], object], int]] = [
        ("not sampled: passed on", lambda: tracing.start("SERVER", "x", unsampled), 1),
        ("begun and tagged", lambda: _begun(tracing), 1),
        ("ended: into the SDK's queue", lambda: processor.on_end(Ended(span, recorder._resource)), 1),
        ("encoded for Zipkin", lambda: Zipkin("echo", COMMON).encode([told(each) for each in batch]), BATCH),
        ("encoded for OTLP (JSON)", lambda: Otlp("echo", COMMON).encode([told(each) for each in batch]), BATCH),
    ]
    found = [(name, _least_us(step, spans)) for name, step, spans in steps]
    pipeline.shutdown()
    recorder.close(1.0)
    return found


def _begun(tracing: Tracing) -> Span:
    span = tracing.start("SERVER", ARRIVAL.method or "", ARRIVAL.position)
    assert isinstance(span, Span)
    span.tags = tags.of_arrival(ARRIVAL, cold=False)
    tags.handled(span.tags, ARRIVAL, b"x" * 100, "OK")
    return span


def _least_us(step: Callable[[], object], spans: int) -> float:
    times = max(1, 4096 // spans)
    least = float("inf")
    for _ in range(REPEATS):
        begun = time.thread_time_ns()
        for _ in range(times):
            step()
        least = min(least, (time.thread_time_ns() - begun) / (times * spans) / 1e3)
    return least


def table(found: Sequence[tuple[str, float]]) -> str:
    return "\n".join([f"{'one SERVER span':44} {'CPU us':>10}", *(f"{name:44} {us:10.1f}" for name, us in found)])


if __name__ == "__main__":
    print(table(run()))
