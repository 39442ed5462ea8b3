"""What a page says, in words: the same for a chain's run and for a load that is no chain's.

May live here: choosing and wording. May not: HTML (the template's), shapes (`charts`, `along`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.report.cold import start_lines, witness_line
from toolkit.report.drawing import arrow
from toolkit.report.tables import count, milliseconds, percent, plural, rate, seconds
from toolkit.results import (
    CallNumbers,
    Check,
    ColdStarts,
    Hop,
    Incident,
    Load,
    LoadReport,
    Measurement,
    PathPart,
    Quantiles,
    Report,
)

COLUMNS = ("min", "p50", "p90", "p95", "p99", "p999", "max", "mean")
INCIDENTS = 100  # that a page shows


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page is about. `facts` and `environment` are (what, value); `quantiles` by their name."""

    name: str
    kind: str
    run: str
    chips: tuple[tuple[str, str], ...]  # (tone, words): good, bad, warn, plain
    banners: tuple[tuple[str, str, tuple[str, ...]], ...]  # (tone, title, reasons)
    facts: tuple[tuple[str, str], ...]
    quantiles: Mapping[str, Quantiles | None]
    lateness: Quantiles | None
    environment: tuple[tuple[str, str], ...]
    hops: Sequence[Hop] = ()
    path: Sequence[PathPart] = ()
    checks: Sequence[Check] = ()
    incidents: Sequence[Incident] = ()
    statuses: Sequence[tuple[str, int]] = ()
    errors: Sequence[tuple[str, str, int]] = ()
    notes: Sequence[str] = ()
    starts: ColdStarts | None = None
    witnessed: str | None = None  # what calls how many calls cold


def of_run(report: Report) -> Subject:
    found = report.measurement
    broken = [check.name for check in report.checks if not check.passed]
    return Subject(
        name=report.chain,
        kind="chain",
        run=report.run,
        chips=tuple(_chips(report, broken)),
        banners=tuple(_banners(found.invalid, report.partial, broken, len(report.checks))),
        facts=tuple(_facts(report, found)),
        quantiles={
            "latency": found.latency_us,
            "service time": found.service_time_us,
            "completion": found.completion_us,
            "cold": found.cold,
        },
        lateness=found.lateness_us,
        environment=tuple(_environment(report)),
        hops=found.hops,
        path=found.critical_path,
        checks=report.checks,
        incidents=report.incidents[:INCIDENTS],
        notes=report.notes,
        starts=found.cold_starts,
        witnessed=witness_line(found),
    )


def of_load(report: LoadReport) -> Subject:
    found = report.numbers
    return Subject(
        name=report.target,
        kind="load",
        run=report.run,
        chips=(*_answers(found), *_validity(found.invalid, report.partial)),
        banners=(*_banners(found.invalid, report.partial, (), 0), *_unanswered(found)),
        facts=tuple(_facts_of_load(report, found)),
        quantiles={"latency": found.latency_us, "service time": found.service_time_us},
        lateness=found.lateness_us,
        environment=tuple(_conditions(report)),
        statuses=found.statuses,
        errors=found.errors,
    )


def asked(load: Load) -> str:
    """The load in one line."""
    bound = f"{count(load.requests)} calls" if load.requests is not None else f"for {seconds(load.duration_s)}"
    if load.model == "open":
        at = f" at {rate(load.rate)}" if load.rate is not None else ""
        return f"open loop{at}, {load.arrivals} arrivals, {bound}, seed {load.seed}"
    think = "" if load.think is None else f"thinking {load.think}, "
    return f"closed loop, {count(load.concurrency or 0)} at a time, {think}{bound}, seed {load.seed}"


def hop_name(hop: Hop) -> str:
    return f"{hop.source} {arrow(hop.via)} {hop.to}"


def start_parts(starts: ColdStarts) -> tuple[PathPart, ...]:
    """The segments of cold starts as a bar that adds up."""
    return tuple(
        PathPart(
            f"{each.function}: {each.segment}" if each.function else each.segment, each.n, each.p50_us, None, each.share
        )
        for each in starts.segments
    )


def interval(found: Quantiles, name: str) -> str | None:
    """`1.20–1.35` of a quantile whose interval is known, milliseconds."""
    between = (getattr(found, "ci95", None) or {}).get(name)
    return None if between is None else f"{milliseconds(between[0])}–{milliseconds(between[1])}"


def compared(one: Mapping[str, Quantiles | None], other: Mapping[str, Quantiles | None]) -> list[tuple[str, ...]]:
    """Rows of (what, this run, n, the other, n, difference): quantiles that at least one of the two has."""
    rows: list[tuple[str, ...]] = []
    for what in one:
        mine, theirs = one.get(what), other.get(what)
        if mine is None or theirs is None:
            continue
        for column in ("p50", "p90", "p95", "p99", "p999", "max"):
            a, b = getattr(mine, column), getattr(theirs, column)
            if a is not None or b is not None:
                named = f"{what} {'p99.9' if column == 'p999' else column}"
                rows.append((named, milliseconds(a), count(mine.n), milliseconds(b), count(theirs.n), _change(b, a)))
    return rows


def flat(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested conditions as rows: `libraries.grpcio`, `1.85.1`."""
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None or before <= 0:
        return "—"
    return f"{(after / before - 1) * 100:+.1f} %"


def _chips(report: Report, broken: Sequence[str]) -> Iterator[tuple[str, str]]:
    if broken:
        yield "bad", f"✗ {len(broken)} of {plural(len(report.checks), 'check')} failed"
    elif report.checks:
        yield "good", f"✓ all {len(report.checks)} checks passed"
    yield from _validity(report.measurement.invalid, report.partial)
    yield "plain", f"{report.engine} engine{' (emulated)' if report.emulated else ''}"


def _validity(invalid: Sequence[str], partial: bool) -> Iterator[tuple[str, str]]:
    yield ("bad", "✗ INVALID measurement") if invalid else ("good", "✓ valid measurement")
    if partial:
        yield "warn", "! PARTIAL"


def _banners(
    invalid: Sequence[str], partial: bool, broken: Sequence[str], checks: int
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if invalid:
        yield "bad", "INVALID: the generator does not trust these numbers", tuple(invalid)
    if partial:
        yield "warn", "PARTIAL: the run was interrupted", ("What was measured until then is shown.",)
    if broken:
        yield "bad", f"FAILED: {', '.join(broken)} ({len(broken)} of {checks} checks)", ()


def _answers(found: CallNumbers) -> Iterator[tuple[str, str]]:
    if bad := found.failed + found.lost:
        yield "bad", f"✗ {plural(bad, 'call')} not answered OK"
    elif found.sent:
        yield "good", f"✓ all {plural(found.sent, 'call')} answered OK"


def _unanswered(found: CallNumbers) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if bad := found.failed + found.lost:
        were = "was" if bad == 1 else "were"
        title = f"FAILED: {count(bad)} of {plural(found.sent, 'call')} {were} not answered OK"
        yield "bad", title, (f"{count(found.failed)} failed, {count(found.lost)} lost",)


def _facts(report: Report, found: Measurement) -> Iterator[tuple[str, str]]:
    yield "load", asked(report.load)
    yield "calls", _counted(found)
    for each in list(start_lines(found.cold_starts))[:1]:  # the others stand with the cold starts
        yield "from zero", each
    if found.traces_expected:
        gaps = f", {plural(found.missing_spans, 'span')} missing" if found.missing_spans else ""
        yield "traces", f"{count(found.traces_complete)} of {count(found.traces_expected)} complete{gaps}"
    if report.parameters:
        yield "set", ", ".join(f"{name}={value}" for name, value in report.parameters.items())
    yield "started", report.started


def _facts_of_load(report: LoadReport, found: CallNumbers) -> Iterator[tuple[str, str]]:
    yield "load", asked(report.load)
    yield "calls", _counted(found)
    sockets = (
        "as many connections as it takes" if report.connections is None else plural(report.connections, "connection")
    )
    processes = len(report.generators)
    yield "sent by", f"{count(processes)} {'process' if processes == 1 else 'processes'}, {sockets}"
    if found.warmup:
        yield "warm-up", f"{plural(found.warmup, 'call')}, in no other number"
    yield "started", report.started


def _conditions(report: LoadReport) -> Iterator[tuple[str, str]]:
    yield "toolkit", report.toolkit_version
    yield "command", " ".join(report.command)
    yield "seed", str(report.load.seed)
    yield "share of calls traced", percent(report.load.sample)
    yield "a call's deadline", seconds(report.load.timeout_s)
    if report.drain_s is not None:
        yield "waited for answers", seconds(report.drain_s)
    for place, each in enumerate(report.generators, start=1):
        cpu = "" if each.cpu is None else f", {percent(each.cpu)} of a processor"
        memory = "" if each.memory_bytes is None else f", {each.memory_bytes / 2**20:,.0f} MiB"
        yield f"process {place}", f"{count(each.sent)} sent{cpu}{memory}, {each.ended}"
    yield from flat(report.environment)


def _counted(found: Measurement | CallNumbers) -> str:
    parts = [f"{count(found.sent)} sent", f"{count(found.ok)} ok", f"{count(found.failed)} failed"]
    parts.append(f"{count(found.lost)} lost")
    if found.refused:
        parts.append(f"{count(found.refused)} never sent")
    if isinstance(found, Measurement):
        parts.append(f"{count(found.duplicated)} duplicated")
    return f"{', '.join(parts)}; {rate(found.achieved_rate)} over {seconds(found.duration_s)}"


def _environment(report: Report) -> Iterator[tuple[str, str]]:
    yield "engine", f"{report.engine}{' (emulated)' if report.emulated else ''}"
    yield "toolkit", report.toolkit_version
    yield "chain's SHA-256", report.spec_sha256
    if report.git_commit:
        yield "git commit", report.git_commit
    yield "seed", str(report.load.seed)
    yield "share of calls traced", percent(report.load.sample)
    yield "a call's deadline", seconds(report.load.timeout_s)
    yield from flat(report.environment)
