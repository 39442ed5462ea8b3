"""What Knative's components really exported over OTLP, as requests to our own intake and as the spans it makes of them.

`platform-spans.ndjson` has one span a line, as a stock cluster (Broker on in-memory channels, an ingress that does not
trace) sent it: `c01d…` is one request to a service at zero, `a0a0…` the same warm, `eeee…` one event through the
broker to three triggers, of which one reaches the function `tsink`. The functions themselves did not trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from toolkit.traces import otlp, tree, zipkin
from toolkit.traces.model import Span

Row = Mapping[str, Any]

ROWS: list[Row] = [
    json.loads(line) for line in (Path(__file__).parent / "platform-spans.ndjson").read_text().splitlines()
]


def request(rows: Iterable[Row]) -> dict[str, Any]:
    """An ExportTraceServiceRequest in OTLP's JSON."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(row["resource"])},
                "scopeSpans": [{"scope": {"name": row["scope"]}, "spans": [_span(row)]}],
            }
            for row in rows
        ]
    }


def _span(row: Row) -> dict[str, Any]:
    return {
        "traceId": row["trace"],
        "spanId": row["id"],
        "parentSpanId": row["parent"],
        "name": row["name"],
        "kind": row["kind"],
        "startTimeUnixNano": str(row["start"]),
        "endTimeUnixNano": str(row["end"]),
        "attributes": _attributes(row["attrs"]),
        "status": {"code": row["status"]},
    }


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: object) -> dict[str, Any]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def taken(rows: Iterable[Row]) -> list[Span]:
    """The spans that our intake makes of these."""
    decoded = otlp.decode(json.dumps(request(rows)).encode(), as_json=True)
    return [zipkin.to_span(fields) for fields in decoded.fields]


RECORDED = tree.by_trace(taken(ROWS))
EVENT, COLD, WARM = RECORDED["e" * 32], RECORDED["c01d" * 8], RECORDED["a0" * 16]
