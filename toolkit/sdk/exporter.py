"""Batches of spans to a collector: over one kept HTTP connection, from the exporter's own thread, tried again.

May live here: the sending, and the counting of what arrived. May not: what a span is on the wire (`zipkin`, `otlp`), or
anything that runs in the event loop. (The stock exporters need `requests`, 97 ms of import; the Zipkin one gives up
after one try.)
"""

from __future__ import annotations

import http.client
import logging
import math
import os
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from toolkit.sdk.destination import Destination
from toolkit.sdk.ended import Told, told

WAITS_S: tuple[float, ...] = (0.05, 0.2, 0.8)  # before the second, third and fourth try
MAX_WAIT_S = 10.0  # however long a collector asks to be left alone (Retry-After)
TIMEOUT_S = 5.0
MAX_ANSWER = 1 << 16  # bytes
AGAIN = (408, 429)  # of the refusals, those that may be otherwise the next time; and all of 5xx

_log = logging.getLogger(__name__)


class Encoder(Protocol):
    """One protocol: what is posted, and how many of the spans an answer says were thrown away, and why."""

    content_type: str

    def encode(self, spans: Sequence[Told]) -> bytes: ...

    def rejected(self, answer: bytes) -> tuple[int, str]: ...


class Exporter(SpanExporter):
    """Posts batches; counts what was sent and what was lost."""

    def __init__(self, to: Destination, encoder: Encoder) -> None:
        self._to, self._encoder = to, encoder
        self._headers = {**to.headers, "Content-Type": encoder.content_type}
        self._connection: http.client.HTTPConnection | None = None
        self._pid = os.getpid()
        self._leaving, self._ends = threading.Event(), math.inf  # when the process wants to be gone, monotonic
        self._told: set[str] = set()
        self._waits = WAITS_S
        self.sent = 0
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        answer, reason = self._deliver(self._encoder.encode([told(each) for each in spans]))
        lost = len(spans)
        if reason is None:
            lost, reason = self._encoder.rejected(answer)
            lost = min(lost, len(spans))
        self.sent += len(spans) - lost
        self.lost += lost
        if not lost:
            return SpanExportResult.SUCCESS
        self._tell(f"{lost} spans lost: {self._to.endpoint}: {reason}")
        return SpanExportResult.FAILURE

    def leave(self, within_s: float) -> None:
        """The process ends: whoever waits tries again now, and nobody tries beyond `within_s` seconds."""
        self._ends = time.monotonic() + within_s
        self._leaving.set()

    def shutdown(self) -> None:
        self.leave(0.0)
        self._drop()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True  # nothing is held back here

    def _deliver(self, body: bytes) -> tuple[bytes, str | None]:
        """What was answered, and why the batch was not taken. After a batch that was lost, one try is enough."""
        answer, reason = b"", None
        for wait in (*self._waits, None):
            status, answer, reason, asked = self._post(body)
            if reason is None or (400 <= status < 500 and status not in AGAIN):  # it would refuse it again
                break
            if wait is None or not self._patient(max(wait, asked)):
                break
        self._waits = WAITS_S if reason is None else ()
        return answer, reason

    def _patient(self, wait_s: float) -> bool:
        """Whether there is time for another try, which it then is."""
        if self._leaving.is_set():
            wait_s = min(wait_s, WAITS_S[-1], self._ends - time.monotonic())
            time.sleep(max(0.0, wait_s))
        else:
            self._leaving.wait(wait_s)
        return time.monotonic() < self._ends

    def _post(self, body: bytes) -> tuple[int, bytes, str | None, float]:
        """Status (0: none came), the answer, why it is a failure, and the seconds to stay away."""
        try:
            connection = self._connect()
            connection.request("POST", self._to.target, body, self._headers)
            response = connection.getresponse()
            text = response.read(MAX_ANSWER)
            if not response.isclosed():  # there is more, which nobody reads
                self._drop()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return 0, b"", str(error) or type(error).__name__, 0.0
        if 200 <= response.status < 300:
            return response.status, text, None, 0.0
        self._drop()
        reason = f"HTTP {response.status} {text[:200].decode('utf-8', 'replace')}".strip()
        return response.status, text, reason, retry_after(response.getheader("Retry-After", ""))

    def _connect(self) -> http.client.HTTPConnection:
        if self._pid != os.getpid():  # forked: the connection is our parent's
            self._pid = os.getpid()
            self._drop()
        if self._connection is None:
            if self._to.tls:
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(self._to.address, timeout=TIMEOUT_S, context=context)
            else:
                self._connection = http.client.HTTPConnection(self._to.address, timeout=TIMEOUT_S)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _tell(self, text: str) -> None:
        reason = text.partition(": ")[2]
        if reason not in self._told and len(self._told) < 20:
            self._told.add(reason)
            _log.warning("%s (said once)", text)


def retry_after(header: str) -> float:
    """The seconds a collector asks for; 0 where it asks for none, or for a date, which its clock alone knows."""
    return min(MAX_WAIT_S, float(header)) if header.isdecimal() else 0.0
