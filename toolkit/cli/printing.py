"""Prints a report in the form that was asked for, and turns it into an exit code."""

from __future__ import annotations

import json
import shutil
import sys

from toolkit.cli import options as arguments
from toolkit.errors import Exit
from toolkit.report import json as as_json
from toolkit.report import junit, text
from toolkit.results import Report


def show(report: Report, form: str, *, numbers: bool = True) -> None:
    """Prints the report; without `numbers` its text holds the promises only."""
    if form == "json":
        print(json.dumps(as_json.to_json(report), indent=2, allow_nan=False))
    elif form == "junit":
        print(junit.render(report))
    else:
        unicode = "utf" in (sys.stdout.encoding or "").lower()
        width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
        print(text.render(report, numbers=numbers, colour=arguments.colour(), width=width, unicode=unicode), end="")


def verdict(report: Report, *, measuring: bool) -> Exit:
    """The exit code of a run. `measuring` asks for numbers too, and then they have to be valid."""
    if report.partial:
        return Exit.INTERRUPTED
    if not report.passed:
        return Exit.CHECK
    if measuring and report.measurement.invalid:
        return Exit.INVALID
    return Exit.OK
