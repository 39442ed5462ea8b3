"""A stored report back into a `Report`. Total: whatever else the document is, it becomes one clear error.

May live here: the way back of `report.json`. May not: files (`toolkit.runs`).
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from toolkit.analysis import Band, HopPart, Share
from toolkit.errors import UsageError
from toolkit.results import (
    SCHEMA,
    Check,
    ColdSegment,
    ColdStarts,
    ColdWitnesses,
    Completions,
    Hop,
    Incident,
    Load,
    Measurement,
    PathPart,
    Quantiles,
    Report,
)

Record = TypeVar("Record")
_RECORDS = (Quantiles, Hop, HopPart, PathPart, Band, Share, ColdWitnesses, ColdStarts, ColdSegment, Completions)
_WHOLE = ("latency_us", "service_time_us", "completion_us", "completions", "clock_error_us", "cold_starts")


class _Foreign(ValueError):
    """What is wrong with the document, and where in it."""


def from_json(document: object, origin: str) -> Report:
    """The report in `document`, which was read from `origin`. Raises UsageError when it is none of ours."""
    try:
        return _report(_object(document, "the document"))
    except _Foreign as error:
        raise UsageError(
            f"{origin}: not a report of this toolkit: {error}",
            next_step="give a run's id, its folder, or its report.json",
        ) from None


def _report(found: Mapping[str, Any]) -> Report:
    if found.get("schema") != SCHEMA:
        raise _Foreign(f"schema is {found.get('schema')!r}, and this toolkit reads {SCHEMA}")
    run, load = _object(found.get("run"), "run"), _object(found.get("load"), "load")
    return Report(
        run=_value(str, run.get("id"), "run.id"),
        chain=_value(str, run.get("chain"), "run.chain"),
        engine=_value(str, run.get("engine"), "run.engine"),
        emulated=_value(bool, run.get("emulated"), "run.emulated"),
        started=_value(str, run.get("started"), "run.started"),
        spec_sha256=_value(str, run.get("spec_sha256"), "run.spec_sha256"),
        git_commit=_value(str | None, run.get("git_commit"), "run.git_commit"),
        toolkit_version=_value(str, run.get("toolkit_version"), "run.toolkit_version"),
        environment=_object(run.get("environment"), "run.environment"),
        load=_record(Load, load.get("asked"), "load.asked"),
        parameters=_object(found.get("parameters"), "parameters"),
        measurement=_measurement(found, load),
        checks=_records(Check, found.get("checks"), "checks"),
        incidents=_records(Incident, found.get("incidents"), "incidents"),
        partial=_value(bool, found.get("partial"), "partial"),
        edges=tuple(_edge(each, f"edges[{at}]") for at, each in enumerate(_list(found.get("edges"), "edges"))),
        entry=_value(str | None, run.get("entry"), "run.entry"),
        notes=_value(tuple[str, ...], found.get("notes"), "notes"),
        load_started=_value(str | None, run.get("load_started"), "run.load_started"),
        optional=frozenset(
            _edge(each, f"edges[{at}]")
            for at, each in enumerate(_list(found.get("edges"), "edges"))
            if isinstance(each, Mapping) and each.get("optional") is True
        ),
    )


def _measurement(found: Mapping[str, Any], load: Mapping[str, Any]) -> Measurement:
    traces = _object(found.get("traces"), "traces")
    hops = [
        {("source" if key == "from" else key): value for key, value in _object(each, f"hops[{at}]").items()}
        for at, each in enumerate(_list(found.get("hops"), "hops"))
    ]
    flat = {
        **{key: value for key, value in load.items() if key not in ("model", "asked", "valid")},
        **{key: found.get(key) for key in _WHOLE},
        **_cold(found.get("cold")),
        "traces_expected": traces.get("expected"),
        "traces_complete": traces.get("complete"),
        "missing_spans": traces.get("missing_spans"),
        "orphans": traces.get("orphans"),
        "platform_traces": [[part, n] for part, n in _object(traces.get("platform") or {}, "traces.platform").items()],
        "hops": hops,
        "critical_path": found.get("critical_path") or [],
        "bands": found.get("bands") or [],
        "histogram": [
            [each.get("upto_us"), each.get("count")]
            for each in (_object(bar, "histogram") for bar in _list(found.get("histogram"), "histogram"))
        ],
    }
    return _record(Measurement, flat, "load")


def _cold(found: object) -> Mapping[str, Any]:
    """The numbers of cold calls, and the witnesses, who may have seen some where no number is."""
    if found is None:
        return {"cold": None}
    cold = _object(found, "cold")
    return {"cold": cold if cold.get("n") else None, "witnesses": cold.get("witnesses")}


def _edge(found: object, path: str) -> tuple[str, str, str]:
    edge = _object(found, path)
    source, to, via = (_value(str, edge.get(key), f"{path}.{key}") for key in ("from", "to", "via"))
    return source, to, via


def _records(kind: type[Record], found: object, path: str) -> tuple[Record, ...]:
    return tuple(_record(kind, each, f"{path}[{at}]") for at, each in enumerate(_list(found, path)))


def _record(kind: type[Record], found: object, path: str) -> Record:
    """A dataclass from an object, field by field; a key that is missing is the default, or an error without one."""
    given, hints, values = _object(found, path), get_type_hints(kind), {}
    for field in fields(kind):  # type: ignore[arg-type]  # only dataclasses are asked for
        if field.name in given:
            values[field.name] = _value(hints[field.name], given[field.name], f"{path}.{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise _Foreign(f"{path}.{field.name} is missing")
    return kind(**values)


def _value(hint: Any, found: object, path: str) -> Any:
    """`found`, if it is what the annotation says; lists become tuples, numbers floats where those are wanted."""
    arguments = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        if found is None and type(None) in arguments:
            return None
        return _value(next(each for each in arguments if each is not type(None)), found, path)
    if get_origin(hint) is Literal:
        return _checked(found in arguments, found, " or ".join(map(repr, arguments)), path)
    if get_origin(hint) is tuple:
        return _tuple(arguments, found, path)
    if get_origin(hint) is Mapping:
        return {key: _value(arguments[1], each, f"{path}.{key}") for key, each in _object(found, path).items()}
    if hint in _RECORDS:
        return _record(hint, found, path)
    if hint is float:
        return float(_checked(isinstance(found, int | float) and not isinstance(found, bool), found, "a number", path))
    names = {str: "text", bool: "true or false", int: "a whole number"}
    right = isinstance(found, hint) and (hint is bool or not isinstance(found, bool))
    return _checked(right, found, names[hint], path)


def _tuple(arguments: tuple[Any, ...], found: object, path: str) -> tuple[Any, ...]:
    items = _list(found, path)
    if arguments[-1] is Ellipsis:
        return tuple(_value(arguments[0], each, f"{path}[{at}]") for at, each in enumerate(items))
    if len(items) != len(arguments):
        raise _Foreign(f"{path} has {len(items)} values, not {len(arguments)}")
    return tuple(_value(hint, each, path) for hint, each in zip(arguments, items, strict=True))


def _checked(right: bool, found: Any, wanted: str, path: str) -> Any:
    if not right:
        raise _Foreign(f"{path} is {found!r:.60}, not {wanted}")
    return found


def _object(found: object, path: str) -> Mapping[str, Any]:
    checked: Mapping[str, Any] = _checked(isinstance(found, dict), found, "an object", path)
    return checked


def _list(found: object, path: str) -> Sequence[Any]:
    checked: Sequence[Any] = _checked(isinstance(found, list), found, "a list", path)
    return checked
