"""The use-case of `toolkit load`: send → rows → numbers → report → a folder of its own.

May live here: the order of the steps, and what is kept when one of them fails. The steps themselves live below.

`report.json` is what `-o json` prints; `calls.npy` is an array of rows (`toolkit.columns`), one a call, in the order of
the load; numpy opens it without reading it (`numpy.load(…, mmap_mode="r")`).
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from toolkit import environment, rows, runs
from toolkit.errors import UsageError
from toolkit.load import pacing, senders
from toolkit.load.direct import Manner
from toolkit.load.hdr import Histogram
from toolkit.load.robin import Robin
from toolkit.load.sendable import Sendable
from toolkit.load.senders import Part
from toolkit.measure import direct, endpoints
from toolkit.report import load as as_json
from toolkit.report import load_reading
from toolkit.results import CallNumbers, Elapsed, Generator, Load, LoadReport, Progress, Quantiles

CALLS = "calls.npy"
BEYOND = 10  # samples that a quantile needs beyond it (`measure.quantiles`)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `warmup` is the words for the warm-up in `manner`, `command` the command line."""

    target: str
    request: Sendable
    load: Load
    generators: int = 1
    manner: Manner = field(default_factory=Manner)
    warmup: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report, and the rows that it was made of. `trouble`: why some of them are missing in their files."""

    report: LoadReport
    parts: Sequence[rows.Part]
    trouble: str | None = None


def run(
    order: Order,
    folder: Path,
    *,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Sends the load; rows go into new files in `folder`. A partial one once `stopped` says so.

    Raises UsageError for a load that makes no sense, Unreachable (`load.direct`) when nobody can be called, EngineError
    when a generator could not be brought to begin.
    """
    started, wall_ns, from_ns = datetime.now(UTC), time.time_ns(), time.monotonic_ns()
    start_ns, parts = senders.send(
        order.request, order.load, order.generators, order.manner, folder, stopped=stopped, on_progress=on_progress
    )
    elapsed = Elapsed(time.time_ns() - wall_ns, time.monotonic_ns() - from_ns)
    began = _began(parts)
    trouble = next((each.ended.trouble for each in parts if each.ended is not None and each.ended.trouble), None)
    numbers = _numbers(order.load, parts, start_ns, elapsed, trouble)
    report = _report(order, started, began, parts, numbers, partial=stopped())
    return Outcome(report, tuple(rows.Part(each.rows, each.statuses) for each in parts), trouble)


def _report(
    order: Order, started: datetime, began: str | None, parts: Sequence[Part], numbers: CallNumbers, *, partial: bool
) -> LoadReport:
    return LoadReport(
        run=f"load-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        target=order.target,
        started=f"{started:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        toolkit_version=environment.toolkit_version(),
        environment=environment.describe(),
        command=order.command,
        load=order.load,
        connections=order.manner.connections,
        drain_s=order.manner.drain_s,
        warmup=order.warmup,
        generators=tuple(_generator(each, partial) for each in parts),
        numbers=numbers,
        statuses=rows.together([each.statuses for each in parts]),
        partial=partial,
        load_started=began,
        endpoints=_endpoints(order.request, order.load, parts),
    )


def _endpoints(request: Sendable, load: Load, parts: Sequence[Part]) -> tuple[tuple[str, CallNumbers], ...]:
    if not isinstance(request, Robin):
        return ()
    targets = [str(each.target) for each in request.requests]
    found = [(rows.raw(each.rows), each.statuses) for each in parts]
    return endpoints.by_endpoint(found, targets, load)


def _began(parts: Sequence[Part]) -> str | None:
    """When the first call was due, one of the warm-up too, on the wall clock; None when there is no row."""
    found = (rows.raw(each.rows) for each in parts)
    first_ns = min((int(each["due_ns"].min()) for each in found if len(each)), default=None)
    return None if first_ns is None else environment.wall_clock(first_ns)


def store(out: Path, outcome: Outcome) -> Path:
    """Writes the run under `out` and returns its folder; whole or not at all. Raises UsageError when it cannot."""

    def fill(folder: Path) -> None:
        rows.merge(outcome.parts, folder / CALLS)
        document = json.dumps(as_json.to_json(outcome.report), indent=2, allow_nan=False)
        (folder / runs.REPORT).write_text(document + "\n")
        runs.draw(folder, outcome.report, rows.read(folder / CALLS))

    if outcome.trouble is not None:
        raise UsageError(
            f"the run is not stored: its rows could not be written: {outcome.trouble}",
            next_step="give a folder with room for 64 bytes a call, twice, with --out; or --no-out to store nothing",
        )
    return runs.store(out, outcome.report.run, fill)


def write_latencies(outcome: Outcome, place: Path) -> Path:
    """vSwarm's `rps<achieved>_lat.csv`: a whole number of microseconds a line, of calls answered OK, as they ended.

    `place` is a file beside which it goes when it ends in `.csv`, else a folder, which is made when it is not there.
    Raises UsageError when it cannot be written.
    """
    found, numbers = endpoints.latencies_us([rows.raw(each.path) for each in outcome.parts]), outcome.report.numbers
    beside = place.suffix == ".csv" and not place.is_dir()
    folder, name = (place.parent, place.name) if beside else (place, "lat.csv")
    rate = numbers.ok / numbers.duration_s if numbers.duration_s else 0.0
    path = folder / f"rps{rate:.2f}_{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{each}\n" for each in found))
    except OSError as error:
        raise UsageError(f"--lat-csv {path}: {error.strerror}", next_step="give a folder to write into") from error
    return path


def load(folder: Path) -> LoadReport:
    """The report of a stored load. Raises UsageError when there is none, or a foreign file in its place."""
    path = folder / runs.REPORT
    return load_reading.from_json(runs.document(path), str(path))


def is_one(document: object) -> bool:
    """Whether a report.json is a load's, and not a chain's run."""
    return isinstance(document, dict) and document.get("kind") == as_json.KIND


def _numbers(load: Load, parts: Sequence[Part], start_ns: int, elapsed: Elapsed, trouble: str | None) -> CallNumbers:
    unknown, unsent = _missing(load, parts, start_ns)
    why = [f"generator {each.share.index + 1}: {each.why}" for each in parts if each.why is not None]
    if unknown or unsent:
        why.append(f"of {unknown:,} calls nobody knows what became of them, and {unsent:,} were not sent")
    told = direct.Told(
        statuses=tuple(_endings(parts, unknown).most_common()),
        errors=_errors(parts),
        unknown=unknown,
        unsent=unsent,
        why=why,
        cpus=tuple(each.ended.cpu for each in parts if each.ended is not None and each.ended.cpu is not None),
    )
    if trouble is not None:
        return _without_rows(load, parts, elapsed, [*why, f"rows of calls are missing: {trouble}"])
    return direct.numbers([rows.raw(each.rows) for each in parts], load, elapsed, told)


def _missing(load: Load, parts: Sequence[Part], start_ns: int) -> tuple[int, int]:
    """Calls of generators that died: those due by then without a row, and those that were still to come."""
    unknown = unsent = 0
    for part in parts:
        if part.ended is not None:
            continue
        written = len(rows.raw(part.rows))
        planned, due = _planned(load, part, start_ns)
        unknown += max(0, due - written)
        unsent += max(0, planned - max(due, written))
    return unknown, unsent


def _planned(load: Load, part: Part, start_ns: int) -> tuple[int, int]:
    """How many calls a share has, and how many of them were due, or sent, when its process was gone."""
    if load.model == "closed":
        sent = 0 if part.told is None else part.told.sent
        return part.share.count(load.requests) or sent, sent
    gone_ns = (part.gone_ns or 0) - start_ns
    due = sum(1 for _ in takewhile(lambda at: at <= gone_ns, part.share.times(pacing.times(load))))
    return sum(1 for _ in part.share.times(pacing.times(load))), due


def _endings(parts: Sequence[Part], unknown: int) -> Counter[str]:
    """How many calls ended how; of a generator that died, its rows say so."""
    found: Counter[str] = Counter()
    for each in parts:
        found.update(each.ended.ended if each.ended is not None else direct.endings(rows.raw(each.rows), each.statuses))
    if unknown:
        found["LOST"] += unknown
    return found


def _errors(parts: Sequence[Part]) -> tuple[tuple[str, str, int], ...]:
    found: Counter[tuple[str, str]] = Counter()
    for each in parts:
        for status, words, calls in each.ended.errors if each.ended is not None else ():
            found[status, words] += calls
    return tuple((status, words, calls) for (status, words), calls in found.most_common())


def _generator(part: Part, partial: bool) -> Generator:
    if part.ended is None:
        return Generator(0 if part.told is None else part.told.sent, part.why or "it is gone")
    ended = part.ended
    return Generator(ended.sent, "interrupted" if partial else "whole", ended.cpu, ended.memory_bytes, ended.scheduling)


def _without_rows(load: Load, parts: Sequence[Part], elapsed: Elapsed, why: Sequence[str]) -> CallNumbers:
    """What can be told of a load whose rows could not be kept: counts, and latencies to one part in a thousand."""
    ended = [each.ended for each in parts if each.ended is not None]
    latency, lateness = (
        _merged(found) for found in ([each.latency for each in ended], [each.lateness for each in ended])
    )
    counts = _endings([each for each in parts if each.ended is not None], 0)
    sent = sum(each.sent - each.warmup for each in ended)
    took_ns = max((each.last_ns - each.started_ns for each in ended), default=0)
    return CallNumbers(
        sent=sent,
        ok=counts["OK"],
        failed=sum(counts.values()) - counts["OK"] - counts["LOST"],
        lost=counts["LOST"],
        refused=sum(each.refused for each in ended),
        duration_s=max(0, took_ns) / 1e9,
        achieved_rate=sent * 1e9 / took_ns if took_ns > 0 else None,
        lateness_us=_quantiles(lateness) if load.model == "open" else None,
        latency_us=_quantiles(latency),
        service_time_us=None,
        statuses=tuple(counts.most_common()),
        errors=_errors(parts),
        invalid=tuple(why),
        warmup=sum(each.warmup for each in ended),
    )


def _merged(parts: Sequence[bytes]) -> Histogram:
    whole = Histogram()
    for each in parts:
        whole.merge(Histogram.from_bytes(each))
    return whole


def _quantiles(found: Histogram) -> Quantiles | None:
    if found.mean is None:
        return None

    def known(share: float) -> float | None:
        value = found.quantile(share)
        return None if value is None or found.total * (1 - share) < BEYOND else value / 1e3

    p50, p90, p95, p99, p999 = (known(each) for each in (0.5, 0.9, 0.95, 0.99, 0.999))
    return Quantiles(found.total, found.min / 1e3, p50, p90, p95, p99, p999, found.max / 1e3, found.mean / 1e3)
