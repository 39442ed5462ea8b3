"""Spans are never lost in silence, and a collector that is busy, slow or dead holds nobody up."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.unit.sdk.scaffold import Zipkin, function, raw_call, serving, until, wiring
from tests.unit.sdk.test_zipkin import exporter_to, span
from toolkit.contract import ENTRY_METHOD
from toolkit.contract import Tracing as Settings
from toolkit.sdk import Context, destination, exporter
from toolkit.sdk.exporter import Exporter
from toolkit.sdk.recorder import Recorder
from toolkit.sdk.tracing import Tracing
from toolkit.sdk.zipkin import Zipkin as Encoder
from toolkit.stubs.helloworld_pb2 import HelloRequest


@pytest.fixture
def zipkin() -> Iterator[Zipkin]:
    server = Zipkin()
    yield server
    server.close()


@pytest.fixture
def hanging() -> Iterator[str]:
    """The endpoint of a collector that takes connections and never answers."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}/"
    for each in set(threading.enumerate()) - before:  # exporters that were left behind find out, and close
        if each.name.startswith("Otel"):
            each.join(10)


async def hello(ctx: Context, request: HelloRequest) -> str:
    return "hi"


class Patient(Exporter):
    """Notes how long it would wait."""

    waits: tuple[float, ...] = ()

    def _patient(self, wait_s: float) -> bool:
        self.waits += (wait_s,)
        return True


def patient(endpoint: str) -> Patient:
    to = destination.of(Settings(endpoint), {})
    assert to is not None
    return Patient(to, Encoder("f", {}))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_collector_is_left_alone_as_long_as_it_asks(zipkin: Zipkin, status: int) -> None:
    zipkin.status, zipkin.headers = status, {"Retry-After": "7"}
    made = patient(zipkin.endpoint)
    made.export([span()])
    made.shutdown()
    assert (zipkin.posts, made.waits) == (4, (7.0, 7.0, 7.0))


def test_one_that_asks_for_nothing_is_tried_again_soon_and_then_less_so(zipkin: Zipkin) -> None:
    zipkin.status = 503
    made = patient(zipkin.endpoint)
    made.export([span()])
    made.shutdown()
    assert made.waits == exporter.WAITS_S


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        *(("0", 0), ("3", 3), ("11", 10), ("9" * 400, 10)),
        *((text, 0) for text in ("", "-1", "1e3", "1.5", "soon", "Wed, 21 Oct 2037 07:28:00 GMT")),
    ],
)
def test_what_is_no_number_of_seconds_is_not_waited_for(asked: str, seconds: float) -> None:
    assert exporter.retry_after(asked) == seconds


def test_a_process_that_ends_does_not_wait_as_long_as_it_was_asked(zipkin: Zipkin) -> None:
    zipkin.status, zipkin.headers = 503, {"Retry-After": "10"}
    made = exporter_to(zipkin.endpoint)
    results: list[SpanExportResult] = []
    exporting = threading.Thread(target=lambda: results.append(made.export([span()])))
    exporting.start()
    until(lambda: zipkin.posts == 1)
    zipkin.status = 202
    made.leave(5.0)  # wakes whoever waits
    exporting.join(9)
    made.shutdown()
    assert results == [SpanExportResult.SUCCESS]
    assert len(zipkin.spans) == 1


def test_nobody_tries_beyond_the_end(zipkin: Zipkin) -> None:
    zipkin.status = 503
    made = exporter_to(zipkin.endpoint)
    made.leave(0.0)
    assert made.export([span()]) is SpanExportResult.FAILURE
    made.shutdown()
    assert zipkin.posts == 1


async def test_a_collector_that_hangs_does_not_hold_up_messages(hanging: str, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Settings(hanging), "f", nesting=False)
    made = function(hello, wiring("f", serves=(ENTRY_METHOD,)), tracer=Tracing(1.0, recorder))
    async with serving(made) as target:
        for _ in range(40):
            await asyncio.gather(*(raw_call(target, ENTRY_METHOD, b"") for _ in range(5)))
        # All are answered, and the first batch still waits for its own answer: nobody waited for it.
        assert (recorder._exporter.sent, recorder._exporter.lost) == (0, 0)
        await asyncio.to_thread(recorder.close, 0.1)
    assert "200 of 200 spans never arrived" in caplog.text


def test_an_overflow_is_told_when_it_begins_and_counted_at_the_end(
    hanging: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    tracing = Tracing(1.0, Recorder(Settings(hanging), "f", nesting=False))
    for _ in range(1000):
        tracing.start("SERVER", "x", None).end()
    assert "Queue full" in caplog.text
    assert len(caplog.records) < 5  # and not for each of them
    tracing.close(0.1)
    assert "1000 of 1000 spans never arrived" in caplog.text


def test_one_span_that_cannot_be_told_does_not_take_its_batch_with_it(zipkin: Zipkin) -> None:
    class Untellable:
        def __str__(self) -> str:
            raise ValueError("speechless")

    tracing = Tracing(1.0, Recorder(Settings(zipkin.endpoint), "f", nesting=False))
    good, bad = tracing.start("SERVER", "good", None), tracing.start("SERVER", "bad", None)
    with pytest.raises(ValueError, match="speechless"):
        bad.annotate("x", Untellable())  # said to whoever tags it
    bad.annotate("y", 10**400)
    good.end()
    bad.end()
    tracing.close(5)
    assert sorted(each["name"] for each in zipkin.spans) == ["bad", "good"]


FORKING = """
import os, sys
from toolkit.contract import Tracing as Settings
from toolkit.sdk.recorder import Recorder
from toolkit.sdk.tracing import Tracing

recorder = Recorder(Settings(sys.argv[1]), "f", nesting=False)
tracing = Tracing(1.0, recorder)
tracing.start("SERVER", "before", None).end()
recorder.provider.force_flush()
child = os.fork()
tracing.start("SERVER", "after", None).end()
tracing.close(10)
if child:
    os.waitpid(child, 0)
os._exit(0)
"""


def test_a_forked_process_has_ids_and_a_connection_of_its_own(zipkin: Zipkin) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKING, zipkin.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert sorted(each["name"] for each in zipkin.spans) == ["after", "after", "before"]
    assert len({each["traceId"] for each in zipkin.spans}) == 3
    assert zipkin.connections == 2
