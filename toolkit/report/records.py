"""Every call of a run as one object with the same keys, and those as NDJSON and CSV. One after the other, never all.

May live here: what a record says and how it is written. May not: files, numpy.

The keys are a contract (docs/reports.md). Times are nanoseconds of the one monotonic clock of whoever sent the load.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.columns import COLD, LOST, REFUSED, SAMPLED, WARMUP
from toolkit.report.characters import printable
from toolkit.results import CallRecord

Record = Mapping[str, Any]
Row = tuple[int, ...]  # of `columns.FIELDS`
KEYS = (
    "run",
    "trial",
    "seq",
    "trace_id",
    "intended_ns",
    "sent_ns",
    "first_byte_ns",
    "done_ns",
    "completed_ns",
    "lateness_ns",
    "latency_ns",
    "service_time_ns",
    "status",
    "error",
    "instance",
    "cold",
    "warmup",
    "refused",
    "sampled",
    "payload_bytes",
    "reply_bytes",
)
NOBODY = "LOST"  # the status of a call that nobody answered
FORMULAS = ("=", "+", "-", "@")  # what spreadsheets would compute
LINES = 1024  # that are written at once


def of_call(run: str, call: CallRecord, trial: int | None = None) -> Record:
    """That of a chain's call."""
    answered = call.done_ns is not None and not call.refused
    return {
        "run": run,
        "trial": trial,
        "seq": call.seq,
        "trace_id": call.trace,
        "intended_ns": call.due_ns,
        "sent_ns": None if call.refused else call.sent_ns,
        "first_byte_ns": call.first_ns,
        "done_ns": call.done_ns,
        "completed_ns": call.completed_ns,
        "lateness_ns": None if call.refused else call.sent_ns - call.due_ns,
        "latency_ns": (call.done_ns or 0) - call.due_ns if answered else None,
        "service_time_ns": (call.done_ns or 0) - call.sent_ns if answered else None,
        "status": None if call.refused else (call.status if answered and call.status else NOBODY),
        "error": call.error,
        "instance": call.instance,
        "cold": call.cold,
        "warmup": False,
        "refused": call.refused,
        "sampled": call.sampled,
        "payload_bytes": call.size,
        "reply_bytes": None,
    }


def of_rows(
    run: str, rows: Iterable[Row], traces: Iterable[str], statuses: Sequence[str], instances: Sequence[str]
) -> Iterator[Record]:
    """Those of rows in the order of their places in the load; `traces` has one id for each place."""
    ids = iter(traces)
    place, trace = -1, ""
    for row in rows:
        while place < row[0]:
            place, trace = place + 1, next(ids)
        yield _of_row(run, row, trace, statuses, instances)


def _of_row(run: str, row: Row, trace: str, statuses: Sequence[str], instances: Sequence[str]) -> Record:
    seq, due, sent, first, done, completed, size, reply_size, instance, status, flags, _ = row
    refused = bool(flags & REFUSED)
    answered = done > 0 and status != LOST and not refused
    return {
        "run": run,
        "trial": None,
        "seq": seq,
        "trace_id": trace,
        "intended_ns": due,
        "sent_ns": None if refused else sent,
        "first_byte_ns": first or None,
        "done_ns": done or None,
        "completed_ns": completed or None,
        "lateness_ns": None if refused else sent - due,
        "latency_ns": done - due if answered else None,
        "service_time_ns": done - sent if answered else None,
        "status": None if refused else _named(statuses, status) if answered else NOBODY,
        "error": None,
        "instance": _named(instances, instance - 1) if instance else None,
        "cold": bool(flags & COLD),
        "warmup": bool(flags & WARMUP),
        "refused": refused,
        "sampled": bool(flags & SAMPLED),
        "payload_bytes": size,
        "reply_bytes": reply_size if answered else None,
    }


def _named(table: Sequence[str], place: int) -> str:
    """What a row points at; a file may point at nothing."""
    return table[place] if place < len(table) else f"number {place}"


def ndjson(records: Iterable[Record]) -> Iterator[str]:
    """One object a line."""
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    for record in records:
        yield encode(record) + "\n"


def as_csv(records: Iterable[Record]) -> Iterator[str]:
    """RFC 4180, with the keys as its first line; None is an empty cell, and truth is `true` and `false`."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\r\n").writerow
    write(KEYS)
    for place, record in enumerate(records, start=1):
        write([_cell(record[key]) for key in KEYS])
        if place % LINES == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = printable(value)
        return f"'{plain}" if plain.startswith(FORMULAS) else plain  # a stranger's text is nothing to compute
    return value
