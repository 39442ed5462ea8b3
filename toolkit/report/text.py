"""The report for a person at a terminal.

May live here: the order of the sections and how each is drawn. Everything printed that a function or a server said
goes through `characters.printable` first.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from toolkit.report.asked import asked
from toolkit.report.characters import in_ascii, printable
from toolkit.report.cold import segment_table, start_lines, witness_line
from toolkit.report.drawing import chain_lines
from toolkit.report.tables import bars, count, hop_table, latency_table, milliseconds, path_table, plural, rate, seconds
from toolkit.report.traces_text import slowest
from toolkit.results import Check, Completions, Incident, Measurement, Quantiles, Report

INCIDENTS = 5  # of each kind that are printed
LABEL = 11  # width of the words at the left margin
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def render(
    report: Report, *, numbers: bool = True, colour: bool = False, width: int = 100, unicode: bool = True
) -> str:
    """The whole report, newline at the end; without `numbers` only what was promised, and whether it was kept.

    Nothing but prose is cut or folded to `width`.
    """
    paint = _Paint(colour)
    width = max(40, width)
    sections = (
        _title(report, paint),
        chain_lines(report, width),
        *(_numbers(report, paint, width) if numbers else ()),
        _traces(report),
        _checks(report.checks, paint, width),
        _incidents(report.incidents, paint, width),
        _verdict(report, paint, width),
    )
    text = "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"
    return text if unicode else in_ascii(text)


def _numbers(report: Report, paint: _Paint, width: int) -> tuple[Iterable[str], ...]:
    found = report.measurement
    return (
        _facts(report),
        _headed(latency_table(found, width), paint),
        (re.sub("[█▌]+", lambda bar: paint("cyan", bar[0]), line) for line in bars(found.histogram, width)),
        _headed(hop_table(found.hops, width), paint),
        _headed(path_table(found.critical_path, width), paint),
        _folds(slowest(found.bands), width),
        _headed(segment_table(found.cold_starts, width), paint),
    )


def _folds(lines: Iterable[str], width: int) -> Iterator[str]:
    return (part for line in lines for part in textwrap.wrap(line, width))


def _headed(lines: Iterable[str], paint: _Paint) -> Iterator[str]:
    """A table whose head stands back behind its rows."""
    for index, line in enumerate(lines):
        yield line if index else paint("dim", line)


class _Paint:
    """Puts colour around text, or nothing."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self._colour else text


def _title(report: Report, paint: _Paint) -> Iterator[str]:
    engine = f"{report.engine} engine" + (" (emulated)" if report.emulated else "")
    partial = " · " + paint("yellow", "PARTIAL: it was interrupted") if report.partial else ""
    yield f"{paint('bold', printable(report.chain))} · {printable(engine)} · run {printable(report.run)}{partial}"


def _facts(report: Report) -> Iterator[str]:
    found = report.measurement
    yield _labelled("load", asked(report.load))
    if report.parameters:
        yield _labelled("set", " · ".join(printable(f"{name}={value}") for name, value in report.parameters.items()))
    numbers = {"sent": found.sent, "ok": found.ok, "failed": found.failed, "lost": found.lost}
    counted = [f"{count(number)} {name}" for name, number in numbers.items()]
    if found.refused:
        counted.append(f"{count(found.refused)} never sent")
    counted += [
        f"{count(found.duplicated)} duplicated",
        f"{rate(found.achieved_rate)} over {seconds(found.duration_s)}",
    ]
    yield _labelled("calls", " · ".join(counted))
    if found.lost and not found.invalid:
        yield _labelled("next", "what was lost had no answer in time; try --concurrency 4, or a lower --rate")
    if found.lateness_us is not None:
        yield _labelled("lateness", _lateness(found.lateness_us))
    if found.completions is not None:
        yield _labelled("events", _kept_up(found, found.completions))
    if found.failed_handlings:
        yield _labelled("handlings", _failed_handlings(found))
    if (told := witness_line(found)) is not None:
        yield _labelled("cold", told)
    for each in start_lines(found.cold_starts):
        yield _labelled("from zero", each)


def _lateness(late: Quantiles) -> str:
    told = (f"{name} {milliseconds(each)}" for name, each in (("p50", late.p50), ("p99", late.p99), ("max", late.max)))
    return f"{' · '.join(told)} ms, the generator's own"


def _kept_up(found: Measurement, said: Completions) -> str:
    numbers = [f"{rate(said.accept_rate)} accepted", f"{rate(said.completion_rate)} completed"]
    numbers.append(f"{count(said.backlog)} behind when the last was sent")
    if said.first_us is not None and said.first_us.p50 is not None:
        numbers.append(f"first end p50 {said.first_us.p50 / 1e3:.3g} ms")
    if found.clock_error_us is not None:
        numbers.append(f"clocks ± {found.clock_error_us / 1e3:.3g} ms")
    return " · ".join(numbers)


def _failed_handlings(found: Measurement) -> str:
    failed = f"{plural(found.failed_handlings, 'handling')} failed"
    if found.retried_handlings == found.failed_handlings:
        return f"{failed} and {'was' if found.failed_handlings == 1 else 'were'} retried with success"
    return f"{failed}, {count(found.retried_handlings)} of them retried with success"


def _traces(report: Report) -> Iterator[str]:
    found = report.measurement
    if not found.traces_expected:
        yield _labelled("traces", "none: no call was sampled")
        return
    gaps = f" · {plural(found.missing_spans, 'span')} missing" if found.missing_spans else ""
    orphans = f" · {plural(found.orphans, 'orphan')}" if found.orphans else ""
    yield _labelled(
        "traces", f"{count(found.traces_complete)} of {count(found.traces_expected)} complete{gaps}{orphans}"
    )
    if found.platform_traces:
        yield _labelled("platform", _spans_of(found.platform_traces))


def _spans_of(parts: Sequence[tuple[str, int]]) -> str:
    """Parts that are in the same number of traces stand together."""
    together: dict[int, list[str]] = {}
    for part, traces in parts:
        together.setdefault(traces, []).append(printable(part))
    return "spans of " + " · ".join(f"{', '.join(each)} in {plural(n, 'trace')}" for n, each in together.items())


def _checks(checks: Sequence[Check], paint: _Paint, width: int) -> Iterator[str]:
    for check in checks:
        name = f"{printable(check.name):<{LABEL}}"
        mark = paint("green", "✓") if check.passed else paint("red", "✗")
        if check.passed:
            yield from _folded(f"{mark} {name}", printable(check.got), width)
            continue
        yield from _folded(f"{mark} {paint('bold', name)}", f"wanted {printable(check.wanted)}", width)
        yield from _folded(" " * (LABEL + 2), f"got    {printable(check.got)}", width)
        for detail in (each for each in check.details if each not in check.got):
            yield from _folded(" " * (LABEL + 2), f"· {printable(detail)}", width)


def _incidents(incidents: Sequence[Incident], paint: _Paint, width: int) -> Iterator[str]:
    """The first few of each kind; report.json has them all."""
    told: Counter[str] = Counter()
    untold: Counter[str] = Counter()
    for incident in incidents:
        told[incident.kind] += 1
        if told[incident.kind] > INCIDENTS:
            untold[incident.kind] += incident.count
            continue
        yield from _folded(
            paint("yellow", f"{incident.kind}: "), printable(f"{incident.subject}: {incident.text}"), width
        )
        for line in incident.log_tail:
            yield f"  │ {printable(line)[: width - 4]}"
    for kind, number in untold.items():
        yield f"{kind}: and {number} more"


def _verdict(report: Report, paint: _Paint, width: int) -> Iterator[str]:
    for note in report.notes:
        yield from _folded("note: ", printable(note), width)
    for reason in report.measurement.invalid:
        yield from _folded(paint("yellow", "INVALID measurement: "), printable(reason), width)
    broken = [printable(check.name) for check in report.checks if not check.passed]
    if broken:
        yield paint("red", f"✗ FAILED: {', '.join(broken)} ({len(broken)} of {len(report.checks)} checks)")
    elif report.checks:
        yield paint("green", f"✓ PASSED: all {len(report.checks)} checks")
    else:
        yield "nothing was checked"


def _labelled(label: str, text: str) -> str:
    return f"{label:<{LABEL + 2}}{text}"


def _folded(label: str, text: str, width: int) -> Iterator[str]:
    """`text` behind `label`, folded; the label's colours take no room."""
    room = LABEL + 2
    lines = textwrap.wrap(text, max(20, width - room)) or [""]
    yield f"{label}{lines[0]}"
    yield from (f"{'':{room}}{line}" for line in lines[1:])
