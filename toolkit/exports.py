"""A run in the forms that other tools read: which numbers go into which format, as pieces of text one after the other.

May live here: reading the rows of a run, and putting them and the run's report together. May not: the formats
(`report.records`, `report.hdr`, `report.ghz`, `report.html`), statistics (`measure`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import UsageError
from toolkit.report import ghz, hdr, records
from toolkit.results import LoadReport, Report

if TYPE_CHECKING:
    from toolkit.measure.rows import Numbers, Rows, Table

FORMS = ("ndjson", "csv", "hlog", "hgrm", "ghz")
CHUNK = 65_536  # rows that are objects at a time


@dataclass(frozen=True, slots=True)
class Source:
    """A run at hand: what was reported of it, its rows, and its calls one after the other, as often as wanted."""

    report: Report | LoadReport
    table: Table
    records: Callable[[], Iterator[records.Record]]


def pieces(source: Source, form: str) -> Iterator[str]:
    """The run in one of `FORMS`."""
    if form == "ndjson":
        return records.ndjson(source.records())
    if form == "csv":
        return records.as_csv(source.records())
    if form == "ghz":
        return ghz.render(_whole(source), source.records())
    return percentiles(source.table.rows) if form == "hgrm" else _log(source)


def of_load(report: LoadReport, rows: Path, traces: Callable[[], Iterable[str]]) -> Source:
    """That of a load which is no chain's; `rows` is its `calls.npy`. Raises UsageError when it holds something else."""
    import numpy as np

    from toolkit.columns import DTYPE
    from toolkit.measure.rows import Table

    try:
        found = np.load(rows, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{rows}: cannot be read: {error}", next_step="give the folder of a load") from error
    if found.dtype != np.dtype(DTYPE) or found.ndim != 1:
        raise UsageError(f"{rows}: holds no rows of calls", next_step="give the folder of a load")
    table = Table(found, report.statuses, report.instances)
    return Source(
        report,
        table,
        lambda: records.of_rows(report.run, _tuples(found), traces(), report.statuses, report.instances),
    )


def _tuples(rows: Rows) -> Iterator[records.Row]:
    """In the order of their places in the load."""
    import numpy as np

    seq = rows["seq"]
    order = None if bool(np.all(seq[1:] >= seq[:-1])) else np.argsort(seq, kind="stable")
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK] if order is None else rows[order[start : start + CHUNK]]
        yield from part.tolist()


def percentiles(rows: Rows) -> Iterator[str]:
    """The latencies of warm calls that were answered OK, as HdrHistogram's percentile text; nothing without any."""
    from toolkit.measure import hdr as counted
    from toolkit.measure.rows import populations

    latency = populations(rows).latency
    if len(latency) == 0:
        return iter(())
    mean, deviation = float(latency.mean()), float(latency.std())
    return hdr.percentiles(hdr.Spread(counted.points(latency), len(latency), mean, deviation, int(latency[-1])))


def _log(source: Source) -> Iterator[str]:
    from toolkit.measure import hdr as counted

    run, started = source.report.run, _started(source.report)
    about = {"run": run, "untagged": "latency from due, ns", "Tag=service-time": "from sent, ns"}
    return hdr.log(
        _counted(source.table.rows), started_s=started.timestamp(), highest_ns=counted.HIGHEST_NS, about=about
    )


def _counted(rows: Rows) -> Iterator[hdr.Counted]:
    from toolkit.measure import hdr as counted

    for start_s, length_s, latency, service in counted.intervals(rows):
        yield hdr.Counted(start_s, length_s, int(latency.max()), counted.counts(latency))
        yield hdr.Counted(start_s, length_s, int(service.max()), counted.counts(service), tag="service-time")


def _whole(source: Source) -> ghz.Whole:
    from toolkit.measure.rows import populations

    report, rows = source.report, source.table.rows
    found = populations(rows)
    # ghz knows one kind of OK; ours that met a cold function are among its quantiles, as they would be there
    latency = _merged(found.latency, found.cold)
    statuses, errors, mean_ns = _ends(source.records())
    took_s = report.measurement.duration_s if isinstance(report, Report) else report.numbers.duration_s
    n = len(latency)
    return ghz.Whole(
        name=report.chain if isinstance(report, Report) else report.target,
        ended="cancel" if report.partial else "timeout" if report.load.duration_s else "normal",
        started=_started(report),
        first_due_ns=int(rows["due_ns"].min()) if len(rows) else 0,
        count=sum(statuses.values()),
        took_ns=round(took_s * 1e9),
        mean_ns=mean_ns,
        fastest_ns=int(latency[0]) if n else 0,
        slowest_ns=int(latency[-1]) if n else 0,
        statuses=statuses,
        errors=errors,
        latencies=[int(latency[-(-n * share // 100) - 1]) for share in ghz.PERCENTAGES] if n else [],
        bars=_bars(latency),
        options=_options(report),
        tags={"run": report.run, "tool": "kn-bench", "latency": "from the moment the call was due"},
    )


def _merged(warm: Numbers, cold: Numbers) -> Numbers:
    import numpy as np

    return np.sort(np.concatenate((warm, cold)))


def _ends(told: Iterable[records.Record]) -> tuple[Counter[str], Counter[str], int]:
    """How many calls ended how, what was told of those that were not OK, and the mean latency of all that ended, in ns.

    ghz's average is of all its calls, whatever became of them (its `runner/reporter.go`).
    """
    statuses, errors = Counter[str](), Counter[str]()
    ended = whole_ns = 0
    for record in told:
        if record["refused"] or record["warmup"]:
            continue
        statuses[record["status"]] += 1
        if record["latency_ns"] is not None:
            ended, whole_ns = ended + 1, whole_ns + record["latency_ns"]
        if record["status"] != "OK":
            errors[record["error"] or f"rpc error: code = {ghz.code(record['status'])}"] += 1
    return statuses, errors, round(whole_ns / ended) if ended else 0


def _bars(ordered: Numbers) -> list[tuple[float, int]]:
    """ghz's eleven marks, evenly from the fastest to the slowest."""
    import numpy as np

    if len(ordered) == 0:
        return []
    marks = np.linspace(float(ordered[0]), float(ordered[-1]), ghz.BARS + 1)
    upto = np.searchsorted(ordered, marks, side="right")
    upto[-1] = len(ordered)
    return list(zip(marks.tolist(), np.diff(np.concatenate(([0], upto))).tolist(), strict=True))


def _options(report: Report | LoadReport) -> dict[str, object]:
    load = report.load
    told = {
        "call": None if isinstance(report, Report) else report.target,
        "total": load.requests,
        "concurrency": load.concurrency,
        "qps": None if load.rate is None else max(1, round(load.rate)),
        "duration": None if load.duration_s is None else round(load.duration_s * 1e9),
        "timeout": round(load.timeout_s * 1e9),
        "insecure": True,
        "binary": False,
        "CPUs": report.environment.get("cpus") or 0,
    }
    return {key: value for key, value in told.items() if value is not None}


def _started(report: Report | LoadReport) -> datetime:
    """When the first call was due; of reports that do not know, when the run began, before anything was deployed.

    Raises UsageError when the report does not say when that was.
    """
    told = report.load_started or report.started
    try:
        at = datetime.fromisoformat(told)
    except ValueError as error:
        raise UsageError(f"the report's start is {told!r:.60}, no time", next_step="run it again") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
