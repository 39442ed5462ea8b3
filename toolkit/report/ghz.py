"""A run as the JSON that ghz writes, so that what reads ghz's reports reads ours.

May live here: ghz's names and rules (its `runner/reporter.go`, `runner/stats_handler.go`). May not: numpy, files.

Durations are whole nanoseconds. A latency is ours, from the moment a call was due: ghz's own counts from sending, which
is the service time here; `tags` says so. As there, quantiles and histogram are those of the calls that were OK, and the
average is that of all; of ours only a call that nobody answered is not in it, as it has no latency.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from toolkit.report.records import NOBODY, Record

PERCENTAGES = (10, 25, 50, 75, 90, 95, 99)
BARS = 10
LONE = {"CANCELLED": "Canceled", "OK": "OK", NOBODY: "DeadlineExceeded"}  # ghz knows no other word for nobody


@dataclass(frozen=True, slots=True)
class Whole:
    """What a report says of all calls. Nanoseconds. `latencies` are those at `PERCENTAGES`, empty without any.

    `started` is `first_due_ns` (of the records' clock) on the wall clock.
    `bars` are (mark in ns, calls up to it and above the one before), ghz's eleven; `ended` is ghz's reason.
    """

    name: str
    ended: str
    started: datetime
    first_due_ns: int
    count: int
    took_ns: int
    mean_ns: int
    fastest_ns: int
    slowest_ns: int
    statuses: Mapping[str, int]
    errors: Mapping[str, int]
    latencies: Sequence[int]
    bars: Sequence[tuple[float, int]]
    options: Mapping[str, Any]
    tags: Mapping[str, str]


def render(whole: Whole, records: Iterable[Record]) -> Iterator[str]:
    """The document, piece by piece; `records` are told one after the other under `details`."""
    head = json.dumps(_head(whole), ensure_ascii=True)
    yield head[:-1] + ',"details":['
    first = True
    for record in records:
        if (told := _detail(record, whole.started, whole.first_due_ns)) is not None:
            yield told if first else "," + told
            first = False
    yield "]}\n"


def code(status: str) -> str:
    """As Go's gRPC writes it: DEADLINE_EXCEEDED is DeadlineExceeded."""
    return LONE.get(status, "".join(word.capitalize() for word in status.split("_")))


def _head(whole: Whole) -> dict[str, Any]:
    good = sum(number for _, number in whole.bars)
    codes = Counter[str]()
    for name, number in whole.statuses.items():
        codes[code(name)] += number  # ghz has one name for several of ours
    return {
        "name": whole.name,
        "endReason": whole.ended,
        "options": dict(whole.options),
        "date": _time(whole.started),
        "count": whole.count,
        "total": whole.took_ns,
        "average": whole.mean_ns,
        "fastest": whole.fastest_ns,
        "slowest": whole.slowest_ns,
        "rps": whole.count / (whole.took_ns / 1e9) if whole.took_ns else 0.0,
        "errorDistribution": dict(whole.errors),
        "statusCodeDistribution": dict(codes),
        "latencyDistribution": [
            {"percentage": share, "latency": ns} for share, ns in zip(PERCENTAGES, whole.latencies, strict=False)
        ],
        "histogram": [
            {"mark": mark / 1e9, "count": number, "frequency": number / good if good else 0.0}
            for mark, number in whole.bars
        ],
        "tags": dict(whole.tags),
    }


def _detail(record: Record, started: datetime, zero_ns: int) -> str | None:
    """None for a call that was never sent, or sent before the measurement."""
    if record["refused"] or record["warmup"]:
        return None
    at = started + timedelta(microseconds=(record["sent_ns"] - zero_ns) / 1e3)
    error = "" if record["status"] == "OK" else record["error"] or f"rpc error: code = {code(record['status'])}"
    return json.dumps(
        {
            "timestamp": _time(at),
            "latency": record["latency_ns"] or 0,
            "error": error,
            "status": code(record["status"]),
        }
    )


def _time(at: datetime) -> str:
    """RFC 3339."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
