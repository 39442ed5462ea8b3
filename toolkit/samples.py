"""Stored runs as samples: the latencies, failures and conditions of a run, whatever made it. Times are microseconds.

May live here: reading what `toolkit run`, `toolkit load` and trials left on disk. May not: statistics (`measure`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import runs
from toolkit.columns import COLD, DTYPE, LOST, REFUSED, SAMPLED, WARMUP
from toolkit.errors import UsageError
from toolkit.measure.comparison import Sample
from toolkit.measure.rows import Rows, answered, flagged
from toolkit.verdicts import Group, Trial

COLUMNS, TRIALS = "calls.npy", "trials.json"
FAILED = 1  # of a row's status, where only "answered OK or not" is asked
LARGEST = 64 << 20  # bytes of a report.json


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One run. `what` is its chain or target; `conditions` are what it was measured under, as flat text."""

    run: str
    what: str
    sample: Sample
    conditions: Mapping[str, str]
    invalid: tuple[str, ...]
    partial: bool


def stored(run: str, out: Path) -> Stored:
    """The run of that id, or in that folder. Raises UsageError."""
    folder = runs.find(run, out)
    report = _report(folder / runs.REPORT)
    load, told = _mapping(report.get("load")), _mapping(report.get("run"))
    return Stored(
        run=str(told.get("id") or folder.name),
        what=str(_target(report) or folder.name),
        sample=of_rows(rows(folder), completing=_asynchronous(report)),
        conditions=conditions(report),
        invalid=tuple(str(each) for each in load.get("invalid") or ()),
        partial=report.get("partial") is True,
    )


def of_rows(found: Rows, *, completing: bool = True) -> Sample:
    """Latency and completion count from due. Refused calls and warm-up are in none of them.

    Without `completing` there are no completions: whoever waits for answers only has nothing behind them.
    """
    sent = found[~flagged(found, REFUSED | WARMUP)]
    sent = sent[np.argsort(sent["due_ns"], kind="stable")]
    good = answered(sent)
    warm, cold = good & ~flagged(sent, COLD), good & flagged(sent, COLD)
    whole = warm & (sent["completed_ns"] > 0) & completing
    latency = (sent["done_ns"] - sent["due_ns"]) / 1e3
    completion = (sent["completed_ns"] - sent["due_ns"]) / 1e3
    return Sample(latency[warm], completion[whole], latency[cold], ~good, cold[good])


def rows(folder: Path) -> Rows:
    """The calls of a stored run in columns: from its `calls.npy`, else from `calls.ndjson` and the receipts.

    Of the latter `status` says only whether a call was answered OK, failed (1) or was lost.
    """
    if (folder / COLUMNS).is_file():
        from toolkit.rows import read

        return read(folder / COLUMNS)
    cold = {str(each.get("call")) for each in _lines(folder / runs.RECEIPTS) if each.get("cold") is True}
    try:
        return np.array([_row(each, cold) for each in _lines(folder / runs.CALLS)], dtype=DTYPE)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        path = folder / runs.CALLS
        raise UsageError(f"{path}: no calls of a run: {error}", next_step="give the folder of a run") from error


def _row(call: Mapping[str, Any], cold: set[str]) -> tuple[int, ...]:
    done, status = call["done_ns"], call["status"]
    code = LOST if done is None or status is None else 0 if status == "OK" else FAILED
    flags = (SAMPLED if call.get("sampled") else 0) | (REFUSED if call.get("refused") else 0)
    flags |= COLD if call.get("cold") or call["call"] in cold else 0
    times = (call["due_ns"], call["sent_ns"], call.get("first_ns") or 0, done or 0, call.get("completed_ns") or 0)
    return call["seq"], *times, call.get("size") or 0, 0, 0, code, flags, 0


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects of a file that has one a line; a run without receipts has none."""
    if path.name == runs.RECEIPTS and not path.exists():
        return
    try:
        with path.open("rb") as file:
            for at, line in enumerate(file, 1):
                each = json.loads(line)
                if not isinstance(each, dict):
                    raise UsageError(f"{path}:{at}: not an object", next_step="give the folder of a run")
                yield each
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {str(error)[:120]}", next_step="give the folder of a run") from error


def conditions(report: Mapping[str, Any]) -> Mapping[str, str]:
    """What must be alike before two runs are compared, flat: `chain`, `parameters.payload`, `load.rate`, `engine` …"""
    run, load = _mapping(report.get("run")), _mapping(report.get("load"))
    asked = _mapping(load.get("asked")) or {key: load.get(key) for key in ("arrivals", "concurrency", "seed")}
    found = {
        "chain": _target(report),
        "spec": run.get("spec_sha256"),
        "commit": run.get("git_commit"),
        "toolkit": run.get("toolkit_version"),
        "engine": run.get("engine"),
        "load.model": load.get("model"),
        "load.rate": load.get("asked_rate"),
        **{f"load.{key}": value for key, value in asked.items() if key not in ("rate", "recorded")},
        "load.recorded": _digest(asked.get("recorded")),
        "load.connections": load.get("connections"),
        "load.generators": len(made) if isinstance(made := load.get("generators"), list) else None,
        **{f"parameters.{key}": value for key, value in _mapping(report.get("parameters")).items()},
        **dict(_flat("environment", run.get("environment") or report.get("environment"))),
    }
    return {key: str(value) for key, value in found.items() if value is not None}


def _digest(text: Any) -> str | None:
    """A recording may have megabytes; whether two are alike is seen by this."""
    return None if text is None else hashlib.sha256(str(text).encode()).hexdigest()[:12]


def _asynchronous(report: Mapping[str, Any]) -> bool:
    edges = report.get("edges")
    return isinstance(edges, list) and any(_mapping(each).get("via") == "event" for each in edges)


def _target(report: Mapping[str, Any]) -> Any:
    run = _mapping(report.get("run"))
    return run.get("chain") or report.get("target") or run.get("target")


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}", each)
    else:
        yield name, value


def group(name: str, out: Path) -> Group | None:
    """The trials of that group; None when there is no such group. Raises UsageError for a foreign file."""
    for path in (Path(name) / TRIALS, out / name / TRIALS):
        if path.is_file():
            return _group(_report(path), path)
    return None


def _group(found: Mapping[str, Any], path: Path) -> Group:
    try:
        trials = tuple(
            Trial(str(each["run"]), int(each["block"]), {str(k): str(v) for k, v in each["variant"].items()})
            for each in found["trials"]
        )
        chain, seed, planned = str(found["chain"]), int(found["seed"]), int(found["planned"])
        variants = tuple({str(k): str(v) for k, v in each.items()} for each in found.get("variants", ()))
        return Group(str(found["group"]), chain, seed, planned, trials, found.get("partial") is True, variants)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path}: no group of trials: {error}", next_step="run --trials makes one") from error


def named(text: str, out: Path) -> Sequence[tuple[str, Trial | None]]:
    """The runs that `A,B,GROUP` means, each with its trial where it is one. Raises UsageError when it means none."""
    found: list[tuple[str, Trial | None]] = []
    for name in filter(None, (each.strip() for each in text.split(","))):
        known = group(name, out)
        found += [(name, None)] if known is None else [(each.run, each) for each in known.trials]
    if not found:
        raise UsageError(f"{text!r} names no run", next_step="give a run's id, several with commas, or a group")
    return found


def asked(text: str, key: str, out: Path) -> Sequence[str]:
    """The values of a parameter in the order in which `run --vary` was given them; none where no group knows it."""
    groups = filter(None, (group(each.strip(), out) for each in text.split(",") if each.strip()))
    return list(dict.fromkeys(each[key] for known in groups for each in known.variants if key in each))


def _report(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: larger than any report ({LARGEST >> 20} MiB)", next_step="give a run's folder")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {str(error)[:120]}", next_step="give a run's folder") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: not an object", next_step="give a run's folder")
    return found


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}
