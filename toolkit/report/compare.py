"""A comparison for a person at a terminal, for programs, and for CI.

May live here: how it is told. May not: statistics (`measure`), or whether runs may be compared.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from toolkit.report.characters import in_ascii, printable
from toolkit.report.tables import NONE, count, milliseconds, plural
from toolkit.results import SCHEMA
from toolkit.verdicts import Compared, Comparison, Difference, Side

NAME, CELL, RATIO = 16, 11, 26
MARKS = {"worse": "✗", "better": "✓", "indistinguishable": "=", "too few samples": "?"}


def as_json(found: Comparison) -> Mapping[str, Any]:
    """One object; what is not known is None. Times are microseconds, shares from 0 to 1."""
    return {"schema": SCHEMA, "kind": "comparison", **dataclasses.asdict(found)}


def text(found: Comparison, *, width: int = 100, unicode: bool = True) -> str:
    """Newline at the end."""
    sections = (
        _sides(found),
        _differences(found.differences, width),
        _table(found),
        _second(found),
        _notes(found, width),
        iter([_overall(found)]),
    )
    told = "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"
    return told if unicode else in_ascii(told)


def _sides(found: Comparison) -> Iterator[str]:
    for letter, side in (("A", found.a), ("B", found.b)):
        yield f"{letter}  {printable(side.name)} · {_runs(side)} · {count(side.calls)} warm calls answered OK"


def _runs(side: Side) -> str:
    return printable(side.runs[0]) if len(side.runs) == 1 else plural(len(side.runs), "run")


def _differences(found: tuple[Difference, ...], width: int) -> Iterator[str]:
    """Serious ones are marked: what was measured is then a difference of those as well."""
    for each in found:
        line = f"{'! ' if each.serious else '  '}{each.what}: {each.a} → {each.b}"
        yield printable(line)[: max(40, width)]


def _table(found: Comparison) -> Iterator[str]:
    yield f"{'':{NAME}}{'A':>{CELL}}{'B':>{CELL}}{'B / A':>{RATIO}}   verdict"
    for each in found.metrics:
        cells = f"{_value(each, each.a):>{CELL}}{_value(each, each.b):>{CELL}}{_effect(each):>{RATIO}}"
        yield f"{each.metric:<{NAME}}{cells}   {_verdict(each)}"


def _value(row: Compared, value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.2%}" if row.difference is not None else f"{milliseconds(value)} ms"


def _effect(row: Compared) -> str:
    if row.interval is None:
        return NONE
    low, high = row.interval.low, row.interval.high
    if row.difference is not None:
        return f"{row.difference:+.2%} [{low:+.2%}, {high:+.2%}]"
    return f"{row.ratio:.3f} [{low:.3f}, {high:.3f}]"


def _verdict(row: Compared) -> str:
    told = f"{MARKS[row.verdict]} {row.verdict}"
    if row.verdict == "too few samples":
        return f"{told}: {row.why}"
    if row.verdict == "indistinguishable":
        needed = f"; about {count(row.calls_needed)} calls would tell" if row.calls_needed else ""
        return f"{told} ({row.why}{needed})"
    return told


def _second(found: Comparison) -> Iterator[str]:
    if (second := found.second) is not None:
        shift = f"{'-' if second.shift_us < 0 else '+'}{milliseconds(abs(second.shift_us))} ms"
        yield f"second opinion: Cliff's delta {second.delta:+.3f} ({second.magnitude}), typical shift {shift}"


def _notes(found: Comparison, width: int) -> Iterator[str]:
    for each in found.notes:
        yield from textwrap.wrap(f"note: {printable(each)}", max(40, width))


def _overall(found: Comparison) -> str:
    told = {
        "worse": "B is WORSE than A",
        "better": "B is better than A",
        "indistinguishable": "B is indistinguishable from A",
        "too few samples": "too few samples to tell",
    }[found.overall]
    sure = f"{found.confidence:.0%} sure of all verdicts together"
    if len(found.a.runs) == len(found.b.runs) == 1:
        sure += ", and of these two runs only: the next two may differ otherwise"
    return f"{MARKS[found.overall]} {told} (smallest effect that matters: {found.min_effect:.2g}; {sure})"


def junit(found: Comparison, *, forced: bool = False) -> str:
    """A case a metric; one that is worse failed, one without enough samples was skipped.

    Before them stands one on whether the runs are valid at all: an error if not, skipped where it was `forced`.
    """
    rows = found.metrics
    failed, skipped = (sum(each.verdict == verdict for each in rows) for verdict in ("worse", "too few samples"))
    reasons = printable("; ".join((*found.a.invalid, *found.b.invalid)))
    bad = {"errors": str(int(bool(reasons) and not forced)), "skipped": str(skipped + (bool(reasons) and forced))}
    counted = {"tests": str(len(rows) + 1), "failures": str(failed), "errors": bad["errors"]}
    suites = Xml.Element("testsuites", counted)
    name = printable(f"{found.b.name} against {found.a.name}")
    suite = Xml.SubElement(suites, "testsuite", {"name": name, **counted, **bad})
    valid = Xml.SubElement(suite, "testcase", classname="toolkit.compare", name="valid", time="0")
    if reasons and forced:
        Xml.SubElement(valid, "skipped", message=f"forced, {reasons}")
    elif reasons:
        Xml.SubElement(valid, "error", type="invalid", message=reasons)
    for each in rows:
        _case(suite, each)
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suites, encoding="unicode") + "\n"


def _case(suite: Xml.Element, row: Compared) -> None:
    case = Xml.SubElement(suite, "testcase", classname="toolkit.compare", name=row.metric, time="0")
    told = f"A {_value(row, row.a)}, B {_value(row, row.b)}, {_effect(row)}"
    if row.verdict == "worse":
        Xml.SubElement(case, "failure", type="regression", message=told)
    elif row.verdict == "too few samples":
        Xml.SubElement(case, "skipped", message=row.why)
