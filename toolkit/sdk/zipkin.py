"""Spans to a Zipkin v2 collector: JSON over one kept HTTP connection, from the exporter's own thread.

May live here: the encoding and the sending. May not: anything that runs in the event loop. (The stock
opentelemetry-exporter-zipkin-json needs `requests`, 97 ms of import, and gives up after one try.)
"""

from __future__ import annotations

import http.client
import json
import logging
import ssl
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from toolkit.sdk.failures import WiringError

PEER = "peer.service"  # the attribute that becomes remoteEndpoint.serviceName
WAITS_S: tuple[float, ...] = (0.05, 0.2, 0.8)  # before the second, third and fourth try
TIMEOUT_S = 5.0

_KINDS = {kind: kind.name for kind in (SpanKind.CLIENT, SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER)}
_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_log = logging.getLogger(__name__)


class ZipkinExporter(SpanExporter):
    """Posts batches to `endpoint`; `tags` are put on every span. Counts what was sent and what was lost."""

    def __init__(self, endpoint: str, service: str, tags: Mapping[str, str]) -> None:
        self._address, self._tls, self._target = _split(endpoint)
        self._endpoint, self._service, self._tags = endpoint, service, dict(tags)
        self._connection: http.client.HTTPConnection | None = None
        self._closing = threading.Event()
        self._told: set[str] = set()
        self._waits = WAITS_S
        self.sent = 0
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = _encoder.encode([encode(span, self._service, self._tags) for span in spans]).encode("utf-8", "replace")
        reason = self._deliver(body)
        if reason is None:
            self.sent += len(spans)
            return SpanExportResult.SUCCESS
        self.lost += len(spans)
        self._tell(f"{len(spans)} spans lost: {self._endpoint}: {reason}")
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._closing.set()
        self._drop()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True  # nothing is held back here

    def _deliver(self, body: bytes) -> str | None:
        """Why the batch could not be delivered, None when it was. After a batch that was lost, one try is enough."""
        reason = None
        for wait in (*self._waits, None):
            status, reason = self._post(body)
            if reason is None or (400 <= status < 500 and status not in (408, 429)):  # it would refuse it again
                break
            if wait is None or self._closing.wait(wait):
                break
        self._waits = WAITS_S if reason is None else ()
        return reason

    def _post(self, body: bytes) -> tuple[int, str | None]:
        try:
            connection = self._connect()
            connection.request("POST", self._target, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read(1 << 16)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return 0, str(error) or type(error).__name__
        if 200 <= response.status < 300:
            return response.status, None
        self._drop()
        return response.status, f"HTTP {response.status} {text[:200].decode('utf-8', 'replace')}".strip()

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            if self._tls:
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(self._address, timeout=TIMEOUT_S, context=context)
            else:
                self._connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
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


def encode(span: ReadableSpan, service: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The span as Zipkin v2 says it; times in microseconds, at least 1 (0 means unknown there)."""
    context = span.context
    start, end = span.start_time or 0, span.end_time or 0
    encoded: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "id": f"{context.span_id:016x}",
        "name": span.name,
        "timestamp": max(1, start // 1000),
        "duration": max(1, (end - start) // 1000),
        "localEndpoint": {"serviceName": service},
    }
    if span.parent is not None:
        encoded["parentId"] = f"{span.parent.span_id:016x}"
    if kind := _KINDS.get(span.kind):
        encoded["kind"] = kind
    said = dict(tags)
    for name, value in (span.attributes or {}).items():
        said[name] = value if isinstance(value, str) else _text(value)
    if remote := said.pop(PEER, None):
        encoded["remoteEndpoint"] = {"serviceName": remote}
    if span.status.status_code is StatusCode.ERROR:
        said["error"] = span.status.description or "error"
    if said:
        encoded["tags"] = said
    if span.events:
        encoded["annotations"] = [
            {"timestamp": event.timestamp // 1000, "value": _annotation(event.name, event.attributes)}
            for event in span.events
        ]
    return encoded


def _annotation(name: str, attributes: Mapping[str, Any] | None) -> str:
    return _encoder.encode({name: {key: _text(value) for key, value in attributes.items()}}) if attributes else name


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(_text, value)) if isinstance(value, (tuple, list)) else str(value)


def _split(endpoint: str) -> tuple[str, bool, str]:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise WiringError(f"wiring.tracing.endpoint: {endpoint!r} is not http(s)://HOST[:PORT]/PATH")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.netloc.rpartition("@")[2], parts.scheme == "https", target
