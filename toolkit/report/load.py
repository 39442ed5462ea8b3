"""A load that is no chain's, for a person at a terminal and for programs.

May live here: how its numbers are told. May not: computing them (`measure`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.report.asked import asked
from toolkit.report.characters import in_ascii, printable
from toolkit.report.tables import bars, count, milliseconds, quantile_table, rate, seconds
from toolkit.results import SCHEMA, CallNumbers, LoadReport, Quantiles

KIND = "load"  # tells a load's report.json from a chain's
WORDS = 5  # of the errors that are printed
LABEL = 13


def to_json(report: LoadReport) -> Mapping[str, Any]:
    """One object; what is not known is None. `load` and the quantiles are called as in a run's report."""
    found = report.numbers
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "run": {
            "id": report.run,
            "started": report.started,
            "load_started": report.load_started,
            "toolkit_version": report.toolkit_version,
            "environment": dict(report.environment),
            "command": list(report.command),
        },
        "target": report.target,
        "partial": report.partial,
        "load": _sent(report),
        "latency_us": _quantiles(found.latency_us),
        "service_time_us": _quantiles(found.service_time_us),
        "statuses": dict(found.statuses),
        "errors": [{"status": status, "message": words, "calls": calls} for status, words, calls in found.errors],
        "histogram": [{"upto_us": upto, "count": calls} for upto, calls in found.histogram],
        "endpoints": [_endpoint(target, each) for target, each in report.endpoints],
        "tables": {"statuses": list(report.statuses), "instances": list(report.instances)},
    }


def _endpoint(target: str, found: CallNumbers) -> Mapping[str, Any]:
    counts = {name: getattr(found, name) for name in ("sent", "ok", "failed", "lost", "duration_s", "achieved_rate")}
    quantiles = {"latency_us": _quantiles(found.latency_us), "service_time_us": _quantiles(found.service_time_us)}
    return {"target": target, **counts, **quantiles, "statuses": dict(found.statuses)}


def _sent(report: LoadReport) -> Mapping[str, Any]:
    load, found = report.load, report.numbers
    return {
        "model": load.model,
        "arrivals": load.arrivals,
        "asked_rate": load.rate,
        "concurrency": load.concurrency,
        "seed": load.seed,
        "asked": dataclasses.asdict(load),
        "connections": report.connections,
        "drain_s": report.drain_s,
        "asked_warmup": report.warmup,
        "generators": [dataclasses.asdict(each) for each in report.generators],
        "achieved_rate": found.achieved_rate,
        "sent": found.sent,
        "ok": found.ok,
        "failed": found.failed,
        "lost": found.lost,
        "refused": found.refused,
        "warmup": found.warmup,
        "messages": found.messages,
        "duration_s": found.duration_s,
        "lateness_us": _quantiles(found.lateness_us),
        "valid": not found.invalid,
        "invalid": list(found.invalid),
    }


def text(report: LoadReport, *, width: int = 100, unicode: bool = True) -> str:
    """Newline at the end."""
    found = report.numbers
    sections = (
        _facts(report),
        quantile_table({"latency": found.latency_us, "service time": found.service_time_us}, width),
        bars(found.histogram, width),
        _endpoints(report),
        _ends(found),
        (f"INVALID: {each}" for each in found.invalid),
    )
    told = "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"
    return told if unicode else in_ascii(told)


def _facts(report: LoadReport) -> Iterator[str]:
    load, found = report.load, report.numbers
    yield f"{printable(report.target)}{' · PARTIAL: it was interrupted' if report.partial else ''}"
    yield ""
    yield f"{'load':<{LABEL}}{asked(load)}"
    counted = [f"{count(found.sent)} sent", f"{count(found.ok)} ok", f"{count(found.failed)} failed"]
    counted.append(f"{count(found.lost)} lost")
    if found.refused:
        counted.append(f"{count(found.refused)} never sent")
    if found.warmup:
        counted.append(f"{count(found.warmup)} before, to warm up")
    yield f"{'calls':<{LABEL}}{' · '.join(counted)} · {rate(found.achieved_rate)} over {seconds(found.duration_s)}"
    if found.messages is not None:
        yield f"{'messages':<{LABEL}}{count(found.messages)} came back in streams"
    if found.lateness_us is not None:
        late = found.lateness_us
        told = f"p50 {milliseconds(late.p50)} · p99 {milliseconds(late.p99)} · max {milliseconds(late.max)} ms"
        yield f"{'lateness':<{LABEL}}{told}"
    yield f"{'sent by':<{LABEL}}{_senders(report)}"
    yield f"{'measured on':<{LABEL}}{printable(' · '.join(_where(report)))}"


def _senders(report: LoadReport) -> str:
    used = [each.cpu for each in report.generators if each.cpu is not None]
    share = f", which used {', '.join(f'{each:.0%}' for each in used)} of a processor" if used else ""
    number = len(report.generators)
    connections = f" · {count(report.connections)} connections each" if report.connections else ""
    first = ", before others (real time)" if {each.scheduling for each in report.generators} == {"realtime"} else ""
    return f"{number} process{'' if number == 1 else 'es'}{share}{first}{connections}"


def _where(report: LoadReport) -> Iterator[str]:
    machine = report.environment
    yield from (f"{machine[name]}" for name in ("platform", "machine") if name in machine)
    if machine.get("cpus"):
        yield f"{machine['cpus']} processors"
    yield f"kn-bench {report.toolkit_version}"


def _endpoints(report: LoadReport) -> Iterator[str]:
    """A line for each of several."""
    if not report.endpoints:
        return
    wide = max(len(target) for target, _ in report.endpoints)
    yield f"{'endpoint':<{wide}}{'sent':>10}{'ok':>10}{'p50 ms':>12}{'p99 ms':>12}"
    for target, each in report.endpoints:
        latency = each.latency_us
        p50, p99 = (None, None) if latency is None else (latency.p50, latency.p99)
        counts = f"{count(each.sent):>10}{count(each.ok):>10}"
        yield f"{printable(target):<{wide}}{counts}{milliseconds(p50):>12}{milliseconds(p99):>12}"


def _ends(found: CallNumbers) -> Iterator[str]:
    """Only where something else than OK was among them."""
    if [status for status, _ in found.statuses] == ["OK"]:
        return
    for status, calls in found.statuses:
        yield f"{printable(status):<{LABEL + 8}}{count(calls)}"
    for status, words, calls in found.errors[:WORDS]:
        yield f"  {count(calls)} × {status}: {printable(words)}"


def _quantiles(found: Quantiles | None) -> Mapping[str, Any] | None:
    return None if found is None else dataclasses.asdict(found)
