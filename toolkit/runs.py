"""Runs on disk: `runs/<run-id>/` holds a run's report and everything it was made of. Never overwritten.

May live here: reading and writing these files. May not: what is in them (`report`, `traces.zipkin`, `contract`).

`report.json` is what `-o json` prints, `report.html` its page, `latency.hgrm` HdrHistogram's percentile text;
`calls.ndjson`, `receipts.ndjson` one object a line; `spans.json` Zipkin v2, as `POST /api/v2/spans` takes it, one a
line, those of a trace together.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

from toolkit import exports, pages, spanfile, traced
from toolkit.contract import Receipt, Sent
from toolkit.errors import UsageError
from toolkit.measure.cold import ColdSample
from toolkit.measure.rows import Rows, table
from toolkit.report import json as as_json
from toolkit.report.reading import from_json
from toolkit.results import CallRecord, Evidence, LoadReport, Report, Stamped
from toolkit.traces import tree, zipkin
from toolkit.traces.model import Span

REPORT, CALLS, RECEIPTS, SPANS, LOGS = "report.json", "calls.ndjson", "receipts.ndjson", "spans.json", "logs"
PAGE, PERCENTILES = "report.html", "latency.hgrm"
COLD = "cold.ndjson"  # one line a repetition, of a run that forced cold starts
MANIFESTS = "manifests"  # of what was applied, when a cluster was used
MOST_TRACES = 20_000  # that a run's page is made of at its end; `toolkit trace ui` takes them all
LARGEST = 64 << 20  # bytes of a report.json; ours have a few KiB


def prepare(out: Path) -> None:
    """Raises UsageError when nothing could be stored in `out`: better before a run than after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UsageError(
            f"no run can be stored in {out}: {error.strerror or error}", next_step="give another folder with --out"
        ) from error


def save(
    out: Path,
    report: Report,
    calls: Sequence[CallRecord],
    evidence: Evidence,
    *,
    cold: Sequence[ColdSample] = (),
    logs: Path | None = None,
    manifests: Path | None = None,
) -> Path:
    """Writes the run under `out` and returns its folder; whole or not at all. Raises UsageError when it cannot.

    The files in `logs` are copied into the run's `logs/`, those in `manifests` into `manifests/`.
    """

    def fill(building: Path) -> None:
        (building / REPORT).write_text(json.dumps(as_json.to_json(report), indent=2, allow_nan=False) + "\n")
        _write_lines(building / CALLS, map(_flat, calls))
        _write_lines(building / RECEIPTS, map(_receipt, evidence.receipts))
        spanfile.write(building / SPANS, evidence.spans)
        draw(building, report, table(calls, evidence.receipts).rows, _traces(report, evidence.spans))
        if cold:
            _write_lines(building / COLD, map(asdict, cold))
        for kept, name in ((logs, LOGS), (manifests, MANIFESTS)):
            if kept is not None and kept.is_dir():
                shutil.copytree(kept, building / name)

    return store(out, report.run, fill)


def store(out: Path, run: str, fill: Callable[[Path], None]) -> Path:
    """A new folder `run` under `out` with what `fill` writes into it; whole or not at all, and never over another one.

    Raises UsageError when it cannot.
    """
    folder = out / run
    if folder.name != run:
        raise UsageError(f"{run!r} is no name for a folder", next_step="name a run without slashes")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _beside(folder) as building:
            fill(building)
            building.rename(folder)  # refused by the system when a run is there
    except OSError as error:
        raise UsageError(
            f"the run cannot be stored in {folder}: {error.strerror or error}",
            next_step="give a folder that can be written with --out",
        ) from error
    return folder


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder next to `folder`, removed again unless it was renamed."""
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        umask = os.umask(0)
        os.umask(umask)
        building.chmod(0o777 & ~umask)  # mkdtemp's own are for secrets
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def draw(building: Path, report: Report | LoadReport, rows: Rows, traces: str | None = None) -> None:
    """What can be made of the other files again: the page, and HdrHistogram's percentiles."""
    (building / PAGE).write_text(pages.render(pages.side(report, rows), traces=traces), encoding="utf-8")
    (building / PERCENTILES).write_text("".join(exports.percentiles(rows)), encoding="utf-8")


def _traces(report: Report, spans: Iterable[Span]) -> str | None:
    """What the page holds of the traces; of very many, an even sample: nobody is to wait for a page."""
    every = list(tree.by_trace(spans).values())
    return traced.embedded(traced.of_run(report, every[:: -(-len(every) // MOST_TRACES) or 1], whole=len(every)))


def find(run: str, out: Path) -> Path:
    """The folder of a run that was named by its folder, its report.json, or its id (in `out`). Raises UsageError."""
    for folder in (Path(run), Path(run).parent if Path(run).name == REPORT else Path(run), out / run):
        if (folder / REPORT).is_file():
            return folder
    known = sorted(each.parent.name for each in out.glob(f"*/{REPORT}")) if out.is_dir() else []
    near = difflib.get_close_matches(run, known, n=1)
    if not known:
        raise _no_runs(out, f"no run {run!r} here, and {out} holds none")
    hint = f"did you mean {near[0]}?" if near else f"the last one is {newest(out).name}"
    raise UsageError(f"no run {run!r} here or in {out}", next_step=hint)


def _no_runs(out: Path, text: str) -> UsageError:
    return UsageError(text, next_step="run a chain first: toolkit run chained-serving; or name another --out")


def newest(out: Path) -> Path:
    """The folder of the run in `out` that was stored last. Raises UsageError when there is none."""
    found = list(out.glob(f"*/{REPORT}")) if out.is_dir() else []
    if not found:
        raise _no_runs(out, f"{out} holds no runs")
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent


def spans_of(folder: Path) -> Path:
    """The file of a stored run's spans. Raises UsageError when it is not there."""
    path = folder / SPANS
    if not path.is_file():
        raise UsageError(f"{folder} is a run without {SPANS}", next_step="name a run with traces: a 'toolkit run' has")
    return path


def no_traces(where: str, kind: Literal["run", "file", "store"]) -> UsageError:
    """The error for a place that holds no trace."""
    hints = {
        "run": "it was run with --sample 0, or nothing came back; run it again with --sample 1",
        "file": "name a file of Zipkin v2 spans, such as a run's spans.json",
        "store": "name a store that was sent spans",
    }
    return UsageError(f"{where} holds no trace", next_step=hints[kind])


def spans(folder: Path) -> list[Span]:
    """Every span of a stored run. Raises UsageError when its file is missing or holds something else."""
    path = folder / SPANS
    try:
        return zipkin.decode(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}", next_step="give the folder of a run") from error


def load(run: str, out: Path) -> Report:
    """The report of a stored run. Raises UsageError when there is none, or a foreign file in its place."""
    path = find(run, out) / REPORT
    return from_json(document(path), str(path))


def document(path: Path) -> object:
    """What a report.json holds. Raises UsageError when it cannot be read, or is no JSON."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(
                f"{path}: larger than any report ({LARGEST >> 20} MiB)", next_step="give a run's report.json"
            )
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {str(error)[:120]}", next_step="give a run's report.json") from error


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    with path.open("w", encoding="utf-8") as file:
        file.writelines(encode(line) + "\n" for line in lines)


_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in (CallRecord, Receipt, Sent)}


def _flat(record: CallRecord | Receipt | Sent) -> dict[str, Any]:
    """As `dataclasses.asdict`, without its deep copies: a run may have a million of these."""
    return {name: getattr(record, name) for name in _NAMES[type(record)]}


def _receipt(stamped: Stamped) -> dict[str, Any]:
    boot = stamped.receipt.boot
    booted = {"boot": None if boot is None else asdict(boot)}
    sent = [_flat(each) for each in stamped.receipt.sent]
    return {**_flat(stamped.receipt), **booted, "sent": sent, "at_ns": stamped.at_ns}
