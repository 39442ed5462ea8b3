"""Prints a report in the form that was asked for, and turns it into an exit code."""

from __future__ import annotations

import json
import shutil

from toolkit.cli.output import colour, say
from toolkit.errors import Exit
from toolkit.report import json as as_json
from toolkit.report import junit, text
from toolkit.results import Report


def show(report: Report, form: str, *, numbers: bool = True) -> None:
    """Prints the report; without `numbers` its text holds the promises only."""
    say(told(report, form, numbers=numbers, colours=colour()))


def told(report: Report, form: str, *, numbers: bool = True, colours: bool = False) -> str:
    """The report as text, JSON or JUnit, newline at the end."""
    if form == "json":
        return json.dumps(as_json.to_json(report), indent=2, allow_nan=False) + "\n"
    if form == "junit":
        return junit.render(report)
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    return text.render(report, numbers=numbers, colour=colours, width=width)


def verdict(report: Report, *, measuring: bool) -> Exit:
    """The exit code of a run. `measuring` asks for numbers too, and then they have to be valid."""
    if report.partial:
        return Exit.INTERRUPTED
    if not report.passed:
        return Exit.CHECK
    if measuring and report.measurement.invalid:
        return Exit.INVALID
    return Exit.OK
