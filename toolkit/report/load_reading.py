"""A stored load back into a `LoadReport`. Total: whatever else the document is, it becomes one clear error.

May live here: the way back of a load's `report.json`. May not: files (`toolkit.loads`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.errors import UsageError
from toolkit.report import reading
from toolkit.report.load import KIND
from toolkit.results import SCHEMA, CallNumbers, Generator, Load, LoadReport

Foreign, listed, mapping, record, value = (  # documents are read in one way
    reading._Foreign,
    reading._list,
    reading._object,
    reading._record,
    reading._value,
)

_NOT_TOLD: Mapping[str, Any] = {"refused": 0, "lateness_us": None, "errors": []}  # of one of several targets


def from_json(document: object, origin: str) -> LoadReport:
    """The report in `document`, which was read from `origin`. Raises UsageError when it is none of ours."""
    try:
        return _report(mapping(document, "the document"))
    except Foreign as error:
        raise UsageError(
            f"{origin}: not a load's report of this toolkit: {error}",
            next_step="give a run's id, its folder, or its report.json",
        ) from None


def _report(found: Mapping[str, Any]) -> LoadReport:
    if (found.get("schema"), found.get("kind")) != (SCHEMA, KIND):
        raise Foreign(f"schema and kind are {found.get('schema')!r} and {found.get('kind')!r}, not {SCHEMA}, {KIND}")
    run, load, tables = (mapping(found.get(name), name) for name in ("run", "load", "tables"))
    generators = listed(load.get("generators"), "load.generators")
    endpoints = listed(found.get("endpoints", []), "endpoints")
    return LoadReport(
        run=value(str, run.get("id"), "run.id"),
        target=value(str, found.get("target"), "target"),
        started=value(str, run.get("started"), "run.started"),
        toolkit_version=value(str, run.get("toolkit_version"), "run.toolkit_version"),
        environment=mapping(run.get("environment"), "run.environment"),
        command=value(tuple[str, ...], run.get("command"), "run.command"),
        load=record(Load, load.get("asked"), "load.asked"),
        connections=value(int | None, load.get("connections"), "load.connections"),
        drain_s=value(float | None, load.get("drain_s"), "load.drain_s"),
        warmup=value(str | None, load.get("asked_warmup"), "load.asked_warmup"),
        generators=tuple(record(Generator, each, f"load.generators[{at}]") for at, each in enumerate(generators)),
        numbers=_numbers(found, load),
        statuses=value(tuple[str, ...], tables.get("statuses"), "tables.statuses"),
        instances=value(tuple[str, ...], tables.get("instances"), "tables.instances"),
        partial=value(bool, found.get("partial"), "partial"),
        load_started=value(str | None, run.get("load_started"), "run.load_started"),
        endpoints=tuple(_endpoint(mapping(each, f"endpoints[{at}]"), at) for at, each in enumerate(endpoints)),
    )


def _endpoint(found: Mapping[str, Any], at: int) -> tuple[str, CallNumbers]:
    place = f"endpoints[{at}]"
    statuses = [[name, calls] for name, calls in mapping(found.get("statuses"), f"{place}.statuses").items()]
    return value(str, found.get("target"), f"{place}.target"), record(
        CallNumbers, {**_NOT_TOLD, **found, "statuses": statuses}, place
    )


def _numbers(found: Mapping[str, Any], load: Mapping[str, Any]) -> CallNumbers:
    errors = (mapping(each, "errors") for each in listed(found.get("errors"), "errors"))
    bars = (mapping(each, "histogram") for each in listed(found.get("histogram"), "histogram"))
    flat = {
        **load,
        "latency_us": found.get("latency_us"),
        "service_time_us": found.get("service_time_us"),
        "statuses": [[name, calls] for name, calls in mapping(found.get("statuses"), "statuses").items()],
        "errors": [[each.get("status"), each.get("message"), each.get("calls")] for each in errors],
        "histogram": [[each.get("upto_us"), each.get("count")] for each in bars],
    }
    return record(CallNumbers, flat, "load")
