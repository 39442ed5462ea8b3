"""The calls of a stored run, read back: what `report -o csv`, `-o html` and the like are made of.

May live here: reading `calls.ndjson`. May not: where runs lie (`runs`), what becomes of the calls (`exports`, `pages`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from toolkit.errors import UsageError
from toolkit.exports import Source
from toolkit.measure.rows import table
from toolkit.report import records
from toolkit.results import CallRecord, Report

_FIELDS = {field.name for field in fields(CallRecord)}
LONGEST = 16 << 20  # bytes of a line; an answer's text is part of it


def of_run(report: Report, calls: Path, receipts: Path) -> Source:
    """That of a chain's run; of forced cold starts each call is a trial.

    Raises UsageError when its files are missing, or hold something else.
    """
    known = _met(receipts)
    read = list(_calls(calls, known))
    forced = report.measurement.cold_starts is not None
    return Source(
        report,
        table(read),
        lambda: (records.of_call(report.run, each, each.seq if forced else None) for each in read),
    )


def _calls(path: Path, met: dict[str, tuple[bool, str | None]]) -> Iterator[CallRecord]:
    """Each with what its receipts say, where the record itself does not (those of earlier versions)."""
    for place, found in _objects(path):
        try:
            call = CallRecord(**{key: value for key, value in found.items() if key in _FIELDS})
            if not all(isinstance(each, int) for each in (call.seq, call.due_ns, call.sent_ns, call.done_ns or 0)):
                raise TypeError("a time is no whole number")
        except TypeError as error:
            raise UsageError(
                f"{path}:{place}: no record of a call: {error}", next_step="give the folder of a run"
            ) from error
        if call.cold is None and call.call in met:
            cold, instance = met[call.call]
            call = CallRecord(**{**_flat(call), "cold": cold, "instance": call.instance or instance})
        yield call


def _flat(call: CallRecord) -> dict[str, Any]:
    return {name: getattr(call, name) for name in _FIELDS}


def _met(path: Path) -> dict[str, tuple[bool, str | None]]:
    """Call id → whether it met a cold function, and the entry's replica that handled it."""
    found: dict[str, tuple[bool, str | None]] = {}
    if not path.is_file():
        return found
    for _, receipt in _objects(path):
        cold, instance = found.get(str(receipt.get("call")), (False, None))
        if receipt.get("via") == "entry":
            instance = str(receipt.get("replica"))
        found[str(receipt.get("call"))] = (cold or receipt.get("cold") is True, instance)
    return found


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for place, line in enumerate(iter(lambda: file.readline(LONGEST), b""), start=1):
                found = json.loads(line)
                if not isinstance(found, dict):
                    raise ValueError(f"line {place} is no object")
                yield place, found
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {str(error)[:120]}", next_step="give the folder of a run") from error
