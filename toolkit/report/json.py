"""A report as one JSON object, and back. The keys are a contract: see the README and docs/measurement.md.

No data is null, never 0 or NaN.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from toolkit.report.cold import cold_json, starts_json
from toolkit.results import SCHEMA, Check, Hop, Incident, Measurement, Quantiles, Report


def to_json(report: Report) -> dict[str, Any]:
    """The object that `toolkit run -o json` prints and that `report.json` holds."""
    found = report.measurement
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "run": _run(report),
        "load": _load(report, found),
        "latency_us": _quantiles(found.latency_us),
        "service_time_us": _quantiles(found.service_time_us),
        "completion_us": _quantiles(found.completion_us),
        "completions": None if found.completions is None else dataclasses.asdict(found.completions),
        "clock_error_us": found.clock_error_us,
        "cold": cold_json(found, _quantiles(found.cold)),
        "cold_starts": starts_json(found.cold_starts),
        "histogram": [{"upto_us": upto, "count": count} for upto, count in found.histogram],
        "hops": [_hop(each) for each in found.hops],
        "critical_path": [dataclasses.asdict(each) for each in found.critical_path] or None,
        "bands": [dataclasses.asdict(each) for each in found.bands],
        "traces": {
            "expected": found.traces_expected,
            "complete": found.traces_complete,
            "missing_spans": found.missing_spans,
            "orphans": found.orphans,
            "platform": dict(found.platform_traces) or None,
        },
        "checks": [_check(each) for each in report.checks],
        "passed": report.passed,
        "partial": report.partial,
        "parameters": dict(report.parameters),
        "edges": [_edge(each, optional=each in report.optional) for each in report.edges],
        "incidents": [_incident(each) for each in report.incidents],
        "notes": list(report.notes),
    }
    return {key: _finite(value) for key, value in document.items()}


def _edge(edge: tuple[str, str, str], *, optional: bool) -> dict[str, Any]:
    source, to, via = edge
    return {"from": source, "to": to, "via": via} | ({"optional": True} if optional else {})


def _run(report: Report) -> dict[str, Any]:
    return {
        "id": report.run,
        "chain": report.chain,
        "entry": report.entry,
        "engine": report.engine,
        "emulated": report.emulated,
        "started": report.started,
        "load_started": report.load_started,
        "seed": report.load.seed,
        "spec_sha256": report.spec_sha256,
        "git_commit": report.git_commit,
        "toolkit_version": report.toolkit_version,
        "environment": dict(report.environment),
    }


def _load(report: Report, found: Measurement) -> dict[str, Any]:
    return {
        "model": report.load.model,
        "asked": dataclasses.asdict(report.load),
        "asked_rate": found.asked_rate,
        "achieved_rate": found.achieved_rate,
        "sent": found.sent,
        "ok": found.ok,
        "failed": found.failed,
        "lost": found.lost,
        "refused": found.refused,
        "duplicated": found.duplicated,
        "reordered": found.reordered,
        "failed_handlings": found.failed_handlings,
        "retried_handlings": found.retried_handlings,
        "duration_s": found.duration_s,
        "lateness_us": _quantiles(found.lateness_us),
        "valid": not found.invalid,
        "invalid": list(found.invalid),
    }


def _quantiles(found: Quantiles | None) -> dict[str, Any] | None:
    return None if found is None else dataclasses.asdict(found)


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        "from": hop.source,
        "to": hop.to,
        "via": hop.via,
        "n": hop.n,
        "p50_us": hop.p50_us,
        "p99_us": hop.p99_us,
        "share": hop.share,
        "parts": [dataclasses.asdict(each) for each in hop.parts],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "passed": check.passed,
        "wanted": check.wanted,
        "got": check.got,
        "details": list(check.details),
    }


def _incident(incident: Incident) -> dict[str, Any]:
    return {**dataclasses.asdict(incident), "log_tail": list(incident.log_tail)}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; what is neither text nor number is told as text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return str(value)
